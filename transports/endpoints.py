"""Which hosts may be called, and may be given a token or the bytes of a client's file.

Rule: pure; a URL is used exactly as it was given, or not at all, and never repeated in an error.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Final
from urllib.parse import SplitResult, urlsplit

from uploader.errors import ConfigurationError
from uploader.secret import Secret

MAX_URL: Final = 8192
# Labels of letters, digits and hyphens: what else a parser may take for a host is a trick.
_HOST: Final = re.compile(r"([a-z0-9_-]+\.)*[a-z0-9_-]+|[0-9a-f:.]+", re.ASCII | re.IGNORECASE)
_PORTS: Final = {"http": 80, "https": 443}


def checked_endpoint(url: str, *, example: str, plain: bool = False) -> str:
    """Return the URL without a trailing slash, or raise `ConfigurationError`.

    Plain http is taken for loopback addresses, and for others when `plain`: where no token goes.
    """
    parts = _split(url)
    host = parts.hostname or ""
    if parts.scheme not in _PORTS or not _HOST.fullmatch(host) or has_control(url):
        raise ConfigurationError("the endpoint's URL is malformed").hint(
            f"give one such as {example}"
        )
    if "@" in parts.netloc or "?" in url or "#" in url:
        raise ConfigurationError("the endpoint's URL must not hold a user, a query or a fragment")
    if parts.scheme == "http" and not plain and not is_loopback(host):
        raise ConfigurationError(
            f"the endpoint is plain http to {host}: a token would travel in clear"
        ).hint("plain http with a token is taken for loopback addresses only")
    return url.rstrip("/")


def refusal(url: Secret, endpoint: str, domain: str | None) -> str | None:
    """Say why a URL that a server gave must not be used; `None` when it may be.

    It may lead to the endpoint's own origin, or by https to a host of `domain`.
    """
    parts = _split(url.reveal())
    host = (parts.hostname or "").lower()
    if len(url.reveal()) > MAX_URL:
        return f"it is longer than {MAX_URL} characters"
    if has_control(url) or "@" in parts.netloc or "#" in url.reveal() or not _HOST.fullmatch(host):
        return "it is malformed, or holds a user, a fragment or a control character"
    if _origin(parts) == _origin(_split(endpoint)):
        return None
    if domain is not None and host.endswith(f".{domain}"):
        if _origin(parts) == ("https", parts.hostname, 443):
            return None
        return f"{parts.scheme}://{host}:{parts.port} is not https on port 443"
    return f"the host {host} is not the one that was asked" + (
        f", nor below {domain}" if domain else ""
    )


def has_control(url: str | Secret) -> bool:
    """Tell whether a URL holds a space, a line end or another character that none has."""
    return any(
        ord(character) <= 32 or ord(character) == 127
        for character in (url.reveal() if isinstance(url, Secret) else url)
    )


def is_loopback(host: str) -> bool:
    """Tell whether a host is this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _split(url: str) -> SplitResult:
    """Split a URL; one that cannot be split has no host."""
    try:
        parts = urlsplit(url)
        if parts.port == 0:
            raise ValueError("port 0")
    except ValueError:
        return SplitResult("", "", "", "", "")
    return parts


def _origin(parts: SplitResult) -> tuple[str, str | None, int | None]:
    return parts.scheme, parts.hostname, parts.port or _PORTS.get(parts.scheme)
