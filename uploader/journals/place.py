"""Where a journal lies when nobody says where.

Rule: the state directory of the user and the system's own custom for it.
https://specifications.freedesktop.org/basedir-spec/latest/
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Final

from uploader.errors import ConfigurationError, JournalError

FOLDER: Final = "mmap-uploader"
FILE: Final = "uploads.db"


def default_path() -> Path:
    """Return the path of the user's own journal, and make its folder with mode 0700."""
    folder = _state_folder() / FOLDER
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise JournalError(f"the folder {folder} cannot be made: {error.strerror}") from None
    return folder / FILE


def _state_folder() -> Path:
    if sys.platform == "win32":
        named, custom = os.environ.get("LOCALAPPDATA"), "AppData/Local"
    elif sys.platform == "darwin":
        named, custom = None, "Library/Application Support"
    else:
        named, custom = os.environ.get("XDG_STATE_HOME"), ".local/state"
    # "All paths set in these environment variables must be absolute. If an implementation
    # encounters a relative path [...] it should consider the path invalid and ignore it."
    if named and Path(named).is_absolute():
        return Path(named)
    try:
        return Path.home() / custom
    except RuntimeError:
        raise ConfigurationError("this user has no home directory for a journal").hint(
            "name a path: journal=..., or set XDG_STATE_HOME"
        ) from None
