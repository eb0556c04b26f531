"""Uploads to @tus/server through the whole uploader: what it stored is what was sent.

A proxy in front of it breaks what a test wants broken; what is asserted is what the server holds.
"""

from __future__ import annotations

import base64
import json
import logging
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.engine.files import make_clip, sha256
from tests.tus.peer import TusPeer
from transports.tus import TusUpload
from uploader import Outcome, Timeouts, Uploader
from uploader.engine import SystemClock
from uploader.errors import (
    AuthenticationError,
    NetworkError,
    RejectedError,
    RetriesExhaustedError,
    SessionExpiredError,
)
from uploader.retry import RetryPolicy
from uploader.secret import Secret
from uploader.testing.faulty_proxy import (
    Answer,
    Drop,
    Fault,
    FaultyProxy,
    LoseAnswer,
    ResetAfter,
    Stall,
)

PART = 600_000
SIZE = 3 * PART - 1
ROOT = Path(__file__).parents[2]
Make = Callable[..., Uploader]
MakeTus = Callable[..., TusPeer]


@pytest.fixture
def film(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """Write a film of three parts, with a name that no other test has."""
    return make_clip(tmp_path / f"{abs(hash(request.node.nodeid))}.mp4", SIZE)


@pytest.fixture
def proxy(tus: TusPeer) -> Iterator[FaultyProxy]:
    """Stand before the server."""
    with FaultyProxy(tus.origin) as proxy:
        yield proxy


def to(peer: TusPeer | FaultyProxy, **fields: Any) -> TusUpload:
    """Return an upload to a server, or through a proxy, in parts of 600 kB."""
    url = peer.url if isinstance(peer, TusPeer) else f"{peer.base_url}/files"
    return TusUpload(**{"url": url, "part_size": PART, **fields})


def check_held(tus: TusPeer, film: Path) -> None:
    """Check that the server holds the film, once."""
    assert [sha256(held) for held in tus.finished(film.name)] == [sha256(film)]


@pytest.mark.parametrize("size", [1, PART - 1, PART, PART + 1, 2 * PART, 2 * PART + 1])
def test_every_size_arrives(tus: TusPeer, make_uploader: Make, tmp_path: Path, size: int) -> None:
    """One byte, a part less one byte, a part, and what lies around: equal to the byte."""
    film = make_clip(tmp_path / f"{size}.mp4", size)
    result = make_uploader().upload(film, to(tus))
    assert (result.outcome, result.bytes_sent) == (Outcome.DONE, size)
    check_held(tus, film)


def test_metadata_arrives(tus: TusPeer, make_uploader: Make, film: Path) -> None:
    """Name, type and the caller's own words are what the server has."""
    result = make_uploader().upload(film, to(tus, metadata={"title": "Grüße", "flag": ""}))
    assert result.outcome is Outcome.DONE
    told = {"filename": film.name, "filetype": "video/mp4", "title": "Grüße", "flag": ""}
    held = [each["metadata"] for each in tus.uploads().values()]
    assert told in [{key: value or "" for key, value in each.items()} for each in held]


def test_the_location_is_told_on_request(tus: TusPeer, make_uploader: Make, film: Path) -> None:
    """By default nobody learns the URL; with `public_location` it answers."""
    uploader = make_uploader()
    assert uploader.upload(film, to(tus)).location is None
    found = uploader.upload(film, to(tus, public_location=True, metadata={"n": "2"})).location
    assert found is not None
    answer = requests.head(found, headers={"Tus-Resumable": "1.0.0"}, timeout=10)
    assert answer.headers["Upload-Offset"] == str(SIZE)


def test_relative_locations(make_tus: MakeTus, make_uploader: Make, film: Path) -> None:
    """A server that names only the path is understood."""
    peer = make_tus(relative=True)
    assert make_uploader().upload(film, to(peer)).outcome is Outcome.DONE
    check_held(peer, film)


@pytest.mark.parametrize("act", [LoseAnswer(), Drop(), ResetAfter(250_000), Answer(503)])
@pytest.mark.parametrize("number", [2, 3, 4])
def test_any_part_may_fail(
    tus: TusPeer, proxy: FaultyProxy, make_uploader: Make, film: Path, number: int, act: Any
) -> None:
    """Lost, reset or refused for a moment: one upload is complete."""
    proxy.script(Fault(number=number, act=act))
    result = make_uploader().upload(film, to(proxy))
    assert result.outcome is Outcome.DONE, (result, proxy.exchanges)
    assert not proxy.pending
    check_held(tus, film)


@pytest.mark.parametrize("act", [LoseAnswer(), Drop(), Answer(503)])
def test_an_opening_may_fail(
    tus: TusPeer, proxy: FaultyProxy, make_uploader: Make, film: Path, act: Any
) -> None:
    """It is sent again, or nobody knows: then no byte is sent on that ground."""
    proxy.script(Fault(method="POST", act=act))
    result = make_uploader().upload(film, to(proxy))
    assert result.outcome in (Outcome.DONE, Outcome.UNKNOWN)
    assert len(tus.finished(film.name)) == (result.outcome is Outcome.DONE)
    assert (result.bytes_sent == 0) == (result.outcome is Outcome.UNKNOWN)


def test_a_lost_question_is_asked_again(
    tus: TusPeer, proxy: FaultyProxy, make_uploader: Make, film: Path
) -> None:
    """The HEAD after a lost answer may be lost as well."""
    proxy.script(
        Fault(method="PATCH", nth=2, act=LoseAnswer()), Fault(method="HEAD", act=LoseAnswer())
    )
    assert make_uploader().upload(film, to(proxy)).outcome is Outcome.DONE
    check_held(tus, film)


def test_what_the_server_kept_of_a_part_is_not_sent_again(
    tus: TusPeer, proxy: FaultyProxy, make_uploader: Make, film: Path
) -> None:
    """After a reset in the middle of a part, the offset goes on where the server is."""
    proxy.script(Fault(method="PATCH", nth=2, act=ResetAfter(300_000)))
    result = make_uploader().upload(film, to(proxy))
    assert result.outcome is Outcome.DONE
    check_held(tus, film)
    patches = [each for each in proxy.exchanges if each.method == "PATCH"]
    offsets = [int(each.ranges["upload-offset"]) for each in patches]
    assert len(offsets) == 4
    assert PART < offsets[2] <= PART + 300_000


def test_an_upload_that_is_gone_is_opened_anew(
    tus: TusPeer, proxy: FaultyProxy, make_uploader: Make, film: Path
) -> None:
    """Ended on the server after the first part, the next call starts from zero."""
    proxy.script(Fault(method="PATCH", nth=2, act=Answer(410)))
    uploader = make_uploader()
    result = uploader.upload(film, to(proxy))
    if result.outcome is not Outcome.DONE:
        assert isinstance(result.error, SessionExpiredError)
        assert uploader.upload(film, to(proxy)).outcome is Outcome.DONE
    check_held(tus, film)


def test_an_expired_upload(make_tus: MakeTus, make_uploader: Make, film: Path) -> None:
    """The server's own expiry, while the uploader was away, is healed by a new upload."""
    peer = make_tus(expires=1)
    result = make_uploader().upload(film, to(peer))
    assert result.outcome is Outcome.FAILED
    assert isinstance(result.error, SessionExpiredError)
    assert result.error.status == 410


def test_a_file_that_is_too_large(make_tus: MakeTus, make_uploader: Make, film: Path) -> None:
    """The server's limit is told before a byte is sent."""
    peer = make_tus(maxSize=SIZE - 1)
    result = make_uploader().upload(film, to(peer))
    assert isinstance(result.error, RejectedError)
    assert (result.error.status, result.bytes_sent) == (413, 0)


def test_no_server_there(proxy: FaultyProxy, make_uploader: Make, film: Path) -> None:
    """A URL that creates no uploads is refused, with a hint."""
    proxy.script(Fault(method="POST", act=Answer(404, b"<html>", {"Content-Type": "text/html"})))
    result = make_uploader().upload(film, to(proxy))
    assert isinstance(result.error, RejectedError)
    assert result.error.status == 404
    assert "creates uploads" in result.error.hints[0]


def test_nobody_listens(make_tus: MakeTus, make_uploader: Make, film: Path) -> None:
    """Nothing was opened: the upload is suspended."""
    peer = make_tus()
    peer.kill()
    result = make_uploader(retry=RetryPolicy(attempts=2)).upload(film, to(peer))
    assert result.outcome is Outcome.SUSPENDED
    assert isinstance(result.error, RetriesExhaustedError)
    assert isinstance(result.error.last, NetworkError)


@pytest.mark.parametrize("token", [None, "wrong-token-of-nobody"])
def test_a_wrong_credential(
    make_tus: MakeTus, make_uploader: Make, film: Path, token: str | None
) -> None:
    """Missing or wrong, it is told; the right one uploads."""
    peer = make_tus(token="right-token-of-acme")
    uploader = make_uploader()
    result = uploader.upload(film, to(peer, access_token=token))
    assert isinstance(result.error, AuthenticationError)
    assert (
        uploader.upload(film, to(peer, access_token="right-token-of-acme")).outcome is Outcome.DONE
    )
    check_held(peer, film)


def test_other_ways_to_sign(make_tus: MakeTus, make_uploader: Make, film: Path) -> None:
    """A header, credentials of the destination, credentials of the uploader."""
    peer = make_tus(token="right-token-of-acme")
    header = {"Authorization": "Bearer right-token-of-acme"}
    serves = make_uploader(credentials=lambda *_: "right-token-of-acme")
    ways = [
        (make_uploader(), to(peer, headers=header)),
        (make_uploader(), to(peer, credentials=lambda *_: "right-token-of-acme")),
        (serves, to(peer, signed=True)),
    ]
    for uploader, destination in ways:
        assert uploader.upload(film, destination).outcome is Outcome.DONE
        assert "right-token" not in repr(destination)


def test_cancelled_leaves_nothing(
    tus: TusPeer, proxy: FaultyProxy, make_uploader: Make, film: Path
) -> None:
    """Cancelled while a part is on its way: the server is told to end the upload, and does."""
    proxy.script(Fault(method="PATCH", nth=2, act=Stall(1000)))
    handle = make_uploader().submit(film, to(proxy))
    proxy.wait_for(lambda: proxy.stalls == 1)
    handle.cancel()
    assert handle.result(20).outcome is Outcome.CANCELLED
    assert [each.method for each in proxy.exchanges].count("DELETE") == 1
    names = [(each.get("metadata") or {}).get("filename") for each in tus.uploads().values()]
    assert film.name not in names


def test_suspended_after_each_part(
    tus: TusPeer, proxy: FaultyProxy, make_uploader: Make, film: Path, tmp_path: Path
) -> None:
    """Another uploader goes on where the first was stopped; nothing confirmed is sent again."""
    for number in (1, 2, 3):
        proxy.clear()
        proxy.script(Fault(method="PATCH", nth=number, act=Stall(0)))
        journal = tmp_path / f"{number}.db"
        upload = to(proxy, metadata={"n": str(number)})
        handle = make_uploader(journal=journal).submit(film, upload)
        proxy.wait_for(lambda: proxy.stalls == 1)
        handle.suspend()
        # The kernel takes all of the last part: whether the server has it is to be asked.
        left = Outcome.SUSPENDED if number < 3 else Outcome.UNKNOWN
        assert handle.result(20).outcome is left
        result = make_uploader(journal=journal).upload(film, upload)
        assert result.outcome is Outcome.DONE
        assert result.bytes_sent == SIZE - (number - 1) * PART
    assert [sha256(held) for held in tus.finished(film.name)] == [sha256(film)] * 3


@pytest.mark.parametrize("number", [1, 2, 3])
def test_the_uploading_process_is_killed(
    tus: TusPeer, proxy: FaultyProxy, make_uploader: Make, film: Path, tmp_path: Path, number: int
) -> None:
    """kill -9 in the middle of a part: the same call in another process ends the same upload."""
    proxy.script(Fault(method="PATCH", nth=number, act=Stall(100_000)))
    journal = tmp_path / "journal.db"
    where: dict[str, Any] = {"url": f"{proxy.base_url}/files", "part_size": PART}
    order = {"journal": str(journal), "film": str(film), "to": where}
    child = subprocess.Popen(
        [sys.executable, "-m", "tests.tus.child", json.dumps(order)],
        cwd=ROOT, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        proxy.wait_for(lambda: proxy.stalls == 1, timeout=30)
    finally:
        child.kill()
        assert child.wait() == -9

    result = make_uploader(journal=journal).upload(film, TusUpload(**where))

    assert result.outcome is Outcome.DONE, result
    assert result.resumed_from is not None
    assert result.resumed_from >= (number - 1) * PART
    check_held(tus, film)
    assert [each.method for each in proxy.exchanges].count("POST") == 1


@pytest.mark.parametrize("number", [1, 2, 3])
def test_the_server_is_killed(
    make_tus: MakeTus, make_uploader: Make, film: Path, number: int
) -> None:
    """kill -9 of the server in the middle of a part: started again, it holds the upload, whole."""
    peer = make_tus()
    with FaultyProxy(peer.origin) as proxy:
        proxy.script(Fault(method="PATCH", nth=number, act=Stall(100_000)))
        patient = RetryPolicy(attempts=100, base=0.05, cap=0.1)
        handle = make_uploader(clock=SystemClock(), retry=patient).submit(film, to(proxy))
        proxy.wait_for(lambda: proxy.stalls == 1)
        peer.kill()
        peer.start()
        proxy.release()
        assert handle.result(30).outcome is Outcome.DONE
    check_held(peer, film)


class TestOpenedElsewhere:
    """What Vimeo's `upload_link` is."""

    def opened(self, tus: TusPeer | FaultyProxy, film: Path, length: int = SIZE) -> str:
        """Open an upload as another service would, and return its URL."""
        url = tus.url if isinstance(tus, TusPeer) else f"{tus.base_url}/files"
        headers = {"Tus-Resumable": "1.0.0", "Upload-Length": str(length)}
        told = base64.b64encode(film.name.encode()).decode()
        headers["Upload-Metadata"] = f"filename {told}"
        answer = requests.post(url, headers=headers, timeout=10)
        assert answer.status_code == 201
        return answer.headers["Location"]

    def test_it_is_filled(self, tus: TusPeer, make_uploader: Make, film: Path) -> None:
        """Nothing is opened; the upload that was is complete, and called twice it is sent once."""
        upload = TusUpload(upload_url=self.opened(tus, film), part_size=PART)
        uploader = make_uploader()
        result = uploader.upload(film, upload)
        assert result.outcome is Outcome.DONE
        check_held(tus, film)
        assert uploader.upload(film, upload).upload_id == result.upload_id

    def test_its_url_is_a_secret(
        self, tus: TusPeer, make_uploader: Make, film: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Neither the object nor the result, an error or the log tells it."""
        caplog.set_level(logging.DEBUG)
        url = self.opened(tus, film, SIZE + 1)
        upload = TusUpload(upload_url=url, part_size=PART)
        result = make_uploader().upload(film, upload)
        assert isinstance(result.error, RejectedError)
        told = [repr(upload), str(upload.fields()), repr(result), json.dumps(result.to_dict())]
        identity = url.rpartition("/")[2]
        assert identity not in "".join([*told, caplog.text, *result.error.hints])

    def test_a_killed_upload_goes_on(
        self, tus: TusPeer, proxy: FaultyProxy, make_uploader: Make, film: Path, tmp_path: Path
    ) -> None:
        """By its journal alone, which keeps the URL sealed."""
        proxy.script(Fault(method="PATCH", nth=2, act=Stall(100_000)))
        journal = tmp_path / "journal.db"
        url = self.opened(proxy, film)
        handle = make_uploader(journal=journal).submit(
            film, TusUpload(upload_url=url, part_size=PART)
        )
        proxy.wait_for(lambda: proxy.stalls == 1)
        handle.suspend()
        suspended = handle.result(20)
        assert suspended.outcome is Outcome.SUSPENDED
        assert url.rpartition("/")[2].encode() not in journal.read_bytes()
        assert make_uploader(journal=journal).resume(suspended.upload_id).outcome is Outcome.DONE
        check_held(tus, film)

    def test_gone_is_gone(self, tus: TusPeer, make_uploader: Make, film: Path) -> None:
        """Nobody here opens it anew."""
        url = f"{tus.url}/0123456789abcdef"
        result = make_uploader().upload(film, TusUpload(upload_url=Secret(url)))
        assert result.outcome is Outcome.FAILED
        assert isinstance(result.error, SessionExpiredError)


def test_no_secret_is_told(
    tus: TusPeer,
    proxy: FaultyProxy,
    make_uploader: Make,
    film: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Upload URL and token stand in no result, log or event, whatever failed."""
    caplog.set_level(logging.DEBUG)
    events: list[Any] = []
    proxy.script(
        Fault(method="PATCH", nth=1, act=Answer(404, b"no upload here")),
        Fault(method="POST", nth=2, act=Answer(401, b"no")),
    )
    uploader = make_uploader(subscribers=[events.append], timeouts=Timeouts(response=10))
    upload = to(proxy, access_token="token-that-nobody-may-see")
    results = [uploader.upload(film, upload) for _ in range(3)]
    assert {Outcome.DONE} <= {result.outcome for result in results}
    ids = set(tus.uploads())
    told = "".join([caplog.text, repr(events), repr(results), repr(upload)])
    assert "token-that-nobody" not in told
    assert not [each for each in ids if each in told]
