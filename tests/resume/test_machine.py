"""Any order of faults, kills, suspensions and resumptions keeps the promises."""

from __future__ import annotations

import hashlib
import random
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from tests.faults.clock import SteppedClock
from tests.resume.stage import SIZE, Stage
from tests.resume.watched import Watched
from transports.tiktok.sandbox import Fault, Post, Sandbox
from uploader import JournalError, Outcome, PollPolicy, Uploader, UploaderError, UploadResult
from uploader.journals import SqliteJournal

SMALL = 100_000
CONTENT = random.Random(2028).randbytes(SIZE)
ONCE = PollPolicy(attempts=1)
FAULTS = {
    "init refused": Fault("init", vendor_code="spam_risk_too_many_posts"),
    "init lost": Fault("init", lose_answer=True),
    "init not arrived": Fault("init", lose_request=True),
    "part cut": Fault("put", reset_after=60_000),
    "part answer lost": Fault("put", lose_answer=True),
    "part refused": Fault("put", status=400),
    "part 503": Fault("put", status=503, times=4),
    "part stored, 500": Fault("put", status=500, stored=True),
    "session expires": Fault("put", expire=True),
    "third part answer lost": Fault("put", nth=3, lose_answer=True),
    "status gone": Fault("status", status=500, times=3),
    "status malformed": Fault("status", malformed=True),
    "token refused": Fault("status", vendor_code="access_token_invalid", times=2),
}


class Uploads(RuleBasedStateMachine):
    """Two films for two accounts, by one journal; every upload may be made at most once."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.results: list[tuple[str, str, UploadResult]] = []
        self.fails_at = 0

    @initialize()
    def begin(self) -> None:
        place = Path(self.folder.name)
        self.films = {"long": place / "long.mp4", "small": place / "small.mp4"}
        self.films["long"].write_bytes(CONTENT)
        self.films["small"].write_bytes(CONTENT[:SMALL])
        self.digests = {
            name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in self.films.items()
        }
        self.sandbox = Sandbox(rate_limits=False, processing_seconds=5.0).start()
        self.tokens = {name: self.sandbox.issue_token(account=name) for name in ("a", "b")}
        self.clock = SteppedClock(self.sandbox.clock)
        self.stage = Stage(self.sandbox, place / "uploads.db", self.films["long"])
        self.open()

    def open(self) -> None:
        self.journal = SqliteJournal(self.stage.journal, clock=self.clock.time)
        watched = Watched(self.journal, before=self.before)
        self.up: Uploader = self.stage.uploader(
            journal=watched,
            clock=self.clock,
            credentials=lambda _, account: self.tokens[str(account)],
        )

    def before(self, number: int) -> None:
        """Let the journal fail once, when that was asked for."""
        if self.fails_at:
            self.fails_at -= 1
            if not self.fails_at:
                raise JournalError("the connection to the journal was lost")

    @rule(
        film=st.sampled_from(["long", "small"]),
        account=st.sampled_from(["a", "b"]),
        stop=st.sampled_from([None, 0.0, "suspend", "cancel"]),
    )
    def upload(self, film: str, account: str, stop: float | str | None) -> None:
        post = self.stage.post(account=account, access_token=self.tokens[account])
        limit = stop if isinstance(stop, float) else None
        try:
            handle = self.up.submit(self.films[film], post, poll=ONCE, time_limit=limit)
        except UploaderError as error:
            assert isinstance(error, JournalError)  # noqa: PT017 - which others there may be
            return
        if stop == "suspend":
            handle.suspend()
        elif stop == "cancel":
            handle.cancel()
        self.results.append((film, account, handle.result(20)))

    @rule()
    def resume_all(self) -> None:
        films = {path.name: name for name, path in self.films.items()}
        try:
            ended = self.up.resume_all()
        except JournalError:
            return
        for result in ended:
            entry = self.journal.get(result.upload_id)
            assert entry is not None
            self.results.append((films[entry.name], str(entry.account), result))

    @rule()
    def resolve_all(self) -> None:
        sent = sum(request.operation == "put" for request in self.sandbox.requests)
        for upload_id in self.journal.due():
            try:
                self.up.resolve(upload_id)
            except JournalError:
                continue
        assert sent == sum(request.operation == "put" for request in self.sandbox.requests)

    @rule(name=st.sampled_from(sorted(FAULTS)))
    def script(self, name: str) -> None:
        self.sandbox.script(FAULTS[name])

    @rule(record=st.integers(1, 9))
    def the_journal_fails(self, record: int) -> None:
        self.fails_at = record

    @rule(seconds=st.sampled_from([1.0, 10.0, 4000.0]))
    def time_passes(self, seconds: float) -> None:
        self.sandbox.clock.advance(seconds)

    @rule()
    def another_process(self) -> None:
        """The journal is all that is left of what went before."""
        self.fails_at = 0
        self.up.close()
        self.journal.close()
        self.open()

    @invariant()
    def at_most_one_post_of_each(self) -> None:
        made = [(post.account, post.sha256) for post in self.whole()]
        assert len(made) == len(set(made))
        assert {digest for _, digest in made} <= set(self.digests.values())

    @invariant()
    def what_is_done_is_whole(self) -> None:
        posts = {post.publish_id: post for post in self.whole()}
        for film, _, result in self.results:
            if result.outcome in (Outcome.DONE, Outcome.PROCESSING):
                assert posts[str(result.fields["publish_id"])].sha256 == self.digests[film]

    @invariant()
    def in_order_and_by_the_rules(self) -> None:
        sandbox = getattr(self, "sandbox", None)
        for post in sandbox.uploads if sandbox else ():
            firsts = [first for first, _ in post.ranges]
            assert firsts == sorted(set(firsts))
        assert not sandbox or sandbox.violations == []

    def whole(self) -> list[Post]:
        return self.sandbox.posts if hasattr(self, "sandbox") else []

    def teardown(self) -> None:
        if hasattr(self, "sandbox"):
            self.up.close()
            self.journal.close()
            self.sandbox.stop()
        self.folder.cleanup()


STEADY = settings(
    deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)
TestUploads = Uploads.TestCase
TestUploads.settings = settings(STEADY, max_examples=15, stateful_step_count=12)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_many_uploads() -> None:
    """The same with more of everything."""
    run_state_machine_as_test(
        Uploads, settings=settings(STEADY, max_examples=300, stateful_step_count=30)
    )
