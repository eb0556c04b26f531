"""Uploads that keep to their account's limits, as the sandbox counts them."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.engine.clock import FakeClock
from tests.engine.depot import Depot, serving
from tests.engine.files import make_clip
from tests.engine.parcel import Asked, Parcel, limits
from tests.engine.test_streams import until
from tests.limits.conftest import Make, SwiftClock, posts_on
from transports.tiktok import InboxDraft, TikTokLimits, TikTokPublishService, calls
from transports.tiktok.sandbox import Fault, Sandbox, SandboxClock, Switches
from uploader import AsyncUploader, Outcome, RateLimitedError, Uploader
from uploader.events import Event, LimitReached, LimitWaited
from uploader.journal import State
from uploader.journals.memory import MemoryJournal
from uploader.limits import Rate
from uploader.model import Session, UploadSpec
from uploader.transport import Flow, Moment, Order

DAY = 86_400.0


def inits(sandbox: Sandbox) -> int:
    """Count the inits that arrived."""
    return sum(request.operation.endswith("init") for request in sandbox.requests)


def test_two_hundred_posts_of_twenty_accounts_keep_to_the_limits(
    tmp_path: Path, swift: SwiftClock
) -> None:
    """All are posted, none is refused, and an account that came first starves no other."""
    clip = make_clip(tmp_path / "clip.mp4", 1000)
    with (
        Sandbox(clock=SandboxClock(swift.time)) as sandbox,
        Uploader(clock=swift, metrics=False, limit_wait=3600) as uploader,
    ):
        post = posts_on(sandbox)
        handles = [
            uploader.submit(clip, post(f"account {whose}", title=f"{number}"))
            for whose in range(20)
            for number in range(10)
        ]
        # While time stands still everybody gets his first round, and nobody more than that.
        sandbox.wait_for(lambda: len(sandbox.uploads) == 120, timeout=30)
        first = Counter(each.account for each in sandbox.uploads)
        assert set(first.values()) == {6}
        swift.go()
        results = [handle.result(50) for handle in handles]
        assert Counter(result.outcome for result in results) == {Outcome.DONE: 200}
        assert sum(result.retries for result in results) == 0
        assert sandbox.limited == {}
        assert Counter(each.account for each in sandbox.uploads) == dict.fromkeys(first, 10)


def test_a_wait_is_told_before_and_after(
    uploader: Uploader, sandbox: Sandbox, post: Make, clip: Path, seen: list[Event]
) -> None:
    """Which limit, and for how long; the metric has it by the request that waited."""
    for number in range(7):
        assert uploader.upload(clip, post(title=f"{number}")).outcome is Outcome.DONE
    [reached] = [event for event in seen if isinstance(event, LimitReached)]
    assert (reached.account, reached.operation) == ("acme", "init")
    assert reached.limit == "6 posts a minute"
    assert 59 < reached.seconds < 61
    [waited] = [event for event in seen if isinstance(event, LimitWaited)]
    assert waited.operation == "init"
    assert waited.seconds == pytest.approx(reached.seconds, abs=0.5)
    assert sandbox.limited == {}


def test_who_waits_holds_neither_lane_nor_file(
    sandbox: Sandbox, post: Make, clip: Path, seen: list[Event]
) -> None:
    """With one lane for all, another account's upload passes one that waits for its limit."""
    one = TikTokLimits(inits_a_minute=1)

    def is_held_back() -> bool:
        return any(isinstance(event, LimitReached) for event in seen)

    # On the real clock: the minute is not waited for.
    with Uploader(metrics=False, max_uploads=1, subscribers=[seen.append]) as uploader:
        assert uploader.upload(clip, post(limits=one)).outcome is Outcome.DONE
        waiting = uploader.submit(clip, post(limits=one, title="next"))
        sandbox.wait_for(is_held_back)
        opened = [each.resolve() for each in Path("/proc/self/fd").iterdir()]
        assert clip.resolve() not in opened
        assert str(clip) not in Path("/proc/self/maps").read_text()
        other = uploader.upload(clip, post("other", limits=one))
        assert other.outcome is Outcome.DONE
        assert not waiting.done()
        waiting.suspend()
        assert waiting.result(5).outcome is Outcome.SUSPENDED
    assert inits(sandbox) == 2


def test_a_long_wait_suspends_until_the_limit_ends(
    still: FakeClock, sandbox: Sandbox, post: Make, clip: Path
) -> None:
    """The error has the seconds, the journal the moment; from then on it is due."""
    one = TikTokLimits(posts_a_day=1)
    journal = MemoryJournal(clock=still.time)
    token = sandbox.issue_token(account="acme")
    with Uploader(
        clock=still, metrics=False, journal=journal, credentials=lambda *_: token
    ) as uploader:
        given: dict[str, Any] = {"limits": one, "access_token": None}
        assert uploader.upload(clip, post(**given)).outcome is Outcome.DONE
        late = uploader.upload(clip, post(title="next", **given))
        assert late.outcome is Outcome.SUSPENDED
        assert isinstance(late.error, RateLimitedError)
        assert late.error.retry_after == pytest.approx(DAY, abs=1)
        assert "1 post a day" in late.error.message
        entry = journal.get(late.upload_id)
        assert entry is not None
        assert entry.state is State.QUEUED
        assert entry.not_before == pytest.approx(still.time() + DAY, abs=1)
        assert uploader.resume_all() == []
        again = uploader.upload(clip, post(title="next", **given))
        assert (again.outcome, again.code) == (Outcome.SUSPENDED, "rate_limited")
        still.now += DAY + 1
        [result] = uploader.resume_all()
        assert result.outcome is Outcome.DONE
    assert inits(sandbox) == 2


@pytest.mark.parametrize("status", [429, 200])
def test_what_the_server_says_wins(
    still: FakeClock, uploader: Uploader, sandbox: Sandbox, post: Make, clip: Path, status: int
) -> None:
    """A Retry-After holds back all uploads of the account, and of no other."""
    sandbox.script(
        Fault(
            operation="init",
            vendor_code="rate_limit_exceeded",
            status=status,
            headers={"Retry-After": "40"},
        )
    )
    began = still.now
    first = uploader.submit(clip, post(title="first"))
    until(lambda: still.now > began)  # the refusal has arrived, and is waited out
    second = uploader.submit(clip, post(title="second"))
    assert {each.result(20).outcome for each in (first, second)} == {Outcome.DONE}
    refused, *others = [each for each in sandbox.requests if each.operation == "init"]
    assert [each.time - refused.time >= 40 for each in others] == [True, True]
    assert still.now - began < 60
    assert uploader.upload(clip, post("other")).retries == 0


def test_a_retry_after_that_is_too_long_suspends(
    still: FakeClock, uploader: Uploader, sandbox: Sandbox, post: Make, clip: Path
) -> None:
    """The upload, and those of the account that come after it, with the time that is left."""
    sandbox.script(Fault(operation="init", status=429, headers={"Retry-After": "600"}))
    result = uploader.upload(clip, post())
    assert (result.outcome, inits(sandbox)) == (Outcome.SUSPENDED, 1)
    assert isinstance(result.error, RateLimitedError)
    assert (result.error.retry_after, result.error.status) == (600, 429)
    entry = uploader.journal.get(result.upload_id)
    assert entry is not None
    assert entry.not_before == pytest.approx(still.time() + 600)
    still.now += 100
    again = uploader.upload(clip, post())
    assert (again.outcome, again.code) == (Outcome.SUSPENDED, "upload_cancelled")
    later = uploader.upload(clip, post(title="later"))
    assert (later.outcome, inits(sandbox)) == (Outcome.SUSPENDED, 1)
    assert isinstance(later.error, RateLimitedError)
    assert later.error.retry_after == pytest.approx(500, abs=1)


def test_a_429_without_a_time_is_waited_out_and_given_up(
    uploader: Uploader, sandbox: Sandbox, post: Make, clip: Path
) -> None:
    """The retry policy's own time for rate limits holds over all these waits."""
    sandbox.script(*[Fault(operation="init", status=429)] * 60)
    result = uploader.upload(clip, post())
    assert result.outcome is Outcome.SUSPENDED
    assert result.code == "retries_exhausted"
    assert 3 < inits(sandbox) < 12


def test_a_429_without_a_time_that_nobody_waits_for_suspends(
    still: FakeClock, sandbox: Sandbox, post: Make, clip: Path
) -> None:
    """Nothing was opened: the upload is not lost to a limit that ends in a few seconds."""
    sandbox.script(Fault(operation="init", status=429))
    with Uploader(clock=still, metrics=False, limit_wait=0) as uploader:
        result = uploader.upload(clip, post())
        assert (result.outcome, inits(sandbox)) == (Outcome.SUSPENDED, 1)
        entry = uploader.journal.get(result.upload_id)
        assert entry is not None
        assert entry.state is State.QUEUED
        assert entry.not_before is not None
        assert still.time() < entry.not_before < still.time() + 10
        still.now += 10
        assert uploader.upload(clip, post()).outcome is Outcome.DONE


@pytest.mark.parametrize(("change", "sent"), [("tiktok.video_init=2", 2), ("off", 7)])
def test_the_environment_changes_limits(
    monkeypatch: pytest.MonkeyPatch,
    sandbox: Sandbox,
    post: Make,
    clip: Path,
    change: str,
    sent: int,
) -> None:
    """A stricter app, or one that TikTok lets do more."""
    monkeypatch.setenv("UPLOADER_RATES", change)
    clock = FakeClock()
    with Uploader(clock=clock, metrics=False, limit_wait=0) as uploader:
        results = [uploader.upload(clip, post(title=f"{n}")) for n in range(7)]
    # Without limits of ours the server's are met.
    assert sum(result.outcome is Outcome.DONE for result in results) == min(sent, 6)
    assert bool(sandbox.limited) is (change == "off")


def test_drafts_have_a_limit_of_their_own(
    still: FakeClock, uploader: Uploader, sandbox: Sandbox, clip: Path, tmp_path: Path
) -> None:
    """Five drafts in a day, which TikTok refuses more of; posts of the account go on."""
    drafts = [make_clip(tmp_path / f"{n}.mp4", 1000 + n) for n in range(6)]
    place: dict[str, Any] = {"account": "acme", "access_token": sandbox.access_token}
    draft = InboxDraft(base_url=sandbox.base_url, **place)
    results = [uploader.upload(each, draft) for each in drafts]
    assert [result.outcome for result in results] == [Outcome.DONE] * 5 + [Outcome.SUSPENDED]
    assert isinstance(results[-1].error, RateLimitedError)
    assert "5 drafts a day" in results[-1].error.message
    direct = posts_on(sandbox)("acme")
    assert uploader.upload(clip, direct).outcome is Outcome.DONE


def test_posts_of_a_day_end_before_the_server_refuses(still: FakeClock, clip: Path) -> None:
    """Fifteen posts, and the sixteenth is a matter of time instead of a failure."""
    with (
        Sandbox(clock=SandboxClock(still.time), switches=Switches(posts_a_day=15)) as sandbox,
        Uploader(clock=still, metrics=False) as uploader,
    ):
        post = posts_on(sandbox)
        results = [uploader.upload(clip, post(title=f"{n}")).outcome for n in range(16)]
    assert results == [Outcome.DONE] * 15 + [Outcome.SUSPENDED]
    assert inits(sandbox) == 15


def test_calls_of_an_account_keep_to_its_limits(
    still: FakeClock, uploader: Uploader, sandbox: Sandbox, post: Make
) -> None:
    """They wait as uploads do."""
    for _ in range(20):
        calls.creator_info(uploader, post())
    assert still.waits == []
    calls.creator_info(uploader, post())
    assert sum(still.waits) > 59
    assert sandbox.limited == {}


def test_the_dropin_and_uploads_share_one_count(
    still: FakeClock, uploader: Uploader, sandbox: Sandbox, post: Make, clip: Path
) -> None:
    """Five uploads, and an init and many questions of the drop-in, for one account."""
    service = TikTokPublishService(
        sandbox.issue_token(account="acme"),
        account="acme",
        base_url=sandbox.base_url,
        uploader=uploader,
    )
    for number in range(5):
        uploader.upload(clip, post(title=f"{number}"))
    opened = service.initiate_video_post(clip, "by the drop-in", "private")
    assert still.waits == []
    for _ in range(26):
        service.check_publish_status(opened["publish_id"])
    assert sum(still.waits) > 59
    assert uploader.upload(clip, post(title="last")).outcome is Outcome.DONE
    assert sandbox.limited == {}


def test_a_permit_that_was_not_used_is_given_back(
    still: FakeClock, uploader: Uploader, post: Make, clip: Path
) -> None:
    """A request that never left this machine takes nobody's place."""
    nowhere = post(base_url="http://127.0.0.1:1", limits=TikTokLimits(inits_a_minute=1))
    for _ in range(3):
        result = uploader.upload(clip, nowhere)
        assert (result.outcome, result.code) == (Outcome.SUSPENDED, "retries_exhausted")
    assert max(still.waits) < 30


def test_a_time_limit_does_not_wait_for_a_limit(
    uploader: Uploader, sandbox: Sandbox, post: Make, clip: Path
) -> None:
    """A run that has ten seconds leaves at once when its account has to wait for longer."""
    one = TikTokLimits(inits_a_minute=1)
    uploader.upload(clip, post(limits=one))
    result = uploader.upload(clip, post(limits=one, title="next"), time_limit=10)
    assert (result.outcome, inits(sandbox)) == (Outcome.SUSPENDED, 1)
    assert result.duration < 10


def test_the_journal_remembers_what_was_opened_before(
    still: FakeClock, sandbox: Sandbox, post: Make, clip: Path, tmp_path: Path
) -> None:
    """Another process, or the next call of the command, goes on counting; drafts are none."""
    place: dict[str, Any] = {"account": "acme", "access_token": sandbox.access_token}
    draft = InboxDraft(base_url=sandbox.base_url, **place)
    settings: dict[str, Any] = {"clock": still, "metrics": False, "journal": tmp_path / "j.db"}
    with Uploader(**settings) as first:
        for number in range(5):
            first.upload(clip, post(title=f"{number}"))
        first.upload(clip, post("other"))
        first.upload(clip, draft)
    still.now += 20
    with Uploader(**settings) as second:
        assert second.upload(clip, post(title="sixth")).outcome is Outcome.DONE
        assert still.waits == []
        assert second.upload(clip, post(title="seventh")).outcome is Outcome.DONE
        assert still.waits == [pytest.approx(40, abs=1)]
        results = [second.upload(clip, post(title=f"{number}")) for number in range(7, 16)]
    assert [result.outcome for result in results] == [Outcome.DONE] * 8 + [Outcome.SUSPENDED]
    assert sandbox.limited == {}


async def test_the_asynchronous_face_counts_too(
    still: FakeClock, sandbox: Sandbox, post: Make, clip: Path
) -> None:
    """It runs the same engine."""
    one = TikTokLimits(inits_a_minute=1)
    async with AsyncUploader(clock=still, metrics=False, limit_wait=30) as uploader:
        first = await uploader.upload(clip, post(limits=one))
        second = await uploader.upload(clip, post(limits=one, title="next"))
    assert (first.outcome, second.outcome) == (Outcome.DONE, Outcome.SUSPENDED)
    assert inits(sandbox) == 1


class LooksFirst(Asked):
    """One whose opening asks something that is not counted before what is."""

    __slots__ = ()

    def create(self, spec: UploadSpec) -> Flow[Session]:
        yield self._ask("look", "GET")
        return (yield from super().create(spec))


def test_a_counted_request_behind_another_one_is_waited_for(tmp_path: Path) -> None:
    """The lane is left, and what comes before it is not asked again and again meanwhile."""
    clip, depot = make_clip(tmp_path / "clip.mp4", 1000), Depot()
    rate = Rate(name="create", operation="create", amount=1, opens=True)
    cut = limits(order=Order.SEQUENTIAL, irreversible=Moment.LAST_PART, rates=(rate,))
    with (
        serving(depot) as depot.url,
        Uploader(clock=FakeClock(), metrics=False, max_uploads=1) as uploader,
    ):
        parcels = [Parcel(depot.url, LooksFirst, cut) for _ in range(2)]
        handles = [
            uploader.submit(clip, each, key=f"{number}") for number, each in enumerate(parcels)
        ]
        assert [handle.result(10).outcome for handle in handles] == [Outcome.DONE] * 2
        assert depot.count("look") <= 3
