"""Hundreds of posts that TikTok works on: asked about by one task, within the account's limits."""

import asyncio
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import pytest

from tests.cli.command import run
from tests.engine.clock import FakeClock
from tests.tiktok.boxes import movie
from transports.tiktok import DirectPost
from transports.tiktok.sandbox import Sandbox, SandboxClock, Switches
from uploader import AsyncUploader, JournalError, Outcome, Uploader
from uploader.api.watching import LOOKS
from uploader.events import Event, ProcessingChanged, UploadCompleted, UploadFailed
from uploader.journal import State
from uploader.journals import MemoryJournal, SqliteJournal
from uploader.pacing import PollPolicy

SECONDS = 240.0


@pytest.fixture
def still() -> FakeClock:
    """Wait for nothing in real time."""
    return FakeClock()


@pytest.fixture
def sandbox(still: FakeClock) -> Iterator[Sandbox]:
    """A TikTok that works for four minutes on each post, and counts requests, by our clock."""
    clock = SandboxClock(source=still.time)
    with Sandbox(clock=clock, processing_seconds=SECONDS) as sandbox:
        yield sandbox


@pytest.fixture
def journal(still: FakeClock, tmp_path: Path) -> Iterator[SqliteJournal]:
    """A journal that lives by the same clock."""
    journal = SqliteJournal(tmp_path / "uploads.db", clock=still.time)
    yield journal
    journal.close()


def post(sandbox: Sandbox, token: str, number: int, account: str) -> DirectPost:
    """Return one of many posts."""
    return DirectPost(
        account=account,
        access_token=token,
        privacy_level="SELF_ONLY",
        title=f"film {number}",
        base_url=sandbox.base_url,
    )


def uploader(still: FakeClock, journal: Any, sandbox: Sandbox, **more: Any) -> Uploader:
    """Return an uploader that signs for every account by its own token."""
    return Uploader(
        clock=still,
        metrics=False,
        journal=journal,
        credentials=lambda transport, account: tokens(sandbox)[account or ""],
        **more,
    )


_TOKENS: WeakKeyDictionary[Sandbox, dict[str, str]] = WeakKeyDictionary()


def tokens(sandbox: Sandbox) -> dict[str, str]:
    """Return the tokens of a sandbox's accounts, made when they are asked for."""
    made = _TOKENS.setdefault(sandbox, {})
    for number in range(50):
        name = f"account {number}"
        if name not in made:
            made[name] = sandbox.issue_token(account=name)
    return made


def left_processing(
    up: Uploader, sandbox: Sandbox, count: int, accounts: int, first: int = 0
) -> list[str]:
    """Publish so many posts without waiting for any; return their ids."""
    ids = []
    for number in range(first, first + count):
        account = f"account {number % accounts}"
        film = post(sandbox, tokens(sandbox)[account], number, account)
        result = up.upload(movie(), film, wait=False)
        assert result.outcome is Outcome.PROCESSING, result.error
        ids.append(result.upload_id)
    return ids


def descriptors() -> int:
    """Return how many files this process has open."""
    return len(list(Path("/proc/self/fd").iterdir()))


def statuses(sandbox: Sandbox) -> int:
    """Return how often the status was asked for."""
    return sum(each.operation == "status" for each in sandbox.requests)


@pytest.mark.parametrize("many", [60, pytest.param(500, marks=pytest.mark.slow)])
def test_hundreds_are_watched_by_one_task(
    sandbox: Sandbox,
    still: FakeClock,
    journal: SqliteJournal,
    monkeypatch: pytest.MonkeyPatch,
    many: int,
) -> None:
    """No lane, no lease and no file is held while they wait, and no limit is passed."""
    monkeypatch.setenv("UPLOADER_RATES", "tiktok.posts_a_day=off")
    with uploader(still, journal, sandbox) as first:
        ids = left_processing(first, sandbox, many, accounts=many // 10)
    for each in sandbox.uploads[:7]:
        each.switches = Switches(fail_reason="duration_check_failed")
    lost = {each.publish_id for each in sandbox.uploads[:7]}
    events, held, tasks, files = list[Event](), list[int](), list[int](), list[int]()
    before = descriptors()

    def look(event: Event) -> None:
        events.append(event)
        if len(events) % 50 == 0:
            files.append(descriptors())
            held.append(sum(entry.holder is not None for entry in journal.latest(many)))
            loop = up._thread._loop
            assert loop is not None
            tasks.append(len(asyncio.all_tasks(loop)))

    poll = PollPolicy(first=30.0, factor=2.0, slowest=120.0)
    with uploader(still, journal, sandbox, subscribers=[look], poll=poll) as up:
        results = up.resume_all()
    assert {result.upload_id for result in results} == set(ids)
    outcomes = Counter(result.outcome for result in results)
    assert outcomes == {Outcome.DONE: many - 7, Outcome.FAILED: 7}
    failed = [result for result in results if result.outcome is Outcome.FAILED]
    assert {result.fields["publish_id"] for result in failed} == lost
    assert {result.code for result in failed} == {"rejected"}
    assert journal.counts()[State.DONE][0] == many - 7
    assert not any(each.status == 429 for each in sandbox.requests), "no limit was passed"
    # Questions that are out have a lease, a task or two, and both ends of a connection.
    assert max(held) <= LOOKS
    assert max(tasks) <= 4 * LOOKS
    assert max(files) <= before + 3 * LOOKS
    told = Counter(type(event) for event in events)
    assert (told[UploadCompleted], told[UploadFailed]) == (many - 7, 7)
    assert told[ProcessingChanged] == many, "a state is told when it is the last"


def test_one_account_of_many_posts_delays_no_other(
    sandbox: Sandbox, still: FakeClock, journal: SqliteJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Forty posts of one account take its thirty questions a minute; the others end beside it."""
    monkeypatch.setenv("UPLOADER_RATES", "tiktok.posts_a_day=off")
    with uploader(still, journal, sandbox) as up:
        left_processing(up, sandbox, 40, accounts=1)
        left_processing(up, sandbox, 50, accounts=50, first=40)
        still.now += SECONDS
        results = up.watch()
    assert [result.outcome for result in results] == [Outcome.DONE] * 90
    whose = {each.publish_id: each.account for each in sandbox.uploads}
    asked = [each for each in sandbox.requests if each.operation == "status"]
    crowded = [each.time for each in asked if whose[each.publish_id or ""] == "account 0"]
    others = [each.time for each in asked if whose[each.publish_id or ""] != "account 0"]
    assert max(others) + 30 < max(crowded)
    assert not any(each.status == 429 for each in sandbox.requests)


def test_patience_leaves_them_processing(
    sandbox: Sandbox, still: FakeClock, journal: SqliteJournal
) -> None:
    """After so many questions each; a later watch goes on."""
    with uploader(still, journal, sandbox) as up:
        left_processing(up, sandbox, 4, accounts=4)
        results = up.watch(poll=PollPolicy(first=1.0, attempts=3))
        assert {result.outcome for result in results} == {Outcome.PROCESSING}
        assert statuses(sandbox) == 12
        assert journal.counts()[State.PROCESSING][0] == 4
        assert all(entry.holder is None for entry in journal.latest())
        still.now += SECONDS
        assert {result.outcome for result in up.watch()} == {Outcome.DONE}
        assert up.watch() == []


def test_what_a_webhook_has_ended_is_not_asked_about(
    sandbox: Sandbox, still: FakeClock, journal: SqliteJournal
) -> None:
    """It takes the lease between two questions; who is hurried finds that at once."""
    lease_free = threading.Event()

    class Stopped(FakeClock):
        async def sleep(self, seconds: float) -> None:
            lease_free.set()
            await asyncio.Event().wait()

    stopped = Stopped()
    stopped.now = still.now
    with uploader(still, journal, sandbox) as first:
        (upload_id,) = left_processing(first, sandbox, 1, accounts=1)
    with uploader(stopped, journal, sandbox) as up:
        found: list[Any] = []
        watching = threading.Thread(target=lambda: found.extend(up.watch()))
        watching.start()
        assert lease_free.wait(10.0)
        asked = statuses(sandbox)
        _, lease = journal.take(upload_id, 30.0)
        journal.save(lease, {"state": State.DONE, "fields": {"status": "PUBLISH_COMPLETE"}})
        journal.release(lease)
        up.hurry(upload_id)
        watching.join(10.0)
    assert [result.outcome for result in found] == [Outcome.DONE]
    assert (asked, statuses(sandbox)) == (1, 1)


def test_an_upload_that_waits_is_hurried(
    sandbox: Sandbox, still: FakeClock, tmp_path: Path
) -> None:
    """A run that waits for its post asks again as soon as somebody has news."""
    waits = threading.Event()

    class Stopped(FakeClock):
        async def sleep(self, seconds: float) -> None:
            waits.set()
            await asyncio.Event().wait()

    stopped = Stopped()
    token = tokens(sandbox)["account 0"]
    with uploader(stopped, None, sandbox) as up:
        handle = up.submit(movie(), post(sandbox, token, 0, "account 0"))
        assert waits.wait(10.0)
        still.now += SECONDS
        up.hurry(handle.upload_id)
        assert handle.result(10.0).outcome is Outcome.DONE


def test_what_is_the_callers_to_mend_is_not_asked_again(
    sandbox: Sandbox, still: FakeClock, journal: SqliteJournal
) -> None:
    """Without credentials nobody can ask: it is said at once, and the upload stays as it is."""
    with uploader(still, journal, sandbox) as up:
        left_processing(up, sandbox, 1, accounts=1)
    began = still.now
    with Uploader(clock=still, metrics=False, journal=journal) as other:
        (result,) = other.resume_all()
    assert (result.outcome, result.code) == (Outcome.PROCESSING, "configuration")
    assert (still.now, statuses(sandbox)) == (began, 0)


def test_closing_ends_the_watching(sandbox: Sandbox, still: FakeClock) -> None:
    """Whoever watches is told; nothing is lost, and the next one watches on."""
    waits = threading.Event()

    class Stopped(FakeClock):
        async def sleep(self, seconds: float) -> None:
            waits.set()
            await asyncio.Event().wait()

    journal = MemoryJournal(clock=still.time)
    with uploader(still, journal, sandbox) as up:
        left_processing(up, sandbox, 3, accounts=3)
    closing = uploader(Stopped(), journal, sandbox)
    raised: list[BaseException] = []

    def watch() -> None:
        try:
            closing.watch()
        except Exception as error:
            raised.append(error)

    watching = threading.Thread(target=watch)
    watching.start()
    assert waits.wait(10.0)
    closing.close()
    watching.join(10.0)
    assert [str(error) for error in raised] == ["the uploader was closed"]
    still.now += SECONDS
    with uploader(still, journal, sandbox) as up:
        assert [each.outcome for each in up.resume_all()] == [Outcome.DONE] * 3


async def test_asyncio_watches_the_same(
    sandbox: Sandbox, still: FakeClock, journal: SqliteJournal
) -> None:
    """`watch` and `resume_all` are awaitable."""
    with uploader(still, journal, sandbox) as up:
        await asyncio.to_thread(left_processing, up, sandbox, 5, 5)
    given: dict[str, Any] = {"clock": still, "metrics": False, "journal": journal}
    async with AsyncUploader(
        credentials=lambda transport, account: tokens(sandbox)[account or ""], **given
    ) as other:
        assert await other.watch(poll=PollPolicy(attempts=1)) != []
        assert [each.outcome for each in await other.resume_all()] == [Outcome.DONE] * 5


def test_the_command_watches(
    sandbox: Sandbox,
    still: FakeClock,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """`resume --processing` takes what is worked on, and nothing that would send a byte."""
    path = tmp_path / "uploads.db"
    monkeypatch.setenv("UPLOADER_JOURNAL", str(path))
    monkeypatch.setenv("TIKTOK_ACCESS_TOKEN", tokens(sandbox)["account 0"])
    film = tmp_path / "clip.mp4"
    film.write_bytes(movie())
    with uploader(still, path, sandbox) as up:
        left_processing(up, sandbox, 2, accounts=1)
        later = post(sandbox, tokens(sandbox)["account 0"], 9, "account 0")
        up.enqueue(film, later)
    still.now += SECONDS
    ended = run(capsys, "resume", "--processing")
    assert ended.code == 0
    assert sum(each.operation == "put" for each in sandbox.requests) == 2
    assert run(capsys, "resume", "--processing").code == 0


def test_a_journal_that_fails_for_a_moment_ends_no_watch(
    sandbox: Sandbox, still: FakeClock, journal: SqliteJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One look that learns nothing is one look: all others go on, and it is taken again."""
    taken, got, failures = journal.take, journal.get, [0]

    def take(*given: Any) -> Any:
        failures[0] += 1
        if failures[0] == 2:
            broke.setattr(journal, "get", broken)
            raise JournalError("the disk did not answer")
        return taken(*given)

    def broken(upload_id: str) -> Any:
        broke.setattr(journal, "get", got)
        raise JournalError("the disk did not answer")

    with uploader(still, journal, sandbox) as up, monkeypatch.context() as broke:
        left_processing(up, sandbox, 4, 1)
        broke.setattr(journal, "take", take)
        results = up.watch()
        assert Counter(result.outcome for result in results) == {Outcome.DONE: 4}
    assert failures[0] > 4
