"""A limiter in Redis: moving windows by the package `limits`, and what a flush must not undo.

Rule: whatever Redis forgets is taken as used. Machines' clocks count, so they are to be in step
within `slack`.
"""

from __future__ import annotations

import hashlib
import hmac
import math
import os
import secrets
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

from limits import RateLimitItemPerSecond
from limits.storage import RedisStorage
from limits.strategies import MovingWindowRateLimiter
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from uploader.errors import ConfigurationError, LimitsError
from uploader.limits import Rate
from uploader.secret import Secret

PREFIX: Final = "uploader-limits"
SHORTEST_KEY: Final = 16
"""Bytes; a key that can be guessed would let names of accounts be tried."""
SLACK: Final = 2.0
"""Seconds by which windows are longer here: a request counts when it goes out, the server counts it
when it arrives, and two machines' clocks differ."""
LONG: Final = 3600.0
"""Windows above these seconds are counted again after a flush, shorter ones are waited out."""
SOON: Final = 0.05
_GIVE_BACK: Final = """
local oldest = redis.call('lindex', KEYS[1], -1)
while oldest and tonumber(oldest) < tonumber(ARGV[1]) do
    redis.call('rpop', KEYS[1])
    oldest = redis.call('lindex', KEYS[1], -1)
end
redis.call('rpop', KEYS[1])
"""
"""Drop the oldest that still counts: what is older stays in the list until there is no room."""


_limiters: weakref.WeakSet[RedisLimiter] = weakref.WeakSet()


class RedisLimiter:
    """Count requests in the Redis at `url`.

    `key` is a secret of at least 16 bytes, the same for all that share the limits. `timeout` is how
    many seconds an answer may take; after that nothing counts as counted. When Redis was flushed,
    or lost what it held in a restart, whoever remembers the time before lets all wait for one
    window. Safe for threads and forks.
    """

    def __init__(
        self,
        url: str | Secret,
        *,
        key: str | bytes | Secret,
        prefix: str = PREFIX,
        slack: float = SLACK,
        timeout: float = 2.0,
        clock: Callable[[], float] = time.time,
        **options: Any,
    ) -> None:
        """`options` are those of redis-py's client."""
        self._key = _bytes(key)
        self._prefix = prefix
        self._slack = slack
        self._clock = clock
        self._lock = threading.Lock()
        self._generation: str | None = None
        self._taken: dict[tuple[Rate, str], deque[float]] = {}
        given = {
            "socket_timeout": timeout,
            "socket_connect_timeout": timeout,
            "retry": Retry(NoBackoff(), 1),  # a connection that was idle for long may be dead
            **options,
        }
        self._storage = RedisStorage(Secret(url).reveal(), key_prefix=prefix, **given)
        self._windows = MovingWindowRateLimiter(self._storage)
        _limiters.add(self)

    def _inherit(self) -> None:
        """Start in a forked child: the parent's thread that held the lock is not here."""
        self._lock = threading.Lock()

    def take(self, account: str, rates: Sequence[Rate]) -> float:
        whose = self._whose(account)
        with _counting():
            wait = self._held(whose, rates)
            if wait > 0:
                return wait
            for index, rate in enumerate(rates):
                if not self._windows.hit(self._item(rate), whose, rate.name):
                    self._give_back(whose, rates[:index])
                    return max([self._reset(whose, each) for each in rates])
            # Looked at again: a flush in between has let through what nobody knows of.
            wait = self._held(whose, rates)
            if wait > 0:
                self._give_back(whose, rates)
                return wait
            self._remember(whose, rates)
            return 0.0

    def give_back(self, account: str, rates: Sequence[Rate]) -> None:
        with _counting():
            self._give_back(self._whose(account), rates)

    def block(self, account: str, rates: Sequence[Rate], seconds: float) -> None:
        if seconds <= 0:
            return
        name = self._block_name(self._whose(account), rates)
        with _counting():
            # The longer one of two stays.
            if self._redis.pttl(name) < seconds * 1000:
                self._redis.set(name, 1, px=math.ceil(seconds * 1000))

    def close(self) -> None:
        """Close the connections."""
        self._redis.close()

    @property
    def _redis(self) -> Any:
        return self._storage.get_connection()

    def _held(self, whose: str, rates: Sequence[Rate]) -> float:
        """Return the seconds for which the server's word, or a flush, holds the account back."""
        asked = self._redis.pipeline(transaction=False)
        asked.get(self._generation_name)
        asked.pttl(self._block_name(whose, rates))
        found, blocked = asked.execute()
        flushed, wait = self._flushed(found), max(0.0, float(blocked) / 1000)
        if flushed is not None:
            spans = (rate.window for rate in rates if rate.window <= LONG)
            wait = max(wait, flushed + max(spans, default=0.0) + self._slack - self._clock())
        return wait

    def _flushed(self, found: bytes | None) -> float | None:
        """Return when Redis last lost what it held, as far as anybody remembers.

        `found` is the name of its generation, with the time of the flush that began it. One that
        began where nobody remembered another has no time.
        """
        redis, name = self._redis, self._generation_name
        with self._lock:
            known = self._generation
            if found is None:
                began = f"@{self._clock()}" if known is not None else ""
                redis.set(name, secrets.token_hex(8) + began, nx=True)
                found = redis.get(name) or b""
            generation, _, since = found.decode().partition("@")
            if known is not None and generation != known:
                if not since:  # whoever began it did not know of us
                    since = str(self._clock())
                    redis.set(name, f"{generation}@{since}")
                self._count_again()
            self._generation = generation
        return float(since) if since else None

    def _count_again(self) -> None:
        """Count what this process sent within long windows, as if it were sent now."""
        now = self._clock()
        for (rate, whose), times in self._taken.items():
            for _ in range(_live(times, rate, now)):
                self._windows.hit(self._item(rate), whose, rate.name)

    def _remember(self, whose: str, rates: Sequence[Rate]) -> None:
        now = self._clock()
        with self._lock:
            for rate in rates:
                if rate.window > LONG:
                    times = self._taken.setdefault((rate, whose), deque(maxlen=rate.amount))
                    _live(times, rate, now)
                    times.append(now)

    def _give_back(self, whose: str, rates: Sequence[Rate]) -> None:
        """Take back one count. The oldest goes: those that stay are never counted as older."""
        for rate in rates:
            item = self._item(rate)
            name = self._storage.prefixed_key(item.key_for(whose, rate.name))
            self._redis.eval(_GIVE_BACK, 1, name, self._clock() - item.get_expiry())
            with self._lock:
                times = self._taken.get((rate, whose))
                if times:
                    times.popleft()

    def _reset(self, whose: str, rate: Rate) -> float:
        """Return the seconds until there is room under a rate."""
        stats = self._windows.get_window_stats(self._item(rate), whose, rate.name)
        left = float(stats.reset_time) - self._clock() if stats.remaining < 1 else 0.0
        return max(SOON, left)

    def _item(self, rate: Rate) -> RateLimitItemPerSecond:
        seconds = math.ceil(rate.window + self._slack)
        return RateLimitItemPerSecond(rate.amount, seconds, namespace="count")

    def _whose(self, account: str) -> str:
        return hmac.new(self._key, account.encode(), hashlib.sha256).hexdigest()[:32]

    def _block_name(self, whose: str, rates: Sequence[Rate]) -> str:
        return f"{self._prefix}:block/{whose}/{rates[0].name}"

    @property
    def _generation_name(self) -> str:
        return f"{self._prefix}:generation"


def _live(times: deque[float], rate: Rate, now: float) -> int:
    """Drop what is older than a window and return how many are left."""
    while times and times[0] + rate.window <= now:
        times.popleft()
    return len(times)


def _bytes(key: str | bytes | Secret) -> bytes:
    found = key if isinstance(key, bytes) else Secret(key).reveal().encode()
    if len(found) < SHORTEST_KEY:
        raise ConfigurationError(
            f"the limiter's key has {len(found)} bytes, it needs {SHORTEST_KEY}"
        ).hint("a key: python -c 'import secrets; print(secrets.token_hex(32))'")
    return found


@contextmanager
def _counting() -> Iterator[None]:
    """Tell of a Redis that cannot count; its own words may hold an address with a password."""
    try:
        yield
        return
    except (RedisError, OSError) as error:
        kind = type(error).__name__
    raise LimitsError(f"the shared limits cannot be counted: Redis failed with {kind}").hint(
        "nothing is sent uncounted; uploads go on when it answers again"
    )


def _after_fork() -> None:
    for limiter in list(_limiters):
        limiter._inherit()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
