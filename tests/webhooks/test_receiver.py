"""What becomes of a notice: an upload that ends, a notice that waits, one that came before."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from django.http.request import HttpHeaders

from tests.accounts.scene import accounts_of, kept
from transports.tiktok import DirectPost
from transports.tiktok.sandbox import Sandbox, Switches
from transports.tiktok.sandbox.webhooks import Notice
from transports.tiktok.webhooks import (
    FileInbox,
    Inbox,
    MemoryInbox,
    WebhookReceiver,
    WebhookRefusedError,
    aiohttp_handler,
)
from uploader import Outcome, Uploader
from uploader.accounts import MemoryTokenStore
from uploader.errors import JournalError
from uploader.events import Event, WebhookReceived
from uploader.journal import Entry, Journal, Lease, State
from uploader.journals import MemoryJournal, SqliteJournal
from uploader.model import Plan, Session
from uploader.pacing import PollPolicy

Make = Callable[..., WebhookReceiver]


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """Serve a TikTok that keeps posts in processing, so that a notice is what ends them."""
    with Sandbox(rate_limits=False, processing_seconds=3600.0) as sandbox:
        yield sandbox


@pytest.fixture
def journal(sandbox: Sandbox) -> MemoryJournal:
    """Remember uploads, on the sandbox's clock."""
    return MemoryJournal(clock=sandbox.clock.now)


@pytest.fixture
def seen() -> list[Event]:
    """Collect events."""
    return []


@pytest.fixture
def receiver(sandbox: Sandbox, journal: MemoryJournal, seen: list[Event]) -> WebhookReceiver:
    """Take notices for the journal."""
    return receiver_of(sandbox, journal, subscribers=[seen.append])


def receiver_of(sandbox: Sandbox, journal: Journal | None, **settings: Any) -> WebhookReceiver:
    """Make the receiver of the sandbox's client."""
    usual: dict[str, Any] = {
        "client_key": sandbox.oauth.client_key,
        "clock": sandbox.clock.now,
        "metrics": False,
    }
    return WebhookReceiver(journal, sandbox.oauth.client_secret, **(usual | settings))


def posted(sandbox: Sandbox, journal: Journal, tmp_path: Path, level: str = "SELF_ONLY") -> str:
    """Upload without waiting for the end, and let TikTok's own time pass; return the upload id."""
    film = tmp_path / "film.mp4"
    film.write_bytes(b"film" * 1000)
    post = DirectPost(
        account="acme",
        access_token=sandbox.access_token,
        base_url=sandbox.base_url,
        privacy_level=level,
    )
    with Uploader(journal=journal, metrics=False) as uploader:
        result = uploader.upload(film, post, wait=False)
    assert result.outcome is Outcome.PROCESSING
    sandbox.clock.advance(3600)
    return result.upload_id


def of_the_post(sandbox: Sandbox, **how: Any) -> Notice:
    """Return what TikTok tells of the only post."""
    return sandbox.webhooks.of_post(sandbox.posts[-1], **how)


def entry_of(journal: Journal, upload_id: str) -> Entry:
    """Return an upload."""
    found = journal.get(upload_id)
    assert found is not None
    return found


def outcomes(seen: list[Event]) -> list[tuple[str, str]]:
    """Return kind and outcome of the notices that were told of."""
    return [(each.kind, each.outcome) for each in seen if isinstance(each, WebhookReceived)]


def test_a_notice_ends_its_upload(
    sandbox: Sandbox,
    receiver: WebhookReceiver,
    journal: MemoryJournal,
    seen: list[Event],
    tmp_path: Path,
) -> None:
    """The journal says DONE with the status and nobody asks TikTok again."""
    upload_id = posted(sandbox, journal, tmp_path)
    notice = of_the_post(sandbox)
    asked = len(sandbox.requests)

    received = receiver.receive(notice.headers, notice.body)

    entry = entry_of(journal, upload_id)
    assert (received.outcome, received.upload_id) == ("accepted", upload_id)
    assert entry.state is State.DONE
    assert entry.fields["status"] == "PUBLISH_COMPLETE"
    assert entry.holder is None
    assert len(sandbox.requests) == asked
    assert outcomes(seen) == [("post.publish.complete", "accepted")]


def test_a_public_post_gets_its_id(
    sandbox: Sandbox, receiver: WebhookReceiver, journal: MemoryJournal, tmp_path: Path
) -> None:
    """Also after it is done: moderation may take hours. All 19 digits are there."""
    upload_id = posted(sandbox, journal, tmp_path, "PUBLIC_TO_EVERYONE")
    post = sandbox.posts[-1]
    told = {"publish_id": post.publish_id, "publish_type": "DIRECT_POST"}
    first = sandbox.webhooks.make("post.publish.complete", post.account, told)
    receiver.receive(first.headers, first.body)
    assert "post_ids" not in entry_of(journal, upload_id).fields

    notice = of_the_post(sandbox)
    receiver.receive(notice.headers, notice.body)

    assert entry_of(journal, upload_id).fields["post_ids"] == [str(post.post_id)]
    assert entry_of(journal, upload_id).state is State.DONE


def test_a_failed_post_says_why(journal: MemoryJournal, tmp_path: Path) -> None:
    """With TikTok's reason as the code, as the status would have said it."""
    switches = Switches(fail_reason="frame_rate_check_failed")
    with Sandbox(rate_limits=False, processing_seconds=3600.0, switches=switches) as sandbox:
        upload_id = posted(sandbox, journal, tmp_path)
        notice = of_the_post(sandbox)
        receiver_of(sandbox, journal).receive(notice.headers, notice.body)

    entry = entry_of(journal, upload_id)
    assert entry.state is State.FAILED
    assert entry.error is not None
    assert entry.error["vendor_code"] == "frame_rate_check_failed"
    assert entry.error["code"] == "rejected"


def test_duplicates_do_nothing(
    sandbox: Sandbox,
    receiver: WebhookReceiver,
    journal: MemoryJournal,
    seen: list[Event],
    tmp_path: Path,
) -> None:
    """Deliveries are repeated; one of another kind about the same post is none."""
    upload_id = posted(sandbox, journal, tmp_path)
    notice = of_the_post(sandbox)
    receiver.receive(notice.headers, notice.body)
    before = entry_of(journal, upload_id)

    for _ in range(3):
        assert receiver.receive(notice.headers, notice.body).outcome == "duplicate"

    assert entry_of(journal, upload_id) == before
    assert [outcome for _, outcome in outcomes(seen)] == ["accepted", *["duplicate"] * 3]


@pytest.mark.parametrize("shared", [False, True])
def test_a_notice_that_comes_too_early_waits(
    sandbox: Sandbox, tmp_path: Path, shared: bool
) -> None:
    """It is kept until the publish_id is in the journal; in a file also past the process."""
    clock = sandbox.clock.now
    journal: Journal = MemoryJournal(clock=clock)
    inbox: Inbox = MemoryInbox(clock=clock)
    if shared:
        journal = SqliteJournal(tmp_path / "uploads.db", clock=clock)
        inbox = FileInbox(tmp_path / "webhooks.db", clock=clock)
    told = {"publish_id": "v_pub_file~v2-1.7683616048247130126"}
    notice = sandbox.webhooks.make("post.publish.complete", "acme", told)
    receiver = receiver_of(sandbox, journal, inbox=inbox)

    assert receiver.receive(notice.headers, notice.body).outcome == "unknown"
    assert receiver.match() == 0

    claim = journal.claim(
        Entry(upload_id="1", identity="1", transport="tiktok", account="acme", plan=Plan(9, 9, 1)),
        30.0,
    )
    assert claim.lease is not None
    session = Session(told, {}, clock())
    changes = {"session": session, "reference": told["publish_id"], "state": State.COMMITTING}
    journal.save(claim.lease, changes)
    if shared:
        receiver = receiver_of(
            sandbox, journal, inbox=FileInbox(tmp_path / "webhooks.db", clock=clock)
        )
    assert receiver.match() == 1  # found, and left to the run that drives it
    assert entry_of(journal, "1").state is State.COMMITTING
    journal.release(claim.lease)

    assert receiver.match() == 1
    assert entry_of(journal, "1").state is State.DONE
    assert receiver.match() == 0
    journal.close()


def test_what_never_finds_its_upload_is_forgotten(sandbox: Sandbox, tmp_path: Path) -> None:
    """After a week: another tool of the same app may have posted it."""
    for inbox in (
        MemoryInbox(clock=sandbox.clock.now),
        FileInbox(tmp_path / "webhooks.db", clock=sandbox.clock.now),
    ):
        receiver = receiver_of(sandbox, MemoryJournal(), inbox=inbox)
        for number in range(2):
            notice = sandbox.webhooks.make(
                "post.publish.complete", "x", {"publish_id": str(number)}
            )
            receiver.receive(notice.headers, notice.body)
            assert len(inbox.waiting()) == 1
            sandbox.clock.advance(8 * 86_400)


def test_an_inbox_in_a_file_is_for_its_owner_and_keeps_little(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    """Mode 0600, and of what is settled a digest alone."""
    path = tmp_path / "webhooks.db"
    inbox = FileInbox(path, clock=sandbox.clock.now)
    receiver = receiver_of(sandbox, None, inbox=inbox)
    notice = sandbox.webhooks.of_removal("acme")
    receiver.receive(notice.headers, notice.body)

    assert path.stat().st_mode & 0o777 == 0o600
    assert sandbox.oauth.open_id("acme").encode() not in path.read_bytes()
    assert receiver.receive(notice.headers, notice.body).outcome == "duplicate"


def test_one_of_many_threads_takes_a_notice(sandbox: Sandbox, tmp_path: Path) -> None:
    """The same delivery at once, over and over: new once."""
    inbox = FileInbox(tmp_path / "webhooks.db", clock=sandbox.clock.now)
    receiver = receiver_of(sandbox, MemoryJournal(), inbox=inbox)
    notice = sandbox.webhooks.make("post.publish.complete", "acme", {"publish_id": "p"})
    got: list[str] = []
    threads = [
        threading.Thread(
            target=lambda: got.append(receiver.receive(notice.headers, notice.body).outcome)
        )
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(got) == [*["duplicate"] * 7, "unknown"]


def test_a_withdrawn_consent_reaches_the_accounts(sandbox: Sandbox, journal: MemoryJournal) -> None:
    """Its uploads wait from now on, before any of them is refused."""
    store = MemoryTokenStore()
    kept(store, sandbox.oauth.consent("acme"), sandbox.clock.now())
    receiver = receiver_of(sandbox, journal, accounts=accounts_of(sandbox, store))
    notice = sandbox.webhooks.of_removal("acme")

    receiver.receive(notice.headers, notice.body)

    assert [(each.state, each.reason) for each in store.list()] == [
        ("revoked", "authorization.removed 1")
    ]


def test_a_journal_that_fails_loses_no_notice(sandbox: Sandbox, tmp_path: Path) -> None:
    """It is kept, answered 200, and matched when the journal is back."""

    class Broken(MemoryJournal):
        fails = True

        def take(self, upload_id: str, ttl: float) -> tuple[Entry, Lease]:
            if self.fails:
                raise JournalError("the disk is gone")
            return super().take(upload_id, ttl)

    journal = Broken(clock=sandbox.clock.now)
    upload_id = posted(sandbox, journal, tmp_path)
    receiver = receiver_of(sandbox, journal)
    notice = of_the_post(sandbox)

    assert receiver.receive(notice.headers, notice.body).outcome == "unknown"
    journal.fails = False
    assert receiver.match() == 1
    assert entry_of(journal, upload_id).state is State.DONE


def test_a_late_delivery_is_taken_once(
    sandbox: Sandbox, receiver: WebhookReceiver, journal: MemoryJournal, tmp_path: Path
) -> None:
    """TikTok repeats for 72 hours, maybe with the signature of the first time."""
    upload_id = posted(sandbox, journal, tmp_path)
    notice = of_the_post(sandbox)
    sandbox.clock.advance(72 * 3600)
    assert receiver.receive(notice.headers, notice.body).upload_id == upload_id
    sandbox.clock.advance(2 * 3600)
    with pytest.raises(WebhookRefusedError):
        receiver.receive(notice.headers, notice.body)


@pytest.mark.parametrize("signature", ["bad", "absent", "other_body"])
def test_a_forged_notice_ends_nothing(
    sandbox: Sandbox,
    receiver: WebhookReceiver,
    journal: MemoryJournal,
    seen: list[Event],
    tmp_path: Path,
    signature: str,
) -> None:
    """It is refused, told of, and not kept."""
    upload_id = posted(sandbox, journal, tmp_path)
    notice = of_the_post(sandbox, signature=signature)

    with pytest.raises(WebhookRefusedError):
        receiver.receive(notice.headers, notice.body)

    assert entry_of(journal, upload_id).state is State.PROCESSING
    assert outcomes(seen) == [("", "refused")]
    assert receiver.match() == 0


def test_headers_of_django_are_understood(sandbox: Sandbox, receiver: WebhookReceiver) -> None:
    """`request.headers` there is a mapping of its own."""
    notice = sandbox.webhooks.of_removal("acme")
    meta = {"HTTP_TIKTOK_SIGNATURE": notice.headers["TikTok-Signature"]}
    headers = HttpHeaders(meta)
    assert receiver.receive(headers, notice.body).outcome == "accepted"


async def test_aiohttp_serves_what_the_sandbox_sends(
    sandbox: Sandbox, receiver: WebhookReceiver, journal: MemoryJournal, tmp_path: Path
) -> None:
    """Twice, badly signed, too long: each gets its answer, and the post is done."""
    upload_id = await asyncio.to_thread(posted, sandbox, journal, tmp_path)
    app = web.Application()
    app.router.add_post("/tiktok", aiohttp_handler(receiver))
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        url = f"http://127.0.0.1:{runner.addresses[0][1]}/tiktok"
        send = sandbox.webhooks.send

        async def sent(notice: Notice, times: int = 1) -> list[int]:
            return await asyncio.to_thread(lambda: send(url, notice, times=times))

        assert await sent(of_the_post(sandbox, signature="bad")) == [401]
        assert await sent(Notice("long", b"x" * 100_000, {})) == [413]
        assert entry_of(journal, upload_id).state is State.PROCESSING
        assert await sent(of_the_post(sandbox), times=2) == [200, 200]
    finally:
        await runner.cleanup()
    assert entry_of(journal, upload_id).state is State.DONE
    assert [notice.event for _, notice in sandbox.webhooks.due] == ["post.publish.complete", "long"]


def test_who_watches_is_told_that_there_is_news(sandbox: Sandbox, tmp_path: Path) -> None:
    """A run that waits for its post asks at once, instead of when its turn would have come."""
    film = tmp_path / "film.mp4"
    film.write_bytes(b"film" * 1000)
    post = DirectPost(
        account="acme",
        access_token=sandbox.access_token,
        base_url=sandbox.base_url,
        privacy_level="SELF_ONLY",
    )
    poll = PollPolicy(first=600.0, slowest=600.0)
    journal = MemoryJournal()  # whose leases do not lapse with the sandbox's time
    with Uploader(journal=journal, metrics=False, poll=poll) as up:
        handle = up.submit(film, post)
        told = receiver_of(sandbox, journal, hurry=up.hurry)
        sandbox.wait_for(lambda: sandbox.requests[-1].operation == "status")
        sandbox.clock.advance(3600.0)
        notice = of_the_post(sandbox)

        def ended() -> bool:
            told.receive(notice.headers, notice.body)
            return handle.done()

        sandbox.wait_for(ended)
        assert handle.result(1.0).outcome is Outcome.DONE
    assert sum(each.operation == "status" for each in sandbox.requests) == 2
