"""What the sandbox tells by itself, once, twice, late or badly signed; and what comes too early."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from tests.resume.watched import Watched
from transports.tiktok import DirectPost, InboxDraft
from transports.tiktok.sandbox import Sandbox, Switches
from transports.tiktok.sandbox.webhooks import Notice, Signature
from transports.tiktok.webhooks import WebhookReceiver, aiohttp_handler
from uploader import Outcome, Uploader
from uploader.journal import State
from uploader.journals import MemoryJournal, SqliteJournal
from uploader.serving import ServerThread

PUBLIC = "PUBLIC_TO_EVERYONE"


@pytest.fixture
def film(tmp_path: Path) -> Path:
    """Write a small film."""
    path = tmp_path / "film.mp4"
    path.write_bytes(b"film" * 1000)
    return path


def receiver_of(sandbox: Sandbox, journal: Any) -> WebhookReceiver:
    """Make the receiver of the sandbox's client."""
    return WebhookReceiver(
        journal,
        sandbox.oauth.client_secret,
        client_key=sandbox.oauth.client_key,
        clock=sandbox.clock.now,
        metrics=False,
    )


@pytest.fixture
def serve() -> Iterator[Callable[[WebhookReceiver], str]]:
    """Serve receivers as an application does; give each one's address."""
    servers: list[ServerThread] = []

    def make(receiver: WebhookReceiver) -> str:
        @asynccontextmanager
        async def opened() -> AsyncIterator[web.Server]:
            app = web.Application()
            app.router.add_post("/tiktok", aiohttp_handler(receiver))
            runner = web.AppRunner(app)
            await runner.setup()
            assert runner.server is not None
            yield runner.server
            await runner.cleanup()

        server = ServerThread(opened, noun="hook")
        server.start()
        servers.append(server)
        return f"{server.base_url}/tiktok"

    yield make
    for server in servers:
        server.stop()


def post(sandbox: Sandbox, kind: type[DirectPost] | type[InboxDraft], **fields: Any) -> Any:
    """Make a post of the sandbox's creator."""
    return kind(
        account="acme", access_token=sandbox.access_token, base_url=sandbox.base_url, **fields
    )


def told(found: list[Notice]) -> list[str]:
    """Return the events of notices, in order."""
    return [each.event.removeprefix("post.publish.") for each in found]


def test_what_becomes_of_posts_is_told_once(film: Path) -> None:
    """Delivered, complete, available after moderation, failed: each when it has happened."""
    switches = Switches(post_id_delay=60.0)
    with Sandbox(processing_seconds=10.0, switches=switches) as sandbox:
        with Uploader(metrics=False) as up:
            up.upload(film, post(sandbox, DirectPost, privacy_level=PUBLIC), wait=False)
            up.upload(film, post(sandbox, InboxDraft), wait=False)
        assert sandbox.webhooks.news() == []
        sandbox.clock.advance(10)
        assert told(sandbox.webhooks.news()) == ["complete", "inbox_delivered"]
        assert sandbox.webhooks.news() == []
        sandbox.clock.advance(60)
        (available,) = sandbox.webhooks.news()
        assert available.event == "post.publish.publicly_available"
        assert str(sandbox.posts[0].post_ids[0]).encode() in available.body

        for _ in range(2):  # one draft may become several posts
            sandbox.finish_draft(sandbox.posts[1].publish_id)
        found = sandbox.webhooks.news()
        assert told(found) == ["complete", *["publicly_available"] * 2]
        assert all(b"INBOX_SHARE" in each.body for each in found)


def test_a_failure_is_told_with_its_reason(film: Path) -> None:
    """As the status says it."""
    with Sandbox(switches=Switches(fail_reason="spam_risk_text")) as sandbox:
        with Uploader(metrics=False) as up:
            up.upload(film, post(sandbox, DirectPost, privacy_level="SELF_ONLY"))
        (notice,) = sandbox.webhooks.news()
    assert notice.event == "post.publish.failed"
    assert b"spam_risk_text" in notice.body


@pytest.mark.parametrize(
    ("signature", "answers"),
    [
        ("good", [200, 200]),
        ("old", [200, 200]),  # late: TikTok repeats for 72 hours
        ("bad", [401, 401]),
        ("absent", [401, 401]),
        ("other_body", [401, 401]),
    ],
)
def test_duplicates_late_and_forged_ones_reach_the_application(
    film: Path,
    serve: Callable[[WebhookReceiver], str],
    signature: Signature,
    answers: list[int],
) -> None:
    """Each delivery over a socket; what is genuine ends the upload once, forged ones nothing."""
    with Sandbox(processing_seconds=3600.0) as sandbox:
        journal = MemoryJournal(clock=sandbox.clock.now)
        with Uploader(journal=journal, metrics=False) as up:
            result = up.upload(
                film, post(sandbox, DirectPost, privacy_level="SELF_ONLY"), wait=False
            )
        sandbox.clock.advance(3600)
        url = serve(receiver_of(sandbox, journal))
        sandbox.webhooks.send_news(url, times=2, signature=signature)

        assert [each.status for each in sandbox.webhooks.sent] == answers
        entry = journal.get(result.upload_id)
        assert entry is not None
        assert entry.state is (State.DONE if answers[0] == 200 else State.PROCESSING)
        assert len(sandbox.webhooks.due) == (answers[0] != 200)


def test_nobody_there_is_due_and_sent_again(
    film: Path, serve: Callable[[WebhookReceiver], str]
) -> None:
    """An application that was down gets it later."""
    with Sandbox() as sandbox:
        journal = MemoryJournal(clock=sandbox.clock.now)
        with Uploader(journal=journal, metrics=False) as up:
            up.upload(film, post(sandbox, DirectPost, privacy_level="SELF_ONLY"))
        url = serve(receiver_of(sandbox, journal))
        (notice,) = sandbox.webhooks.news()
        assert sandbox.webhooks.send("http://127.0.0.1:9/tiktok", notice) == [0]
        sandbox.webhooks.due[0] = (url, notice)
        assert sandbox.webhooks.send_again() == [200]
        assert sandbox.webhooks.due == []


@pytest.mark.parametrize("number", [3, 4, 5], ids=["session", "committing", "last part"])
def test_a_notice_that_overtakes_the_record_resolves_the_upload_later(
    film: Path, tmp_path: Path, serve: Callable[[WebhookReceiver], str], number: int
) -> None:
    """TikTok tells of the post before the journal has its publish_id: the notice waits for it.

    It arrives over a socket just before each record that the run makes after the init.
    """
    with Sandbox(processing_seconds=3600.0) as sandbox:
        path = tmp_path / "uploads.db"
        url = serve(receiver_of(sandbox, SqliteJournal(path, clock=sandbox.clock.now)))
        later = SqliteJournal(path, clock=sandbox.clock.now)
        answers: list[int] = []

        def overtake(record: int) -> None:
            if sandbox.uploads and not answers and record >= number:
                facts = {"publish_id": sandbox.uploads[0].publish_id}
                known = later.referred("tiktok", facts["publish_id"])
                assert len(known) == (number > 3)
                notice = sandbox.webhooks.make("post.publish.complete", "acme", facts)
                answers.extend(sandbox.webhooks.send(url, notice))

        journal: Any = Watched(SqliteJournal(path), before=overtake)
        with Uploader(journal=journal, metrics=False) as up:
            result = up.upload(
                film, post(sandbox, DirectPost, privacy_level="SELF_ONLY"), wait=False
            )
            assert result.outcome is Outcome.PROCESSING
        assert answers == [200]

        entry = later.get(result.upload_id)
        assert entry is not None
        assert entry.state is State.PROCESSING
        # Any delivery makes the receiver look again; so does `match`.
        removal = sandbox.webhooks.of_removal("somebody else")
        assert sandbox.webhooks.send(url, removal) == [200]
        entry = later.get(result.upload_id)
        assert entry is not None
        assert entry.state is State.DONE
        asked = len(sandbox.requests)
        with Uploader(journal=later, metrics=False) as up:
            again = up.upload(film, post(sandbox, DirectPost, privacy_level="SELF_ONLY"))
        assert (again.outcome, again.upload_id) == (Outcome.DONE, result.upload_id)
        assert len(sandbox.requests) == asked
