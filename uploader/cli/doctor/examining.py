"""What the doctor lends to a transport's checks: an account's credentials, and an engine to ask by.

Rule: every answer's `Date` is looked at on its way, so that the clocks are compared without a
request of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Any, Final, TypeVar

from uploader.api import Uploader
from uploader.http import Response
from uploader.secret import Secret
from uploader.tokens import AccountTokens
from uploader.transport import CredentialSource, Destination, Finding, Flow, Level

T = TypeVar("T")
SKEWED: Final = 30.0
"""Seconds off by which ends of tokens and of upload URLs are judged wrongly."""
WRONG: Final = 300.0
"""Seconds off from which on notices and signatures are refused."""


@dataclass(kw_only=True)
class Patient:
    """One account at one destination: `uploader.transport.Examination`."""

    uploader: Uploader
    account: str | None
    fields: Mapping[str, Any]
    access_token: Secret | None = None
    credentials: CredentialSource | None = None
    tokens: AccountTokens | None = None
    skew: float | None = field(default=None, init=False)
    """How many seconds our clock is ahead of the server's, `None` while it has not told."""

    def now(self) -> float:
        return self.uploader.now()

    def call(self, destination: Destination, operation: str, make: Callable[[], Flow[T]]) -> T:
        return self.uploader.call(
            destination, operation, lambda: self._watched(make()), repeatable=False
        )

    def _watched(self, flow: Flow[T]) -> Flow[T]:
        """Yield what a flow yields, and look at the answers on their way to it."""
        try:
            request = next(flow)
            while True:
                began = self.now()
                response = yield request
                self._note(response, began)
                request = flow.send(response)
        except StopIteration as end:
            value: T = end.value
            return value
        finally:
            flow.close()

    def _note(self, response: Response, began: float) -> None:
        try:
            told = parsedate_to_datetime(response.headers.get("date", "")).timestamp()
        except (ValueError, TypeError):
            return
        # A date has whole seconds: the server's clock stood half a second later on average.
        self.skew = (began + self.now()) / 2 - (told + 0.5)


def of_clock(skew: float) -> Finding:
    """Compare the clocks."""
    off = abs(skew)
    level = Level.FAIL if off > WRONG else Level.WARN if off > SKEWED else Level.OK
    which = "ahead of" if skew > 0 else "behind"
    says = f"our clock is {off:,.0f} s {which} the server's" if off > 1 else "the clocks agree"
    return Finding(
        check="clock",
        level=level,
        says=says,
        advice="" if level is Level.OK else "set the machine's clock: timedatectl set-ntp true",
        facts={"skew": round(skew, 1)},
    )
