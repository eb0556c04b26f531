"""An uploader as the environment describes it, for workers that nobody configures in Python.

Rule: reads `UPLOADER_JOURNAL`, the path of the journal, and `UPLOADER_ACCOUNTS`, the path of the
store that `uploader account login` writes; a token never comes from a variable.
"""

from __future__ import annotations

import os
from typing import Any, Final

from uploader import registry
from uploader.api import Uploader
from uploader.errors import AccountError, ConfigurationError
from uploader.secret import Secret
from uploader.transport import Credential

JOURNAL: Final = "UPLOADER_JOURNAL"
ACCOUNTS: Final = "UPLOADER_ACCOUNTS"


def uploader_of_environment() -> Uploader:
    """Make an uploader; raise `ConfigurationError` where no journal is named."""
    path = os.environ.get(JOURNAL)
    if not path:
        raise ConfigurationError(f"{JOURNAL} is not set, so there is no journal to work on").hint(
            f"export {JOURNAL}=/path/to/uploads.db, the one that the application enqueues into"
        )
    return Uploader(journal=path, credentials=stored_credential)


def stored_credential(transport: str, account: str | None) -> Credential | Secret | str:
    """Return the token of an account that has logged in on this machine."""
    from uploader.accounts.file import FileTokenStore, default_path

    factory: Any = registry.load(transport)
    store = FileTokenStore(os.environ.get(ACCOUNTS) or default_path())
    kept_as = str(getattr(factory, "account_transport", transport))
    tokens = store.get(kept_as, account) if account is not None else None
    if tokens is None:
        raise AccountError(f"the account {account!r} of {transport} has not logged in here").hint(
            "uploader account login, by the same user"
        )
    app = {name: Secret(os.environ.get(name, "").strip()) for name in factory.account_variables}
    made: Any = factory.accounts(store, app, base_url=tokens.fields.get("base_url"))
    given: Credential | Secret | str = made(transport, account)
    return given
