"""The breaker: a rule that TikTok changed at night costs a few posts, not all of them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.faults.clock import SteppedClock
from tests.resume.stage import Stage
from transports.tiktok import DirectPost
from transports.tiktok.catalogue import API, Remedy
from uploader import Outcome, PausedError, Uploader, UploadResult
from uploader.breaker import BREAKER, BreakerPolicy
from uploader.engine.breaking import Breaker
from uploader.events import BreakerOpened, Event, PauseLifted, PauseTried
from uploader.journal import State

RULE = "invalid_params"
AGAIN = 1800.0
Post = Callable[..., UploadResult]


@pytest.fixture
def seen() -> list[Event]:
    """Collect events."""
    return []


@pytest.fixture
def up(stage: Stage, seen: list[Event], tokens: dict[str | None, str]) -> Iterator[Uploader]:
    """Upload by the stage's journal and the sandbox's clock."""
    with stage.uploader(**of(stage, tokens), subscribers=[seen.append]) as uploader:
        yield uploader


@pytest.fixture
def tokens() -> dict[str | None, str]:
    """Hold the token of each account."""
    return {}


def of(stage: Stage, tokens: dict[str | None, str]) -> dict[str, Any]:
    """Return the settings of an uploader for many accounts."""
    clock = SteppedClock(stage.sandbox.clock)
    return {"clock": clock, "credentials": lambda _, account: tokens[account]}


@pytest.fixture
def destination(stage: Stage, tokens: dict[str | None, str]) -> Callable[[str], DirectPost]:
    """Make the post of an account, which has a token."""

    def make(account: str) -> DirectPost:
        if account not in tokens:
            tokens[account] = stage.sandbox.issue_token(account=account)
        return stage.post(account=account, access_token=None)

    return make


@pytest.fixture
def post(stage: Stage, up: Uploader, destination: Callable[[str], DirectPost]) -> Post:
    """Publish the film for an account, by any uploader."""

    def publish(account: str, by: Uploader | None = None) -> UploadResult:
        return (by or up).upload(stage.film, destination(account))

    return publish


def outcomes(*results: UploadResult) -> list[Outcome]:
    """Return how uploads ended."""
    return [each.outcome for each in results]


def test_a_changed_rule_pauses_the_destination(
    stage: Stage, up: Uploader, post: Post, seen: list[Event]
) -> None:
    """The third account is one too many: it waits with all others, and nothing more is asked."""
    stage.sandbox.change_rule(RULE)

    results = [post(f"account {number}") for number in range(6)]

    assert outcomes(*results) == [Outcome.FAILED] * 2 + [Outcome.SUSPENDED] * 4
    assert stage.seen("init") == 3
    (pause,) = up.pauses()
    assert (pause.transport, pause.account, pause.by) == ("tiktok", None, BREAKER)
    assert RULE in pause.reason
    assert "3 accounts within 10 minutes" in pause.reason
    error = results[2].error
    assert isinstance(error, PausedError)
    assert RULE in " ".join(error.hints)
    (opened,) = (each for each in seen if isinstance(each, BreakerOpened))
    assert (opened.operation, opened.vendor_code, opened.accounts) == ("init", RULE, 3)
    entry = up.journal.get(results[2].upload_id)
    assert entry is not None
    assert entry.state is State.QUEUED


def test_a_stop_while_a_refusal_is_judged_changes_nothing(
    stage: Stage, tokens: dict[str | None, str], destination: Callable[[str], DirectPost],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """How the upload ended is recorded all the same, and its lease given back."""
    stage.sandbox.change_rule(RULE)
    judging, stopped = threading.Event(), threading.Event()
    looked = Breaker._look

    def look(self: Breaker, *given: Any) -> Any:
        judging.set()
        assert stopped.wait(10)
        return looked(self, *given)

    monkeypatch.setattr(Breaker, "_look", look)
    with stage.uploader(**of(stage, tokens)) as uploader:
        handle = uploader.submit(stage.film, destination("account"))
        assert judging.wait(10)
        handle.suspend()
        uploader._thread.post(stopped.set)
        result = handle.result(10)
        entry = uploader.journal.get(result.upload_id)

    assert result.outcome is Outcome.FAILED
    assert entry is not None
    assert (entry.state, entry.holder) == (State.FAILED, None)


def test_one_upload_at_a_time_finds_out_when_the_rule_is_gone(
    stage: Stage, up: Uploader, post: Post, seen: list[Event]
) -> None:
    """After half an hour one is let through; refused, it waits on; the first success ends it."""
    stage.sandbox.change_rule(RULE)
    for number in range(5):
        post(f"account {number}")
    stage.sandbox.clock.advance(AGAIN)

    (refused,) = up.resume_all()
    assert refused.outcome is Outcome.SUSPENDED
    assert stage.seen("init") == 4
    assert up.resume_all() == []
    stage.sandbox.change_rule(None)
    assert up.resume_all() == []
    stage.sandbox.clock.advance(AGAIN)

    (through,) = up.resume_all()
    rest = up.resume_all()

    assert outcomes(through, *rest) == [Outcome.DONE] * 3
    assert up.pauses() == []
    assert sum(isinstance(each, PauseTried) for each in seen) == 2
    assert sum(isinstance(each, PauseLifted) for each in seen) == 1
    assert len(stage.sandbox.posts) == 3


def test_a_pause_of_somebodys_stands_when_the_breaker_closes(
    stage: Stage, up: Uploader, post: Post
) -> None:
    """Each lifts his own."""
    stage.sandbox.change_rule(RULE)
    for number in range(3):
        post(f"account {number}")
    stage.sandbox.change_rule(None)
    up.pause("tiktok", reason="we look at it", by="ann")
    stage.sandbox.clock.advance(AGAIN)

    assert up.resume_all() == []
    assert up.unpause("tiktok") == 2
    assert outcomes(*up.resume_all()) == [Outcome.DONE]


def test_a_success_in_between_starts_the_count_anew(stage: Stage, up: Uploader, post: Post) -> None:
    """Then it is not everybody who is refused."""
    for rule, account in ((RULE, "a"), (RULE, "b"), (None, "c"), (RULE, "d"), (RULE, "e")):
        stage.sandbox.clock.advance(1.0)
        stage.sandbox.change_rule(rule)
        assert post(account).outcome is (Outcome.FAILED if rule else Outcome.DONE)
    assert up.pauses() == []
    stage.sandbox.clock.advance(1.0)

    assert post("f").outcome is Outcome.SUSPENDED


def test_refusals_count_for_ten_minutes(stage: Stage, up: Uploader, post: Post) -> None:
    """What was refused yesterday tells nothing of tonight."""
    stage.sandbox.change_rule(RULE)
    for account in ("a", "b", "c", "d"):
        assert post(account).outcome is Outcome.FAILED
        stage.sandbox.clock.advance(301.0)

    assert up.pauses() == []


def test_one_account_alone_opens_nothing(stage: Stage, up: Uploader, post: Post) -> None:
    """However often it is refused."""
    stage.sandbox.change_rule(RULE)

    assert outcomes(*(post("a") for _ in range(5))) == [Outcome.FAILED] * 5
    assert up.pauses() == []


@pytest.mark.parametrize("row", API, ids=lambda row: row.code)
def test_only_what_meets_everybody_opens_it(
    row: Any, stage: Stage, up: Uploader, post: Post
) -> None:
    """The catalogue says whose fault a code is; what waits by itself is none either."""
    stage.sandbox.change_rule(row.code)

    results = [post(f"account {number}") for number in range(4)]

    assert bool(up.pauses()) is row.general
    if not row.general:
        assert not any(isinstance(each.error, PausedError) for each in results)
    assert row.general == (row.remedy == Remedy.DEVELOPER or "unaudited" in row.code)


def test_a_word_that_nobody_knows_is_a_new_rule(stage: Stage, up: Uploader, post: Post) -> None:
    """It is in no catalogue yet."""
    stage.sandbox.change_rule("brand_new_rule")

    assert outcomes(*map(post, "abcd")) == [Outcome.FAILED] * 2 + [Outcome.SUSPENDED] * 2


def test_several_processes_count_together(
    stage: Stage, post: Post, tokens: dict[str | None, str]
) -> None:
    """By the journal: each of these sees one account only, and was not there before."""
    stage.sandbox.change_rule(RULE)
    results = []
    for number in range(4):
        with stage.uploader(**of(stage, tokens)) as another:
            results.append(post(f"account {number}", by=another))

    assert outcomes(*results) == [Outcome.FAILED] * 2 + [Outcome.SUSPENDED] * 2


def test_it_can_be_turned_off_and_set(
    stage: Stage, post: Post, tokens: dict[str | None, str]
) -> None:
    """Numbers are an application's own; 0 accounts are never enough."""
    stage.sandbox.change_rule(RULE)
    for accounts, wanted in ((0, Outcome.FAILED), (9, Outcome.FAILED), (1, Outcome.SUSPENDED)):
        policy = BreakerPolicy(accounts=accounts)
        with stage.uploader(**of(stage, tokens), breaker=policy) as another:
            results = [post(f"account {accounts} {number}", by=another) for number in range(4)]
        assert outcomes(*results) == [wanted] * 4
