"""What every token store decides alike.

Rule: pure; texts name accounts and numbers, never a token.
"""

from __future__ import annotations

from uploader.errors import TokensChangedError, TokenStoreError
from uploader.tokens import AccountTokens


def changed(tokens: AccountTokens, stored: int) -> TokensChangedError:
    """Say that somebody else saved first."""
    return TokensChangedError(
        f"the tokens of {tokens.account} are at version {stored} by now, not at {tokens.version}"
    ).hint("read them again: the stored ones are newer")


def busy(account: str, timeout: float) -> TokenStoreError:
    """Say that another process did not end its refresh."""
    return TokenStoreError(
        f"the tokens of {account} were being refreshed by another process for {timeout:g} s"
    ).hint("try again; when it lasts, look for a process that hangs")
