"""Which accounts have logged in here, and what gives their tokens to a command.

Rule: looking never makes a store. The app's key and secret come from variables, never from
arguments; what they are called, the transport's factory says.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from uploader import registry
from uploader.accounts import FileTokenStore
from uploader.errors import ConfigurationError
from uploader.secret import Secret
from uploader.tokens import AccountTokens, TokenStore
from uploader.transport import CredentialSource, TransportFactory

VARIABLE: Final = "UPLOADER_ACCOUNTS"


def place() -> Path:
    """Return where the store is: what the environment says, else the user's own."""
    from uploader.accounts.file import default_path

    named = os.environ.get(VARIABLE)
    return Path(named) if named else default_path()


def opened() -> FileTokenStore:
    """Open the store, and make it when there is none."""
    return FileTokenStore(place())


def kept_as(to: str) -> str:
    """Return the transport that a destination's accounts are kept under: several may share them."""
    return str(getattr(registry.load(to), "account_transport", to))


def known(transport: str, account: str | None) -> AccountTokens | None:
    """Return what is stored of an account, `None` when it never logged in here."""
    if account is None or not place().exists():
        return None
    return opened().get(kept_as(transport), account)


def source_for(transport: str, account: str | None) -> CredentialSource | None:
    """Return what signs for an account that has logged in here, `None` for any other."""
    tokens = known(transport, account)
    if tokens is None:
        return None
    made: CredentialSource = door(registry.load(transport), opened(), tokens.fields)
    return made


def door(
    factory: TransportFactory, store: TokenStore, fields: Mapping[str, Any] | None = None
) -> Any:
    """Return a transport's accounts; raise `ConfigurationError` where it has none.

    `fields` are those of stored tokens: the service that they are for.
    """
    make = getattr(factory, "accounts", None)
    if make is None:
        raise ConfigurationError(f"{factory.name} has no accounts that log in").hint(
            "give its access token by the variable or the file that `uploader transports` names"
        )
    variables: tuple[str, ...] = getattr(factory, "account_variables")  # noqa: B009 - optional
    lacking = [name for name in variables if not os.environ.get(name, "").strip()]
    if lacking:
        raise ConfigurationError(f"{' and '.join(lacking)} are not set").hint(
            "export them: they stand on the app's page in the developer portal"
        )
    app = {name: Secret(os.environ[name].strip()) for name in variables}
    return make(store, app, base_url=(fields or {}).get("base_url"))
