"""Token stores: in memory, and in one sealed SQLite file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from uploader.accounts.memory import MemoryTokenStore

if TYPE_CHECKING:
    from uploader.accounts.file import FileTokenStore

__all__ = ["FileTokenStore", "MemoryTokenStore"]


def __getattr__(name: str) -> Any:
    # sqlite3 and cryptography load when they are first needed.
    if name == "FileTokenStore":
        from uploader.accounts.file import FileTokenStore

        return FileTokenStore
    raise AttributeError(name)
