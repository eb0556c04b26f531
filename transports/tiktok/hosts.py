"""Which hosts may be called and may be given the bytes of a client's video.

Rule: an upload URL is used exactly as TikTok gave it, or not at all.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Final
from urllib.parse import SplitResult, urlsplit

from uploader.errors import ConfigurationError, ProtocolError
from uploader.secret import Secret

API_URL: Final = "https://open.tiktokapis.com"
# Hosts seen in issued URLs lie below both, e.g. open-upload-sg.tiktokapis.com and
# open-upload.tiktokapis.us.
UPLOAD_DOMAINS: Final = ("tiktokapis.com", "tiktokapis.us")
MAX_URL: Final = 8192
# Labels of letters, digits and hyphens: what else a parser may take for a host is a trick.
_HOST: Final = re.compile(r"([a-z0-9_-]+\.)*[a-z0-9_-]+|[0-9a-f:.]+", re.ASCII | re.IGNORECASE)
# What a domain can be verified for: no number, no single label.
_NAME: Final = re.compile(r"([a-z0-9_-]+\.)+[a-z][a-z0-9-]*", re.ASCII)
_CONTROL: Final = re.compile(r"[\x00-\x20\x7f]")
_PORTS: Final = {"http": 80, "https": 443}


def check_base_url(base_url: str) -> str:
    """Return the URL without a trailing slash, or raise `ConfigurationError`."""
    try:
        parts = urlsplit(base_url)
        port_is_sane = parts.port is None or parts.port > 0
    except ValueError:
        parts, port_is_sane = SplitResult("", "", "", "", ""), False
    host = parts.hostname or ""
    if (
        not port_is_sane
        or parts.scheme not in ("http", "https")
        or not _HOST.fullmatch(host)
        or _has_control(Secret(base_url))
    ):
        raise ConfigurationError("the base URL is malformed").hint(
            "give one such as https://open.tiktokapis.com"
        )
    if "@" in parts.netloc or "?" in base_url or "#" in base_url:
        raise ConfigurationError("the base URL must not hold a user, a query or a fragment")
    if parts.scheme == "http" and not _is_loopback(host):
        raise ConfigurationError(
            f"the base URL is plain http to {host}: a token would travel in clear"
        ).hint("plain http is taken for loopback addresses only")
    return base_url.rstrip("/")


def check_media_url(url: Secret) -> Secret:
    """Return an address that TikTok may download media from, or raise `ConfigurationError`.

    "https", no redirect, a host name and not a number; the address may carry a signature, so no
    text tells it. https://developers.tiktok.com/doc/content-posting-api-media-transfer-guide
    """
    try:
        parts = urlsplit(url.reveal())
        port, host = parts.port, (parts.hostname or "").lower()
    except ValueError:
        parts, port, host = SplitResult("", "", "", "", ""), None, ""
    reason = None
    if not host or _has_control(url) or not url.reveal().isascii() or "@" in parts.netloc:
        reason = "it is malformed"
    elif parts.scheme != "https" or port not in (None, 443):
        reason = "it is not https on port 443"
    elif len(url.reveal()) > MAX_URL:
        reason = f"it is longer than {MAX_URL:,} characters"
    elif not _NAME.fullmatch(host):
        reason = "its host is not a public host name"
    elif "#" in url.reveal():
        reason = "it holds a fragment"
    if reason is None:
        return url
    raise ConfigurationError(f"the media's address is refused: {reason}").hint(
        "give one such as https://media.example.com/clip.mp4, of a domain that the app has verified"
    )


def check_upload_url(upload_url: Secret, base_url: str) -> Secret:
    """Return the URL, or raise `ProtocolError` when it leads to a host that is not TikTok's."""
    reason = _refusal(upload_url, base_url)
    if reason is None:
        return upload_url
    raise ProtocolError(
        f"init: the upload URL is refused: {reason}", operation="init", ambiguous=False
    )


def _refusal(upload_url: Secret, base_url: str) -> str | None:
    try:
        parts = urlsplit(upload_url.reveal())
        port = parts.port
    except ValueError:
        return "it is malformed"
    if len(upload_url.reveal()) > MAX_URL:
        return f"it is longer than {MAX_URL} characters"
    if _has_control(upload_url) or "@" in parts.netloc or "#" in upload_url.reveal():
        return "it holds a user, a fragment or a control character"
    host = (parts.hostname or "").lower()
    if base_url != API_URL and _origin(parts) == _origin(urlsplit(base_url)):
        return None
    if parts.scheme != "https" or port not in (None, 443):
        return f"{parts.scheme}://{host}:{port} is not https on port 443"
    below = any(host.endswith(f".{domain}") for domain in UPLOAD_DOMAINS)
    if below and _HOST.fullmatch(host):
        return None
    return f"the host {host} is not below {' or '.join(UPLOAD_DOMAINS)}"


def _has_control(url: Secret) -> bool:
    return _CONTROL.search(url.reveal()) is not None


def _origin(parts: SplitResult) -> tuple[str, str | None, int | None]:
    port = _PORTS.get(parts.scheme) if parts.port is None else parts.port
    return parts.scheme, parts.hostname, port


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
