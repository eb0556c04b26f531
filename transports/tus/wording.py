"""The headers of tus 1.0.0, written and read.

Rule: pure. What is missing is `None`; what is there and cannot be is a `ProtocolError`.
https://tus.io/protocols/resumable-upload
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Mapping
from typing import Final

from uploader.errors import ConfigurationError, ProtocolError, RejectedError
from uploader.http import Response
from uploader.model import UploadSpec
from uploader.secret import Secret

VERSION: Final = "1.0.0"
RESUMABLE: Final = {"Tus-Resumable": VERSION}
BYTES: Final = "application/offset+octet-stream"
"""The only `Content-Type` that a PATCH may have."""

_COUNT: Final = re.compile(r"\d{1,19}", re.ASCII)
# "The key MUST NOT contain spaces and commas and MUST NOT be empty. The key SHOULD be ASCII".
_KEY: Final = re.compile(r"[!-+\--~]+")
OWN_HEADERS: Final = frozenset(
    {"content-length", "content-type", "host", "tus-resumable", "transfer-encoding", "expect"}
)


def check_metadata(metadata: Mapping[str, str | None]) -> None:
    """Raise `ConfigurationError` for a key or a value that `Upload-Metadata` cannot carry."""
    for key, value in metadata.items():
        if not _KEY.fullmatch(str(key)):
            raise ConfigurationError(f"{key!r} is no key of tus metadata").hint(
                "use ASCII letters without a space or a comma"
            )
        if value is not None and not isinstance(value, str):
            raise ConfigurationError(
                f"the metadata {key!r} is a {type(value).__name__}, not a text"
            ).hint("tus carries texts only: write numbers as text")


def metadata_of(spec: UploadSpec, metadata: Mapping[str, str | None]) -> dict[str, str]:
    """Return what the server is told: the caller's words, and name and type where it has none.

    `filename` and `filetype` are what servers and their users look for by custom. `None` leaves one
    out.
    """
    told = {"filename": spec.name, "filetype": spec.content_type}
    named: dict[str, str | None] = {key: value for key, value in told.items() if value}
    named.update(metadata)
    return {key: value for key, value in named.items() if value is not None}


def metadata_header(metadata: Mapping[str, str]) -> dict[str, str]:
    """Return the header, or none where there is nothing to say."""
    pairs = [
        f"{key} {base64.b64encode(value.encode(errors='surrogateescape')).decode()}".rstrip()
        for key, value in metadata.items()
    ]
    return {"Upload-Metadata": ",".join(pairs)} if pairs else {}


def joined(urls: Iterable[Secret]) -> Secret:
    """Return the `Upload-Concat` that makes one upload of several."""
    return Secret("final;" + " ".join(url.reveal() for url in urls))


def count_of(response: Response, name: str, operation: str) -> int | None:
    """Return a header's number of bytes; raise `ProtocolError` when it is none."""
    text = response.headers.get(name)
    found = number(text)
    if text is not None and found is None:
        raise ProtocolError(
            f"{operation}: the answer {response.status} has a {name} that is no number",
            operation=operation,
            status=response.status,
        )
    return found


def number(text: str | None) -> int | None:
    """Return a count of bytes, `None` for what is none."""
    return int(text) if text is not None and _COUNT.fullmatch(text) else None


def check_offer(response: Response, *, size: int, extension: str, algorithm: str = "") -> None:
    """Raise `RejectedError` where OPTIONS told that the server lacks what is asked for."""
    extensions = _listed(response, "tus-extension")
    lacking = extension if extension not in extensions else ""
    if not lacking and algorithm and algorithm not in _listed(response, "tus-checksum-algorithm"):
        lacking = f"{extension} with {algorithm}"
    if lacking:
        raise RejectedError(
            f"options: the server does not offer {lacking}, only"
            f" {', '.join(sorted(extensions)) or 'the core protocol'}",
            operation="options",
            status=response.status,
        ).hint(_INSTEAD[extension])
    most = count_of(response, "tus-max-size", "options")
    if most is not None and size > most:
        raise RejectedError(
            f"options: the content has {size:,} bytes, the server takes {most:,}",
            operation="options",
            status=response.status,
        )


_INSTEAD: Final = {
    "concatenation": "upload without parallel=",
    "checksum": "upload without checksum=",
}


def _listed(response: Response, name: str) -> frozenset[str]:
    words = response.headers.get(name, "").split(",")
    return frozenset(word.strip().lower() for word in words if word.strip())
