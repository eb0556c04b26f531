"""What a transport declares: its limits, its fields, its identity.

Rule: nothing is sent; what is said must be true of itself and of the planner.
"""

from __future__ import annotations

import json
import os
import pickle

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from uploader import ConfigurationError, UploaderError, registry
from uploader.errors import PlanError
from uploader.model import Plan
from uploader.planner import cut, plan
from uploader.testing.transport_frame import Stage, TransportFrame
from uploader.transport import Capabilities, Moment, Order, TailRule

SPARSE = 2**42
"""The largest file, in bytes, that a test makes of holes alone."""


class DeclaredContract(TransportFrame):
    """What is promised before anything is sent."""

    def test_has_one_name(self, stage: Stage) -> None:
        """The entry point, the factory and the transport call it the same, unless it has doors."""
        assert self.transport in registry.names()
        assert stage.factory.name == self.transport
        assert stage.destination().transport().name == (self.leads_to or self.transport)
        assert stage.factory.summary

    def test_limits_agree_with_each_other(self, stage: Stage) -> None:
        """And with what the factory says of them."""
        for limits in (stage.limits, stage.factory.capabilities):
            check_limits(limits)
        assert stage.limits.order is stage.factory.capabilities.order
        assert stage.limits.irreversible is stage.factory.capabilities.irreversible

    def test_every_size_up_to_the_largest_has_a_plan(self, stage: Stage) -> None:
        """A plan that keeps every limit; and with the usual part size as with the smallest."""
        for limits in (stage.limits, stage.factory.capabilities):
            check_plans(limits)

    def test_too_long_is_refused_before_a_request(self, stage: Stage) -> None:
        """As a `PlanError` that says both numbers."""
        limits = stage.limits
        with pytest.raises(PlanError, match=f"{limits.max_size:,}"):
            plan(limits.max_size + 1, limits)
        if limits.max_size < SPARSE:
            film = stage.folder / stage.peer.film
            film.touch()
            os.truncate(film, limits.max_size + 1)
            with stage.uploader() as uploader, pytest.raises(PlanError):
                uploader.upload(film, stage.destination())
        assert stage.proxy.exchanges == []

    def test_too_many_parts_are_refused_before_a_request(self, stage: Stage) -> None:
        """As a `PlanError`, whoever chose the cut."""
        limits = stage.limits
        size = limits.min_part * (limits.max_parts + 2)
        if size <= limits.max_size and limits.max_parts < 2**31:
            with pytest.raises(PlanError):
                cut(size, max(1, limits.min_part), limits)

    def test_an_empty_file_is_refused_before_a_request(self, stage: Stage) -> None:
        """It is no upload."""
        film = stage.folder / stage.peer.film
        film.touch()

        with stage.uploader() as uploader, pytest.raises(UploaderError, match="empty"):
            uploader.upload(film, stage.destination())

        assert stage.proxy.exchanges == []

    def test_its_fields_make_it_again(self, stage: Stage) -> None:
        """Through JSON and the factory, as a journal does: the same place, the same upload."""
        destination = stage.destination()
        fields = json.loads(json.dumps(dict(destination.fields())))
        assert fields == dict(destination.fields())
        again = stage.rebuilt(destination)

        assert dict(again.fields()) == fields
        assert dict(again.identity_fields()) == dict(destination.identity_fields())
        assert (again.origin, again.account) == (destination.origin, destination.account)
        assert again.transport().capabilities == stage.limits

    def test_unknown_fields_are_refused(self, stage: Stage) -> None:
        """As a `ConfigurationError` that names them."""
        fields = {**stage.destination().fields(), "no_such_field": 1}
        with pytest.raises(ConfigurationError, match="no_such_field") as caught:
            stage.factory.destination(None, fields)
        again = pickle.loads(pickle.dumps(caught.value))  # noqa: S301
        assert again.to_dict() == caught.value.to_dict()

    def test_its_identity_has_no_credential(self, stage: Stage) -> None:
        """Another token is the same upload, another name is another."""
        destination = stage.destination()
        identity = dict(destination.identity_fields())
        assert json.loads(json.dumps(identity)) == identity
        rotated = stage.rebuilt(destination, stage.peer.wrong_token or "another-token")
        assert dict(rotated.identity_fields()) == identity
        for told in (identity, dict(destination.fields())):
            assert not stage.peer.token or stage.peer.token not in json.dumps(told)
        stage.name = "another"
        other = stage.destination()
        where = destination.origin, destination.account
        assert (dict(other.identity_fields()), (other.origin, other.account)) != (identity, where)


def check_limits(limits: Capabilities) -> None:
    """Check that limits do not contradict each other."""
    assert 1 <= limits.min_part <= limits.max_part
    assert limits.min_part <= limits.part_size <= limits.max_part
    assert limits.alignment >= 1
    assert 1 <= limits.max_single <= limits.max_size
    assert limits.max_parts >= 1
    assert limits.max_lanes >= 1
    assert limits.max_lanes == 1 or limits.order is Order.ANY
    assert limits.session_lifetime is None or limits.session_lifetime > 0
    assert limits.digests <= {"crc32c", "md5", "sha1", "sha256"}
    assert not (limits.accepts_partial and limits.order is Order.ANY)
    assert isinstance(limits.irreversible, Moment)


def check_plans(limits: Capabilities) -> None:
    """Check plans over all sizes, evenly over their logarithm and near every edge."""
    edges = (limits.part_size, limits.min_part, limits.max_single, limits.max_last_part)
    near = [1, limits.max_size, limits.part_size * limits.max_parts]
    near += [each * count + off for each in edges for count in (1, 2, 3) for off in (-1, 0, 1)]
    sizes = st.one_of(
        st.sampled_from(near),
        st.floats(0, limits.max_size.bit_length()).map(lambda bits: int(2**bits)),
    ).map(lambda size: max(1, min(size, limits.max_size)))

    @settings(
        max_examples=100,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(sizes)
    def check(size: int) -> None:
        check_plan(plan(size, limits), size, limits)

    check()


def check_plan(found: Plan, size: int, limits: Capabilities) -> None:
    """Check one plan against every limit."""
    assert found.size == size
    assert 1 <= found.count <= limits.max_parts
    if found.count == 1:
        assert size <= max(limits.max_single, limits.max_last_part)
        return
    assert limits.min_part <= found.part_size <= limits.max_part
    assert found.part_size % limits.alignment == 0
    assert 1 <= found.last_length <= limits.max_last_part
    if limits.tail is TailRule.SHORT:
        assert found.last_length <= found.part_size
    else:
        assert found.last_length >= found.part_size
