"""The contract of a token store: what every account's consent is worth, kept between processes.

A refresh token that rotates works once: whoever loses the answer, or lets two processes refresh at
once, loses the account. So one process refreshes at a time, under a lease, and what it was given
is stored before anything is signed with it.

Obligations:

- `save` is a comparison and a write in one step: it is refused with `TokensChangedError` when the
  stored version is not the one that the tokens were read with. When it returns, they survive a
  power failure.
- `lease` is held against threads and processes alike, and ends with its holder: an account is
  never locked for longer than its process lives.
- Secrets are sealed at rest; nothing of them is in a file name, a log, or an exception.
- Calls may block. They come from worker threads, several at once, and from forked children.
- What cannot be done is a `TokenStoreError`; nothing is overwritten to get on.

`uploader.testing.tokens` holds any store to this.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Final, Protocol

from uploader.secret import Secret, masks

NEW: Final = 0
"""The version of tokens that no store has seen."""


class AccountState(StrEnum):
    """Whether an account can be used."""

    ACTIVE = "active"
    REVOKED = "revoked"
    """The consent has ended, as the service said; only a new login helps."""


@masks("access_token", "refresh_token")
@dataclass(frozen=True, slots=True, kw_only=True)
class AccountTokens:
    """The tokens of one account at one transport.

    Times are seconds since the epoch, reckoned from the lifetimes in the answer when it came; a
    token whose end is not known has none. `subject` is the service's own name of the account.
    `version` counts what was saved, `NEW` for what never was.
    """

    transport: str
    account: str
    access_token: Secret
    refresh_token: Secret | None = None
    expires: float | None = None
    refresh_expires: float | None = None
    scopes: tuple[str, ...] = ()
    subject: str = ""
    state: AccountState = AccountState.ACTIVE
    reason: str = ""
    """Why it is REVOKED, in the service's word."""
    updated: float = 0.0
    fields: Mapping[str, Any] = field(default_factory=dict)
    """What else is public and wanted back, such as the service's address. JSON-able."""
    version: int = NEW

    def revoked(self, reason: str, now: float) -> AccountTokens:
        """Return them as what is left of a consent that has ended: no secret."""
        return replace(
            self,
            access_token=Secret(""),
            refresh_token=None,
            expires=None,
            state=AccountState.REVOKED,
            reason=reason,
            updated=now,
        )


class TokenStore(Protocol):
    """Where tokens are kept, by transport and account."""

    def get(self, transport: str, account: str) -> AccountTokens | None: ...

    def save(self, tokens: AccountTokens) -> AccountTokens:
        """Store tokens and return them with their new version; raise `TokensChangedError`.

        `tokens.version` is the one that they were read with, `NEW` where there must be none yet.
        """
        ...

    def lease(self, transport: str, account: str, timeout: float) -> AbstractContextManager[None]:
        """Hold the right to refresh an account; raise `TokenStoreError` after `timeout` seconds.

        Whoever got it reads the tokens again: the one before may have refreshed them.
        """
        ...

    def list(self, transport: str | None = None) -> Sequence[AccountTokens]:
        """Return all accounts, or a transport's, by transport and name."""
        ...

    def remove(self, transport: str, account: str) -> bool:
        """Delete an account's tokens beyond recovery; tell whether there were any."""
        ...

    def close(self) -> None: ...
