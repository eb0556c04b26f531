"""No secret in logs, reprs, exceptions, pickles or metrics, whatever fails."""

import asyncio
import io
import logging
import random
from collections.abc import Awaitable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from tests.secrets.evidence import EveryRecord, Evidence, as_rich_prints_it
from tests.secrets.scenes import AT_ONCE, HASTY, PARTS, SCENES, TWICE, Stage
from transports.tiktok import DirectPost, TikTokPublishService
from transports.tiktok.sandbox import Fault, Sandbox
from uploader import AsyncUploader, Secret, Uploader, UploaderError, UploadResult
from uploader.events import Event
from uploader.instruments.logs import configure

SIZE = 3 * 5_242_921


@pytest.fixture
def token() -> Secret:
    """Make a token that stands out, and of which no frame of a test holds the text."""
    return Secret("act.DO-NOT-PRINT-ME-" + "7" * 24)


@pytest.fixture(scope="session")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a file of three parts."""
    path = tmp_path_factory.mktemp("films") / "film.mp4"
    path.write_bytes(random.Random(7).randbytes(SIZE))
    return path


@pytest.fixture
def evidence() -> Iterator[Evidence]:
    """Collect what every logger says, at DEBUG, from the first moment on."""
    evidence = Evidence()
    handler = EveryRecord(evidence)
    root, ours = logging.getLogger(), logging.getLogger("uploader")
    loud = [logging.getLogger(name) for name in ("asyncio", "aiohttp", "concurrent.futures")]
    before = [(logger, logger.level) for logger in (root, ours, *loud)]
    propagated, handlers = ours.propagate, list(ours.handlers)
    root.addHandler(handler)
    ours.addHandler(handler)
    for logger, _ in before:
        logger.setLevel(logging.DEBUG)
    try:
        yield evidence
    finally:
        root.removeHandler(handler)
        for logger, level in before:
            logger.setLevel(level)
        ours.propagate, ours.handlers[:] = propagated, handlers


class Subscribed:
    """Keep every event as text."""

    def __init__(self, evidence: Evidence) -> None:
        self._evidence = evidence
        self.kinds: set[str] = set()

    def __call__(self, event: Event) -> None:
        self.kinds.add(type(event).__name__)
        self._evidence.add("event", repr(event))
        self._evidence.add("facts of an event", repr(event.facts()))


@pytest.mark.parametrize("name", SCENES)
def test_nothing_that_a_run_emits_shows_a_secret(
    name: str,
    token: Secret,
    evidence: Evidence,
    film: Path,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Neither the token nor an upload URL is anywhere, and the run did emit something."""
    (tmp_path / "journal").mkdir(mode=0o700)
    small = tmp_path / "small.mp4"
    small.write_bytes(random.Random(8).randbytes(100_000))
    lines = {"console": io.StringIO(), "json": io.StringIO()}
    for handler in (configured("console", lines), configured("json", lines)):
        logging.getLogger("uploader").addHandler(handler)
    registry, subscribed = CollectorRegistry(), Subscribed(evidence)
    with Sandbox(access_token=token.reveal(), strict=False) as sandbox:
        with Uploader(
            journal=tmp_path / "journal" / "uploads.db",
            registry=registry,
            subscribers=[subscribed],
            timeouts=HASTY,
            retry=AT_ONCE,
            poll=TWICE,
        ) as uploader:
            stage = Stage(sandbox, uploader, film, small, evidence, token)
            SCENES[name](stage)
            for thing in (*stage.held, uploader):
                evidence.take(thing)
            evidence.take_files(tmp_path / "journal")
        evidence.take_files(tmp_path / "journal")
        urls = [Secret(post.url) for post in sandbox.uploads]
    for fmt, stream in lines.items():
        evidence.add(f"structlog as {fmt}", stream.getvalue())
    evidence.add("metrics", generate_latest(registry).decode())
    out, err = capfd.readouterr()
    evidence.add("stdout", out)
    evidence.add("stderr", err)

    assert not evidence.leaks(token.reveal())
    for url in urls:
        assert not evidence.leaks(url.reveal())
        assert not evidence.leaks(upload_token(url).reveal())
    # The search would find nothing in silence either.
    assert not subscribed.kinds or all(stream.getvalue() for stream in lines.values())


async def raised(upload: Awaitable[UploadResult]) -> BaseException:
    """Return what awaiting an upload raises, from a frame that holds nothing else."""
    try:
        (await upload).raise_for_outcome()
    except (UploaderError, asyncio.CancelledError) as error:
        return error
    raise AssertionError("nothing was raised")


def configured(fmt: Any, lines: dict[str, io.StringIO]) -> logging.Handler:
    """Return the handler that an application gets for this format."""
    configure(fmt, "DEBUG", lines[fmt])
    logger = logging.getLogger("uploader")
    handler = next(h for h in logger.handlers if h.get_name() == "uploader-configured")
    logger.removeHandler(handler)
    return handler


def upload_token(url: Secret) -> Secret:
    """Return what makes an upload URL a secret."""
    return Secret(parse_qs(urlsplit(url.reveal()).query)["upload_token"][0])


async def test_nothing_that_the_asynchronous_face_raises_shows_a_secret(
    token: Secret, evidence: Evidence, film: Path
) -> None:
    """Errors cross from the engine's loop to the caller's, and carry no frames with secrets."""
    with Sandbox(access_token=token.reveal()) as sandbox:
        sandbox.script(Fault("put", reset_after=1000, times=3))
        destination = DirectPost(
            privacy_level="SELF_ONLY", access_token=token, base_url=sandbox.base_url, **PARTS
        )
        async with AsyncUploader(metrics=False, timeouts=HASTY, retry=AT_ONCE) as uploader:
            evidence.take_error(await raised(uploader.upload(film, destination)))
            sandbox.script(Fault("put", stall_after=1000))
            other = replace(destination, title="another")
            task = asyncio.create_task(uploader.upload(film, other))
            await asyncio.to_thread(sandbox.wait_for, lambda: sandbox.uploads[1].chunks[0].received)
            task.cancel()
            evidence.take_error(await raised(task))
        urls = [Secret(post.url) for post in sandbox.uploads]

    assert len(evidence.texts) > len(urls)
    for secret in (token, *urls, *map(upload_token, urls)):
        assert not evidence.leaks(secret.reveal())


def test_a_callers_own_frames_show_no_upload_url(token: Secret, film: Path) -> None:
    """Who holds what the drop-in returned may be printed, by rich too, which cuts long strings."""
    with Sandbox(access_token=token.reveal()) as sandbox:
        with TikTokPublishService(token, base_url=sandbox.base_url) as service:
            opened = service.initiate_video_post(film)
        url = Secret(sandbox.uploads[0].url)
    found = Evidence()

    def fail(upload_url: str, whole: dict[str, Any]) -> None:
        head, tail = upload_url[:80], upload_url[-40:]
        raise RuntimeError(f"no {upload_url} {head} {tail} {len(whole)}")

    def failure() -> RuntimeError:
        try:
            fail(opened["upload_url"], opened)
        except RuntimeError as error:
            return error
        raise AssertionError("nothing was raised")

    error = failure()
    found.take_error(error)
    found.add("traceback as rich prints it", as_rich_prints_it(error))
    assert not found.leaks(upload_token(url).reveal()[:8])
    assert not found.leaks(upload_token(url).reveal()[-8:])
    assert opened["upload_url"] == url.reveal()


def test_this_search_finds_what_leaks(token: Secret, evidence: Evidence) -> None:
    """A careless program is caught: by its text, its locals, its context and its log."""

    def careless() -> None:
        text = token.reveal()  # noqa: F841
        raise RuntimeError("no")

    def chained() -> None:
        try:
            raise KeyError(token.reveal())
        except KeyError:
            raise RuntimeError("no") from None

    for act in (careless, chained):
        found = Evidence()
        try:
            act()
        except RuntimeError as error:
            found.take_error(error)
        assert found.leaks(token.reveal())
    logging.getLogger("aiohttp.client").debug("sent %s", token.reveal())
    assert evidence.leaks(token.reveal())
