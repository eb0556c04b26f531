"""Where the command takes an access token from: a variable or a file, never an argument.

Rule: the text goes straight into a `Secret`; no local variable ever holds it.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Final

from uploader.cli.screen import remark
from uploader.errors import ConfigurationError
from uploader.secret import Secret
from uploader.transport import TransportFactory

_MOST: Final = 64 * 1024


def token_for(factory: TransportFactory, file: Path | None) -> Secret | None:
    """Return a transport's token, `None` where it needs none and none is given."""
    if file is None and not factory.token_variable:
        return None
    return access_token(factory.token_variable, file)


def access_token(variable: str, file: Path | None, *, warn: bool = True) -> Secret:
    """Return the token in the first line of `file`, or else in the environment variable.

    `warn` tells when others may read the file. Raises `ConfigurationError` when there is no token,
    or when it cannot stand in an HTTP header.
    """
    if file is None:
        token = Secret(os.environ.get(variable, "").strip())
        origin = variable
    else:
        token = _read(file, warn=warn)
        origin = str(file)
    if not token:
        lacking = f"{file} is empty" if file else f"{variable} is not set"
        export = f"export {variable}=..., or " if variable else ""
        raise ConfigurationError(f"there is no access token: {lacking}").hint(
            f"{export}give --token-file PATH"
        )
    if not all("!" <= character <= "~" for character in token.reveal()):
        raise ConfigurationError(
            f"the access token in {origin} holds characters that no token has"
        ).hint("it must be one line of ASCII without spaces")
    return token


def _read(file: Path, *, warn: bool) -> Secret:
    try:
        with file.open(encoding="utf-8", errors="replace") as stream:
            mode = os.fstat(stream.fileno()).st_mode
            if warn and stat.S_ISREG(mode) and mode & (stat.S_IRWXG | stat.S_IRWXO):
                remark(f"warning: others may read {file}: chmod 600 {file}")
            return Secret(stream.readline(_MOST).strip())
    except OSError as error:
        raise ConfigurationError(f"the token file {file} cannot be read: {error.strerror}").hint(
            "give --token-file a readable file whose first line is the token"
        ) from None
