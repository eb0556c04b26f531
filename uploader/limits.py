"""How often a destination lets an account ask, and the counting of it.

A destination declares its rates as data (`Capabilities.rates`). Before a request goes out the
engine counts it: in windows of its own always, and with a `Limiter` that processes share where one
is given.

Rule: pure; the time is given by the caller, in seconds. A request counts from before it goes out
until a window after it was answered, for nobody knows when between the two the server counted it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Protocol

from uploader.errors import ConfigurationError

MARGIN: Final = 0.1
"""Seconds that a window is taken longer than declared: two clocks do not run at one speed."""
OFF: Final = "off"
_SPANS: Final[Mapping[float, str]] = {1.0: "second", 60.0: "minute", 3600.0: "hour", 86400.0: "day"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """At most `amount` requests of an account in any `window` seconds.

    `operation` names the requests that it counts (`Request.operation`), `name` the count: rates of
    one name share it. `noun` is what is counted, in the plural, for people. `opens` says that such
    a request opens something at the server, and so must never go out uncounted.
    """

    name: str
    operation: str
    amount: int
    window: float = 60.0
    noun: str = "requests"
    opens: bool = False

    def __post_init__(self) -> None:
        if self.amount < 1 or self.window <= 0:
            raise ConfigurationError(
                f"the rate {self.name} of {self.amount} in {self.window:g} s lets nothing through"
            ).hint(f"no limit at all is {OFF!r}")

    @property
    def words(self) -> str:
        """Return it for people: "6 posts a minute"."""
        span = _SPANS.get(self.window)
        per = f"a {span}" if span is not None else f"in {self.window:g} s"
        noun = self.noun.removesuffix("s") if self.amount == 1 else self.noun
        return f"{self.amount:,} {noun} {per.replace('a hour', 'an hour')}"


class Limiter(Protocol):
    """Counts the requests of accounts over many processes.

    Calls may block; they come from worker threads, several at once. What cannot be counted is a
    `LimitsError`. `account` is a text that names an account at a destination: it is stored nowhere
    in clear.
    """

    def take(self, account: str, rates: Sequence[Rate]) -> float:
        """Count one request under each rate and return 0.0.

        Or count nothing and return the seconds after which there may be room.
        """
        ...

    def give_back(self, account: str, rates: Sequence[Rate]) -> None:
        """Take back what was counted last and did not go out, as far as that can be done."""
        ...

    def block(self, account: str, rates: Sequence[Rate], seconds: float) -> None:
        """Let nobody through for so long: the server said so."""
        ...


@dataclass(slots=True)
class MovingWindow:
    """The requests of one account that count under one rate. Times never run backwards."""

    stamps: deque[float] = field(default_factory=deque)
    """When those were answered that are over."""
    held: int = 0
    """How many are under way, or about to be."""

    def wait(self, rate: Rate, now: float, ahead: int = 0) -> float:
        """Return the seconds until one more may go out, after `ahead` others that wait already.

        What is under way is taken as answered now: the real wait may be longer.
        """
        span, stamps = rate.window + MARGIN, self.stamps
        while stamps and stamps[0] + span <= now:
            stamps.popleft()
        count, rounds = len(stamps) + self.held, ahead // rate.amount + 1
        leaving = count + ahead - rounds * rate.amount  # in whose place the last of them goes
        if leaving < 0:
            return (rounds - 1) * span
        since = stamps[leaving] if leaving < len(stamps) else now
        return since + rounds * span - now

    def hold(self) -> None:
        """Count a request that is about to go out."""
        self.held += 1

    def give_back(self) -> None:
        """Forget a request that did not go out."""
        self.held -= 1

    def stamp(self, now: float) -> None:
        """Note that a request is over."""
        self.held -= 1
        self.stamps.append(now)

    def is_empty(self, rate: Rate, now: float) -> bool:
        """Tell whether nothing counts any more."""
        return not self.held and self.wait(replace(rate, amount=1), now) == 0.0


@dataclass(frozen=True, slots=True)
class RateChanges:
    """What a deployment says about rates: other amounts by `transport.name`, or none at all.

    An amount is (requests, seconds or `None` for the window as declared), `None` is no limit.
    """

    amounts: Mapping[str, tuple[int, float | None] | None] = field(default_factory=dict)
    off: bool = False

    @classmethod
    def read(cls, text: str) -> RateChanges:
        """Read "tiktok.status=60, tiktok.video_init=3/30, tiktok.posts_a_day=off", or "off"."""
        if text.strip() == OFF:
            return cls(off=True)
        amounts: dict[str, tuple[int, float | None] | None] = {}
        for item in filter(None, map(str.strip, text.split(","))):
            name, equals, value = (part.strip() for part in item.partition("="))
            amount, slash, window = value.partition("/")
            try:
                if not (name and equals):
                    raise ValueError(item)
                amounts[name] = (
                    None if value == OFF else (int(amount), float(window) if slash else None)
                )
            except ValueError:
                raise ConfigurationError(f"{item!r} is no rate").hint(
                    "write transport.rate=AMOUNT, transport.rate=AMOUNT/SECONDS or"
                    f" transport.rate={OFF}, with commas between, or {OFF} for no limits at all"
                ) from None
        return cls(amounts)

    def of(self, transport: str, rates: Sequence[Rate]) -> tuple[Rate, ...]:
        """Return a transport's rates as they hold here."""
        if self.off:
            return ()
        changed = (self._changed(transport, rate) for rate in rates)
        return tuple(rate for rate in changed if rate is not None)

    def _changed(self, transport: str, rate: Rate) -> Rate | None:
        name = f"{transport}.{rate.name}"
        if name not in self.amounts:
            return rate
        found = self.amounts[name]
        if found is None:
            return None
        amount, window = found
        return replace(rate, amount=amount, window=rate.window if window is None else window)
