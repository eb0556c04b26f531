"""An uploader as the environment describes it, for workers that nobody configures in Python.

Rule: reads `UPLOADER_JOURNAL`, the path of the journal, and `UPLOADER_ACCOUNTS`, the path of the
store that `uploader account login` writes; a token never comes from a variable.
"""

from __future__ import annotations

import os
from functools import cache
from typing import Final

from uploader.api import Uploader
from uploader.contrib.django.credentials import StoredCredentials  # which needs no Django
from uploader.errors import ConfigurationError
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
    """Return what signs for an account that has logged in on this machine."""
    return _stored(os.environ.get(ACCOUNTS))(transport, account)


@cache
def _stored(path: str | None) -> StoredCredentials:
    from uploader.accounts.file import FileTokenStore, default_path

    return StoredCredentials(FileTokenStore(path or default_path()), {})
