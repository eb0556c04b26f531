"""When refusals that meet every account alike mean that a destination has changed a rule.

Rule: pure; refusals, successes and the time are given by the caller.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

BREAKER: Final = "breaker"
"""Who paused, where nobody did."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerPolicy:
    """When uploads to a destination are held back by themselves.

    So many different `accounts` are refused in the same words within `window` seconds, and no
    upload got past that point in between. After `again` seconds one upload is let through to see
    whether the rule still stands, and again after each further `again`. 0 accounts turn it off.
    """

    accounts: int = 3
    window: float = 600.0
    again: float = 1800.0

    def __post_init__(self) -> None:
        if self.accounts < 0 or self.window <= 0 or self.again <= 0:
            raise ValueError(
                f"a breaker of {self.accounts} accounts in {self.window:g} s, tried again after"
                f" {self.again:g} s, cannot be"
            )


@dataclass(frozen=True, slots=True)
class Refusal:
    """One upload's: when, where, whose, and in which words."""

    at: float
    upload_id: str
    transport: str
    account: str | None
    operation: str
    word: str
    """The destination's own code, else the HTTP status."""

    def is_like(self, other: Refusal) -> bool:
        """Whether one destination said the same to the same request."""
        return (self.transport, self.operation, self.word) == (
            other.transport,
            other.operation,
            other.word,
        )


def accounts_refused(
    policy: BreakerPolicy,
    refusals: Iterable[Refusal],
    *,
    like: Refusal,
    succeeded: float | None,
) -> int | None:
    """Return how many accounts met one refusal alike when these are too many, else `None`.

    `succeeded` is when an upload got past that point last. What was refused before tells nothing.
    """
    since = like.at - policy.window
    if succeeded is not None:
        since = max(since, succeeded)
    alike = {each.account for each in refusals if each.is_like(like) and each.at >= since}
    enough = 0 < policy.accounts <= len(alike)
    return len(alike) if enough else None
