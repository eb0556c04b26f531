"""tus keeps the contract: in order against @tus/server, in parallel against the strict stand-in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from tests.engine.files import sha256
from tests.tus.conftest import TOKEN
from tests.tus.peer import TusPeer
from tests.tus.stand_in import StandIn
from transports.tus import TusUpload
from uploader.testing.transports import Answer, FaultyProxy, Held, Peer, TransportContract

PART = 262_144


class OrderedPeer(Peer):
    """The upload's name is in its metadata, after that of the test."""

    token = TOKEN
    wrong_token = "token-of-nobody-at-all"
    expired = Answer(410)

    def __init__(self, server: TusPeer, test: str) -> None:
        self._server = server
        self._test = test
        self.url = server.origin

    def destination(self, base_url: str, name: str) -> TusUpload:
        metadata = {"object": f"{self._test}/{name}"}
        return TusUpload(f"{base_url}/files", metadata, access_token=TOKEN, part_size=PART)

    def held(self, name: str) -> list[Held]:
        return held(name, (each for each in self._all(name) if each[0] == each[1].stat().st_size))

    def unfinished(self, name: str) -> int:
        return sum(size != content.stat().st_size for size, content in self._all(name))

    def _all(self, name: str) -> list[tuple[int, Path]]:
        return [
            (each["size"], each["content"])
            for each in self._server.uploads().values()
            if (each.get("metadata") or {}).get("object") == f"{self._test}/{name}"
        ]


class ParallelPeer(Peer):
    """The final upload's metadata has the name; what partial ones are for, nobody can tell."""

    def __init__(self, server: StandIn) -> None:
        self._server = server
        self.url = server.url.removesuffix("/files/")

    def destination(self, base_url: str, name: str) -> TusUpload:
        return TusUpload(f"{base_url}/files/", {"object": name}, parallel=3, part_size=PART)

    def held(self, name: str) -> list[Held]:
        return [
            Held(name, each.length, sha256(bytes(each.content)))
            for each in self._server.finished()
            if each.metadata["object"] == name
        ]


def held(name: str, contents: Iterable[tuple[int, Path]]) -> list[Held]:
    """Return files as what the suite compares."""
    return [Held(name, size, sha256(content)) for size, content in contents]


class TestOrdered(TransportContract):
    """Every test of the kit, one PATCH after the other."""

    transport = "tus"

    @pytest.fixture
    def peer(
        self, proxy: FaultyProxy, tus_signed: TusPeer, request: pytest.FixtureRequest
    ) -> OrderedPeer:
        """Serve whoever has the token, behind the proxy."""
        return OrderedPeer(tus_signed, request.node.name)


class TestParallel(TransportContract):
    """The tests of the kit, three partial uploads at once.

    Left out are those that count requests, of which a part has two here (`test_concatenation` keeps
    their promises), and the one that wants the limits of the factory, which are those in order.
    """

    transport = "tus"
    test_goes_on_after_each_part = None  # type: ignore[assignment]
    test_a_part_that_comes_twice_counts_once = None  # type: ignore[assignment]
    test_cancelled_leaves_nothing = None  # type: ignore[assignment]
    test_limits_agree_with_each_other = None  # type: ignore[assignment]

    @pytest.fixture
    def peer(self, proxy: FaultyProxy) -> Iterator[ParallelPeer]:
        """Serve strictly, behind the proxy."""
        with StandIn() as server:
            yield ParallelPeer(server)
