"""Keeps upload URLs unreadable in a journal.

Rule: keys come from the application, or from a file of mode 0600 that is made on first use; the
first key seals, all of them open. Neither keys nor opened texts are ever printed.
"""

from __future__ import annotations

import json
import os
import secrets
import stat
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from uploader.errors import ConfigurationError, JournalError
from uploader.secret import Secret


class Sealer:
    """Seal and open secrets. `keys` are Fernet keys, urlsafe base64 of 32 bytes."""

    def __init__(self, keys: Sequence[Secret | str]) -> None:
        if not keys:
            raise ConfigurationError("the journal needs at least one key")
        fernets = _fernets([Secret(key) for key in keys])
        if fernets is None:
            raise ConfigurationError("a key of the journal is malformed").hint(
                "make one: python -m uploader.journals.sealing"
            )
        self._first = fernets[0]
        self._all = MultiFernet(fernets)

    def seal(self, texts: Mapping[str, Secret]) -> bytes:
        return self._first.encrypt(
            json.dumps({name: secret.reveal() for name, secret in texts.items()}).encode()
        )

    def open(self, sealed: bytes) -> dict[str, Secret]:
        """Return the secrets; raise `JournalError` when no key opens them."""
        with suppress(InvalidToken, ValueError):
            return {
                name: Secret(text) for name, text in json.loads(self._all.decrypt(sealed)).items()
            }
        # Raised out here, so that no error with the opened text hangs on it.
        raise JournalError("an upload URL in the journal was sealed with another key").hint(
            "give the journal the key that it was written with, besides the new one"
        )

    def is_current(self, sealed: bytes) -> bool:
        """Tell whether the first key opens it."""
        with suppress(InvalidToken):
            self._first.decrypt(sealed)
            return True
        return False


class Sealed(Mapping[str, Secret]):
    """Secrets that are opened when one is asked for: a list of uploads needs none of them."""

    __slots__ = ("_opened", "_sealed", "_sealer")

    def __init__(self, sealed: bytes, sealer: Sealer) -> None:
        self._sealed = sealed
        self._sealer = sealer
        self._opened: dict[str, Secret] | None = None

    def _open(self) -> dict[str, Secret]:
        if self._opened is None:
            self._opened = self._sealer.open(self._sealed)
        return self._opened

    def __getitem__(self, name: str) -> Secret:
        return self._open()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._open())

    def __len__(self) -> int:
        return len(self._open())

    def __repr__(self) -> str:
        return "Sealed(********)"


def read_keys(path: Path, *, make: bool) -> list[Secret]:
    """Return the keys in a file, one a line; without a file make one, if that is allowed.

    Of several processes that make it at once all get the same.
    """
    if make and not path.exists():
        try:
            _make(path)
        except OSError as error:
            raise JournalError(f"the key file {path} cannot be made: {error.strerror}") from None
    keys: list[Secret] | None = None
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        if mode & 0o077 and os.name == "posix":
            raise JournalError(f"the key file {path} can be read by others (mode {mode:o})").hint(
                f"chmod 600 {path}"
            )
        with suppress(ValueError):
            keys = [Secret(line) for line in path.read_text("ascii").split()]
    except OSError as error:
        raise JournalError(f"the key file {path} cannot be read: {error.strerror}").hint(
            "restore it from the backup that the journal came from"
        ) from None
    if not keys:
        raise JournalError(f"the key file {path} holds no key")
    return keys


def _make(path: Path) -> None:
    # It appears whole or not at all: another process must not read a key that is half written.
    draft = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(fd, "wb") as file:
            file.write(Fernet.generate_key() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):
            _publish(draft, path)
    finally:
        draft.unlink(missing_ok=True)
    _sync_folder(path.parent)


def _publish(draft: Path, path: Path) -> None:
    if os.name == "nt":
        draft.rename(path)  # refuses to replace a file there
        return
    os.link(draft, path)


def _sync_folder(folder: Path) -> None:
    if os.name == "nt":
        return
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _fernets(keys: Sequence[Secret]) -> list[Fernet] | None:
    with suppress(ValueError):
        return [Fernet(key.reveal().encode()) for key in keys]
    return None


if __name__ == "__main__":
    print(Fernet.generate_key().decode())  # noqa: T201 - a command
