"""Partial uploads in parallel, against a strict stand-in: @tus/server answers 501 to them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.engine.files import make_clip, sha256
from tests.tus.answers import Bytes, answer, described, run, spec, transport
from tests.tus.peer import TusPeer
from tests.tus.stand_in import StandIn
from transports.tus import TusUpload
from uploader import Outcome, Uploader
from uploader.errors import OffsetMismatchError, OutcomeUnknownError, RejectedError
from uploader.model import Plan, Receipt, Session
from uploader.secret import Secret
from uploader.testing.faulty_proxy import Answer, Fault, FaultyProxy, LoseAnswer, ResetAfter, Stall

PART = 600_000
SIZE = 5 * PART - 1
Make = Callable[..., Uploader]
OFFER: dict[str, Any] = {"tus_extension": "creation,concatenation,termination"}
HOME = "https://uploads.example/files/"


def joined(*names: str) -> Session:
    """Return a session whose parts have these partial uploads."""
    secrets = {f"partial_{index}": Secret(HOME + name) for index, name in enumerate(names)}
    return Session({"size": 25, "metadata": {"filename": "film.mp4"}}, secrets)


def test_the_offer_is_asked_for_and_nothing_opened() -> None:
    """One OPTIONS; two lost ones cost nothing."""
    (request,), opened = run(transport(parallel=3).create(spec(25)), [answer(204, **OFFER)])
    assert described(request)[:3] == ("options", "OPTIONS", HOME)
    assert opened.secrets == {}
    json.dumps(dict(opened.fields))


@pytest.mark.parametrize(
    ("offer", "says"),
    [({}, "core protocol"), ({"tus_extension": "creation"}, "does not offer concatenation"),
     ({**OFFER, "tus_max_size": 24}, "25 bytes.* 24")],
)  # fmt: skip
def test_without_the_offer_nothing_is_sent(offer: dict[str, Any], says: str) -> None:
    """It is a refusal with a hint, before the first byte."""
    with pytest.raises(RejectedError, match=says):
        run(transport(parallel=3).create(spec(25)), [answer(204, **offer)])


def test_a_part_has_an_upload_of_its_own() -> None:
    """A POST that says "partial", a PATCH at 0; the URL is a secret of the receipt."""
    plan = Plan(25, 10, 3)
    flow = transport(parallel=3).put_part(joined(), plan, plan.part(1), Bytes(10))
    asked, receipt = run(flow, [answer(201, location="/files/b"), answer(204, upload_offset=10)])
    assert [each.method for each in asked] == ["POST", "PATCH"]
    assert asked[0].headers["Upload-Concat"] == "partial"
    assert (asked[0].headers["Upload-Length"], asked[1].headers["Upload-Offset"]) == ("10", "0")
    assert receipt == Receipt(1, {}, 10, {"partial_1": Secret(HOME + "b")})
    assert HOME + "b" not in repr(receipt)


def test_a_prefix_of_a_part_is_no_part() -> None:
    """It is told, and the part sent again as a whole."""
    plan = Plan(25, 10, 3)
    flow = transport(parallel=3).put_part(joined(), plan, plan.part(1), Bytes(10))
    with pytest.raises(OffsetMismatchError):
        run(flow, [answer(201, location="/files/b"), answer(204, upload_offset=7)])


def test_the_parts_are_joined_in_their_order() -> None:
    """Without the origin where it is the server's own; metadata goes with the final upload."""
    session = joined("a", "b")
    session = Session(session.fields, {**session.secrets, "partial_2": Secret("https://cdn.x/c")})
    receipts = {index: Receipt(index) for index in (2, 0, 1)}
    flow = transport(parallel=3, public_location=True).complete(session, receipts)
    (request,), completion = run(flow, [answer(201, location="final")])
    _, method, url, headers = described(request)
    assert (method, url) == ("POST", HOME)
    assert headers["Upload-Concat"] == "final;/files/a /files/b https://cdn.x/c"
    assert headers["Upload-Metadata"] == "filename ZmlsbS5tcDQ="
    assert "Upload-Length" not in headers
    assert "/files/a" not in repr(request.headers)
    assert completion.location == HOME + "final"


def test_whole_partial_uploads_are_what_is_held() -> None:
    """One that is short, or gone, is not."""
    answers = [
        answer(200, upload_offset=10, upload_length=10),
        answer(200, upload_offset=7, upload_length=10),
        answer(404),
    ]
    confirmed = run(transport(parallel=3).query(joined("a", "b", "c")), answers)[1]
    assert confirmed.receipts == {0: Receipt(0, length=10)}
    assert confirmed.offset is None


@pytest.fixture
def server() -> Iterator[StandIn]:
    """Serve strictly; a broken rule fails the test."""
    with StandIn() as server:
        yield server


@pytest.fixture
def proxy(server: StandIn) -> Iterator[FaultyProxy]:
    """Stand before it."""
    with FaultyProxy(server.url.removesuffix("/files/")) as proxy:
        yield proxy


@pytest.fixture
def film(tmp_path: Path) -> Path:
    """Write a film of five parts."""
    return make_clip(tmp_path / "film.mp4", SIZE)


def to(proxy: FaultyProxy, **fields: Any) -> TusUpload:
    """Return an upload through three lanes."""
    given = {"part_size": PART, "parallel": 3, **fields}
    return TusUpload(f"{proxy.base_url}/files/", **given)


def check_held(server: StandIn, film: Path) -> None:
    """Check that the server holds one final upload, with the film and its name."""
    (final,) = server.finished()
    assert sha256(bytes(final.content)) == sha256(film)
    assert (final.concat, final.metadata["filename"]) == ("final", film.name)


@pytest.mark.parametrize("size", [1, PART, PART + 1, SIZE])
def test_every_size_is_joined(
    server: StandIn, proxy: FaultyProxy, make_uploader: Make, tmp_path: Path, size: int
) -> None:
    """One part or five: the final upload is the film."""
    film = make_clip(tmp_path / "film.mp4", size)
    assert make_uploader().upload(film, to(proxy)).outcome is Outcome.DONE
    check_held(server, film)


def test_lanes_are_at_work_at_once(
    server: StandIn, proxy: FaultyProxy, make_uploader: Make, film: Path
) -> None:
    """Three PATCHes are under way together, and never a fourth."""
    proxy.script(Fault(method="PATCH", act=Stall(0), times=3))
    handle = make_uploader().submit(film, to(proxy))
    proxy.wait_for(lambda: proxy.stalls == 3)
    assert [each.method for each in proxy.exchanges].count("PATCH") == 3
    proxy.release()
    assert handle.result(20).outcome is Outcome.DONE
    check_held(server, film)


@pytest.mark.parametrize("act", [LoseAnswer(), ResetAfter(250_000), Answer(503)])
@pytest.mark.parametrize("method", ["OPTIONS", "POST", "PATCH"])
def test_what_fails_is_replaced(
    server: StandIn, proxy: FaultyProxy, make_uploader: Make, film: Path, method: str, act: Any
) -> None:
    """A part whose upload was broken gets another one."""
    proxy.script(Fault(method=method, act=act))
    assert make_uploader().upload(film, to(proxy)).outcome is Outcome.DONE
    assert not proxy.pending
    check_held(server, film)


def test_an_unanswered_joining_is_unknown(
    server: StandIn, proxy: FaultyProxy, make_uploader: Make, film: Path
) -> None:
    """The film may be there: nobody can be asked, and it is not joined again."""
    proxy.script(Fault(method="POST", nth=6, act=LoseAnswer()))
    uploader = make_uploader()
    for _ in range(2):
        result = uploader.upload(film, to(proxy))
        assert result.outcome is Outcome.UNKNOWN
        assert isinstance(result.error, OutcomeUnknownError)
    check_held(server, film)


def test_another_run_goes_on_by_the_journal(
    server: StandIn, proxy: FaultyProxy, make_uploader: Make, film: Path, tmp_path: Path
) -> None:
    """The partial uploads' URLs are sealed in it; what was confirmed is not sent again."""
    journal = tmp_path / "journal.db"
    proxy.script(Fault(method="PATCH", nth=3, act=Stall(0), times=9))
    handle = make_uploader(journal=journal).submit(film, to(proxy))
    proxy.wait_for(lambda: proxy.stalls == 3)
    handle.suspend()
    assert handle.result(20).outcome is Outcome.SUSPENDED
    assert b"opens-" not in journal.read_bytes()
    proxy.clear()

    result = make_uploader(journal=journal).upload(film, to(proxy))

    assert result.outcome is Outcome.DONE
    assert result.bytes_sent == SIZE - 2 * PART or result.bytes_sent == SIZE - 2 * PART + 1
    check_held(server, film)


def test_a_partial_upload_that_expired_is_sent_again(
    server: StandIn, proxy: FaultyProxy, make_uploader: Make, film: Path, tmp_path: Path
) -> None:
    """One of those that were confirmed is gone: only it is replaced."""
    journal = tmp_path / "journal.db"
    proxy.script(Fault(method="PATCH", nth=3, act=Stall(0), times=9))
    handle = make_uploader(journal=journal).submit(film, to(proxy))
    proxy.wait_for(lambda: proxy.stalls == 3)
    handle.suspend()
    handle.result(20)
    proxy.clear()
    next(each for each in server.uploads.values() if each.is_whole).expired = True

    assert make_uploader(journal=journal).upload(film, to(proxy)).outcome is Outcome.DONE
    check_held(server, film)


def test_cancelled_drops_what_was_confirmed(
    server: StandIn, proxy: FaultyProxy, make_uploader: Make, film: Path
) -> None:
    """No whole partial upload is left, and no final one."""
    proxy.script(Fault(method="PATCH", nth=3, act=Stall(0), times=9))
    handle = make_uploader().submit(film, to(proxy))
    proxy.wait_for(lambda: proxy.stalls == 3)
    handle.cancel()
    assert handle.result(20).outcome is Outcome.CANCELLED
    assert not [each for each in server.uploads.values() if each.is_whole]


def test_checksums_are_checked(
    server: StandIn, proxy: FaultyProxy, make_uploader: Make, film: Path
) -> None:
    """In order and in parallel each part carries the SHA-1 of what was sent."""
    for parallel in (1, 3):
        server.uploads.clear()
        upload = to(proxy, checksum="sha1", parallel=parallel, metadata={"n": str(parallel)})
        assert make_uploader().upload(film, upload).outcome is Outcome.DONE
        (final,) = server.finished()
        assert sha256(bytes(final.content)) == sha256(film)
    summed = [headers for headers in server.headers if "Upload-Checksum" in headers]
    assert len(summed) == 10


@pytest.mark.parametrize("parallel", [1, 3])
def test_a_server_that_takes_less(
    server: StandIn, proxy: FaultyProxy, make_uploader: Make, film: Path, parallel: int
) -> None:
    """In order the rest follows; in parallel a part is whole or sent again, and then given up."""
    server.takes = 400_000
    result = make_uploader().upload(film, to(proxy, parallel=parallel))
    if parallel == 1:
        assert result.outcome is Outcome.DONE
        (whole,) = server.finished()
        assert sha256(bytes(whole.content)) == sha256(film)
    else:
        assert result.outcome is Outcome.SUSPENDED


def test_the_real_server_does_not_join(tus: TusPeer, make_uploader: Make, film: Path) -> None:
    """It says so when it is asked, and nothing is sent."""
    result = make_uploader().upload(film, TusUpload(tus.url, parallel=2, part_size=PART))
    assert isinstance(result.error, RejectedError)
    assert "concatenation" in result.error.message
    assert result.bytes_sent == 0
