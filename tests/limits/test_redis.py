"""Limits that processes share in a real Redis, by a sandbox whose minutes are short."""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from tests.engine.files import make_clip
from tests.limits.conftest import posts_on
from tests.limits.server import RedisServer
from transports.tiktok.sandbox import Fault, Sandbox, SandboxClock
from uploader import ConfigurationError, LimitsError, Outcome, Uploader
from uploader.contrib.redis import RedisLimiter
from uploader.limits import Rate

KEY = "the key of all these tests"
RATE = Rate(name="init", operation="init", amount=3, window=0.5, opens=True)
DAY = Rate(name="day", operation="init", amount=5, window=86_400.0, opens=True)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """Serve a TikTok whose minute is a second, to uploaders that were told so."""
    rates = "tiktok.video_init=6/1, tiktok.status=30/1, tiktok.posts_a_day=off"
    monkeypatch.setenv("UPLOADER_RATES", rates)
    with Sandbox(clock=SandboxClock(lambda: 60 * time.monotonic())) as sandbox:
        yield sandbox


def limiter_at(server: RedisServer) -> RedisLimiter:
    """Return another process's limiter, as far as Redis can tell."""
    return RedisLimiter(server.url, key=KEY, slack=0.4, timeout=1.0)


def waits(limiter: RedisLimiter, times: int, *rates: Rate, account: str = "acme") -> list[float]:
    """Return what it answers, so often."""
    return [limiter.take(account, rates or (RATE,)) for _ in range(times)]


def through(limiter: RedisLimiter, *rates: Rate) -> None:
    """Take one as soon as there is room; fail when that takes ten seconds."""
    deadline = time.monotonic() + 10
    while (wait := limiter.take("acme", rates or (RATE,))) > 0:
        assert time.monotonic() < deadline
        threading.Event().wait(wait)


def test_limiters_share_one_window_for_each_account(redis_server: RedisServer) -> None:
    """The fourth of any of them waits until the first one's window is over, and is told so."""
    first, second = limiter_at(redis_server), limiter_at(redis_server)
    assert waits(first, 2) + waits(second, 1) == [0.0, 0.0, 0.0]
    [told] = waits(second, 1)
    assert 0 < told <= 1.0
    assert waits(first, 1, account="other") == [0.0]
    through(first)
    first.give_back("acme", (RATE,))
    assert waits(second, 1) == [0.0]


def test_the_stricter_of_two_limits_counts(redis_server: RedisServer) -> None:
    """What one of them refuses does not count for the other."""
    limiter = limiter_at(redis_server)
    for _ in range(5):
        through(limiter, RATE, DAY)
    through(limiter)
    [told] = waits(limiter, 1, RATE, DAY)
    assert 86_000 < told < 86_500


def test_what_is_given_back_is_a_count_that_still_counts(redis_server: RedisServer) -> None:
    """Redis keeps what is older than a window until there is no room for it."""
    limiter = limiter_at(redis_server)
    waits(limiter, 1, DAY)
    name = limiter._storage.prefixed_key(
        limiter._item(DAY).key_for(limiter._whose("acme"), DAY.name)
    )
    redis_server.client().rpush(name, *[time.time() - 2 * DAY.window] * 3)
    for _ in range(5):
        assert waits(limiter, 1, DAY) == [0.0]
        limiter.give_back("acme", (DAY,))
    assert waits(limiter, 4, DAY) == [0.0] * 4
    assert waits(limiter, 1, DAY)[0] > 80_000


def test_the_server_s_word_holds_for_all(redis_server: RedisServer) -> None:
    """A block of one process is everybody's, and a shorter one does not end it."""
    first, second = limiter_at(redis_server), limiter_at(redis_server)
    first.block("acme", (RATE,), 50.0)
    second.block("acme", (RATE,), 1.0)
    second.block("acme", (RATE,), 0.0)
    [told] = waits(second, 1)
    assert 45 < told <= 50
    assert waits(second, 1, account="other") == [0.0]


def test_after_a_flush_one_window_is_waited_out(redis_server: RedisServer) -> None:
    """Whoever remembers tells all others; a day's count is brought back."""
    first, second = limiter_at(redis_server), limiter_at(redis_server)
    for _ in range(3):
        through(first, RATE, DAY)
    waits(second, 1, account="other")
    redis_server.client().flushall()
    stranger = limiter_at(redis_server)
    [told] = waits(first, 1)
    assert 0.8 < told <= 0.95
    assert 0 < waits(stranger, 1)[0] <= 0.95
    assert 0 < waits(second, 1, account="other")[0] <= 0.95
    for _ in range(2):
        through(first, RATE, DAY)
    assert waits(first, 1, RATE, DAY)[0] > 80_000


def test_a_stranger_who_came_first_after_a_flush_is_told_of_it(redis_server: RedisServer) -> None:
    """Who knows of no time before begins a new one; who does makes it wait."""
    known = limiter_at(redis_server)
    waits(known, 3)
    redis_server.client().flushall()
    stranger = limiter_at(redis_server)
    assert waits(stranger, 1, account="other") == [0.0]
    assert waits(known, 1)[0] > 0
    assert waits(stranger, 1, account="other")[0] > 0


def test_a_flush_between_two_questions_lets_nobody_through(
    redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was counted in an empty Redis, though it had been full, is not used."""
    limiter = limiter_at(redis_server)
    waits(limiter, 3)
    hit = limiter._windows.hit

    def flushed_before(*given: object) -> bool:
        redis_server.client().flushall()
        return hit(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(limiter._windows, "hit", flushed_before)
    assert waits(limiter, 1)[0] > 0


FORK = """
import os, signal, sys
from uploader.contrib.redis import RedisLimiter
from uploader.limits import Rate

limiter = RedisLimiter(sys.argv[1], key=sys.argv[2])
rates = [Rate(name="init", operation="init", amount=3)]
assert limiter.take("acme", rates) == 0.0
with limiter._lock:
    child = os.fork()
    if not child:
        signal.alarm(10)
        os._exit(limiter.take("acme", rates) != 0.0)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
"""


def test_a_fork_while_another_thread_asks_stops_no_child(redis_server: RedisServer) -> None:
    """The thread that holds the lock is the parent's, and will never give it back here."""
    command = [sys.executable, "-c", FORK, redis_server.url, KEY]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=50, check=False)
    assert ended.returncode == 0, ended.stderr


def test_redis_learns_neither_accounts_nor_tokens(
    redis_server: RedisServer, quick: Sandbox, clip: Path
) -> None:
    """Its keys hold digests that nobody computes without the limiter's key."""
    post = posts_on(quick)
    with Uploader(metrics=False, limiter=limiter_at(redis_server)) as uploader:
        assert uploader.upload(clip, post("acme")).outcome is Outcome.DONE
        unnamed = post("other")
        assert uploader.upload(clip, unnamed).outcome is Outcome.DONE
    client = redis_server.client()
    names = [name.decode() for name in client.scan_iter()]
    assert len(names) >= 5
    assert all("acme" not in name and "act." not in name for name in names)
    other = RedisLimiter(redis_server.url, key="another key, as long as it")
    assert other._whose("acme") != limiter_at(redis_server)._whose("acme")


def test_uploaders_share_the_limits_through_a_flush(
    redis_server: RedisServer, quick: Sandbox, clip: Path
) -> None:
    """Two of them, one account: never more than six a minute, whatever Redis forgets."""
    post = posts_on(quick)
    with (
        Uploader(metrics=False, limiter=limiter_at(redis_server)) as first,
        Uploader(metrics=False, limiter=limiter_at(redis_server)) as second,
    ):
        both = [first, second]
        handles = [both[n % 2].submit(clip, post(title=f"{n}")) for n in range(8)]
        quick.wait_for(lambda: len(quick.uploads) >= 5)
        redis_server.client().flushall()
        handles += [both[n % 2].submit(clip, post(title=f"{n}")) for n in range(8, 14)]
        results = [handle.result(30) for handle in handles]
    assert {result.outcome for result in results} == {Outcome.DONE}
    assert quick.limited == {}
    assert len(quick.uploads) == 14


def test_without_redis_nothing_is_opened_and_what_runs_goes_on(
    redis_server: RedisServer, quick: Sandbox, clip: Path
) -> None:
    """A PUT under way ends well; a new upload is suspended, and goes on when Redis is back."""
    post = posts_on(quick)
    quick.script(Fault("put", delay=1000.0))
    with Uploader(metrics=False, limiter=limiter_at(redis_server), limit_wait=0.5) as uploader:
        running = uploader.submit(clip, post(title="running"))
        quick.wait_for(lambda: any(each.operation == "put" for each in quick.requests))
        redis_server.kill()
        late = uploader.upload(clip, post(title="late"))
        assert (late.outcome, late.code) == (Outcome.SUSPENDED, "limits")
        assert isinstance(late.error, LimitsError)
        assert str(redis_server.url) not in f"{late.error!r} {late.error.__notes__}"
        assert len(quick.uploads) == 1
        quick.clock.advance(1000.0)
        assert running.result(20).outcome is Outcome.DONE
        redis_server.start()
        deadline = time.monotonic() + 20
        while (again := uploader.upload(clip, post(title="late"))).outcome is not Outcome.DONE:
            assert time.monotonic() < deadline, again
    assert quick.limited == {}


def test_a_key_that_can_be_guessed_is_refused(redis_server: RedisServer) -> None:
    """It would let anybody try names of accounts."""
    with pytest.raises(ConfigurationError, match="5 bytes"):
        RedisLimiter(redis_server.url, key="short")


WORKER = """
import json, sys
from pathlib import Path
from transports.tiktok import DirectPost
from uploader import Uploader
from uploader.contrib.redis import RedisLimiter

url, base, clip, name, tokens = sys.argv[1:]
limiter = RedisLimiter(url, key="the key of all these tests", slack=0.4)
handles = []
with Uploader(metrics=False, limiter=limiter, limit_wait=300) as up:
    for account, token in json.loads(tokens).items():
        for number in range(4):
            post = DirectPost(account=account, access_token=token, base_url=base,
                              title=f"{name} {number}", privacy_level="SELF_ONLY")
            handles.append(up.submit(Path(clip), post))
    print(json.dumps([str(handle.result(100).outcome) for handle in handles]))
"""


def _has_opened(sandbox: Sandbox, count: int) -> bool:
    return len(sandbox.uploads) >= count


@pytest.mark.slow
def test_processes_share_the_limits_through_flushes(
    redis_server: RedisServer, quick: Sandbox, tmp_path: Path
) -> None:
    """Four processes and three accounts, while Redis is emptied again and again."""
    clip = make_clip(tmp_path / "clip.mp4", 1000)
    tokens = {name: quick.issue_token(account=name) for name in ("acme", "other", "third")}
    given = [redis_server.url, quick.base_url, str(clip)]

    def work(name: str) -> list[str]:
        command = [sys.executable, "-c", WORKER, *given, name, json.dumps(tokens)]
        done = subprocess.run(
            command, capture_output=True, text=True, check=True, env=dict(os.environ)
        )
        return list(json.loads(done.stdout))

    with ThreadPoolExecutor(4) as pool:
        running = [pool.submit(work, f"process {number}") for number in range(4)]
        for count in (6, 20, 30):
            quick.wait_for(partial(_has_opened, quick, count), timeout=40)
            redis_server.client().flushall()
        outcomes = [outcome for each in running for outcome in each.result(60)]
    assert outcomes == ["done"] * 48
    assert quick.limited == {}
    assert len(quick.uploads) == 48
