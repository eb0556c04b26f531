"""Keeps upload URLs unreadable in a journal.

Rule: keys come from the application, or from a file of mode 0600 that is made on first use; the
first key seals, all of them open. Neither keys nor opened texts are ever printed.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from uploader.errors import ConfigurationError, JournalError
from uploader.secret import Secret


class Sealer:
    """Seal and open a session's secrets. `keys` are Fernet keys, urlsafe base64 of 32 bytes."""

    def __init__(self, keys: Sequence[Secret | str]) -> None:
        if not keys:
            raise ConfigurationError("the journal needs at least one key")
        secrets = [Secret(key) for key in keys]
        try:
            self._fernet = MultiFernet([Fernet(secret.reveal().encode()) for secret in secrets])
        except ValueError:
            wrong: ConfigurationError | None = ConfigurationError(
                "a key of the journal is malformed"
            )
        else:
            wrong = None
        if wrong is not None:
            raise wrong.hint("make one: python -m uploader.journals.sealing")
        self._first = secrets[0]

    @classmethod
    def of_file(cls, path: Path) -> Sealer:
        """Use the keys in `path`, one a line; the file is made when it does not exist."""
        try:
            fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            return cls(_read_keys(path))
        except OSError as error:
            raise JournalError(f"the key file {path} cannot be made: {error.strerror}") from None
        with os.fdopen(fd, "wb") as file:
            file.write(Fernet.generate_key() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        return cls(_read_keys(path))

    def seal(self, secrets: Mapping[str, Secret]) -> bytes:
        return self._fernet.encrypt(
            json.dumps({name: secret.reveal() for name, secret in secrets.items()}).encode()
        )

    def open(self, sealed: bytes) -> dict[str, Secret]:
        """Return the secrets; raise `JournalError` when no key opens them."""
        try:
            return {
                name: Secret(text)
                for name, text in json.loads(self._fernet.decrypt(sealed)).items()
            }
        except InvalidToken:
            pass
        raise JournalError("an upload URL in the journal was sealed with another key").hint(
            "give the journal the key that it was written with, besides the new one"
        )

    def stand_in(self, text: bytes) -> str:
        """Return a keyed digest."""
        key = hashlib.sha256(b"stand-in" + self._first.reveal().encode()).digest()
        return hmac.new(key, text, hashlib.sha256).hexdigest()[:32]


def _read_keys(path: Path) -> list[Secret]:
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        if mode & 0o077 and os.name == "posix":
            raise JournalError(f"the key file {path} can be read by others (mode {mode:o})").hint(
                f"chmod 600 {path}"
            )
        return [Secret(line) for line in path.read_text().split()]
    except OSError as error:
        raise JournalError(f"the key file {path} cannot be read: {error.strerror}") from None


if __name__ == "__main__":
    print(Fernet.generate_key().decode())  # noqa: T201 - a command
