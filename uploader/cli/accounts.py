"""Which accounts have logged in here, and what gives their tokens to a command.

Rule: looking never makes a store; inside of an application it is the application's. The app's key
and secret come from variables, never from arguments; what they are called, the transport's factory
says.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from uploader import registry
from uploader.accounts import FileTokenStore
from uploader.cli import host
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


def opened() -> TokenStore:
    """Open the store, and make it when there is none."""
    application = host.current()
    if application is None:
        return FileTokenStore(place())
    if application.tokens is None:
        raise ConfigurationError("the application keeps no accounts").hint(
            "its credentials come from its own settings"
        )
    return application.tokens


def found() -> TokenStore | None:
    """Return the store where there is one."""
    application = host.current()
    if application is not None:
        return application.tokens
    return opened() if place().exists() else None


def kept_as(to: str) -> str:
    """Return the transport that a destination's accounts are kept under: several may share them."""
    return str(getattr(registry.load(to), "account_transport", to))


def known(transport: str, account: str | None) -> AccountTokens | None:
    """Return what is stored of an account, `None` when it never logged in here."""
    store = found() if account is not None else None
    if account is None or store is None:
        return None
    return store.get(kept_as(transport), account)


def source_for(transport: str, account: str | None) -> CredentialSource | None:
    """Return what signs for an account that has logged in here, `None` for any other.

    An application signs for all of its accounts in its own way, where it has one.
    """
    application = host.current()
    if application is not None and application.credentials is not None and account is not None:
        return application.credentials
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
