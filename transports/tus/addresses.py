"""Which URLs a tus upload may be opened at, and where a server may send its bytes.

Rule: pure. What a `Location` says is resolved as RFC 3986 has it, and used only when it stays on
the server that was asked, or on a host that the caller named.
"""

from __future__ import annotations

from urllib.parse import urljoin, urlsplit

from transports.endpoints import checked_endpoint, is_loopback, refusal
from uploader.errors import ConfigurationError, ProtocolError
from uploader.http import origin
from uploader.secret import Secret

EXAMPLE = "give one such as https://uploads.example/files/"


def check_url(what: str, url: Secret, *, plain: bool) -> None:
    """Raise `ConfigurationError` for a URL that no upload should go to; its text is not told.

    Plain http is taken for loopback addresses, and for others when `plain`: where no secret goes.
    """
    reason = refusal(url, url.reveal(), None)
    scheme, _, place = origin(url).partition("://")
    if reason is None and (scheme not in ("http", "https") or not url.fits_a_header()):
        reason = "it is no http or https URL in ASCII"
    if reason is not None:
        raise ConfigurationError(f"the {what} is refused: {reason}").hint(EXAMPLE)
    if scheme == "http" and not plain and not is_loopback(_host(url)):
        raise ConfigurationError(
            f"the {what} is plain http to {place}: a secret would travel in clear"
        ).hint("plain http with a token or an upload_url is taken for loopback addresses only")


def origin_at(host: str) -> str:
    """Return the origin that a `HOST` or `HOST:PORT` stands for, or raise `ConfigurationError`."""
    if "/" in host:
        raise ConfigurationError(f"{host!r} is no host").hint("give one without scheme and path")
    return checked_endpoint(f"https://{host}", example="https://uploads.example").lower()


def located(location: Secret, base: str, others: frozenset[str], operation: str) -> Secret:
    """Return the URL that a `Location` names, seen from `base`; raise `ProtocolError`.

    It leads to the origin of `base`, or to one of the `others`.
    """
    found = _resolved(location, base)
    reason = refusal(found, base, None)
    if reason is None or any(refusal(found, other, None) is None for other in others):
        return found
    raise ProtocolError(
        f"{operation}: the upload's URL is refused: {reason}",
        operation=operation,
        ambiguous=False,
    ).hint("behind a proxy the server must be told its public address; or name its upload_hosts")


def shortened(url: Secret, base: str) -> Secret:
    """Return a URL without its origin where that is the one of `base`."""
    if refusal(url, base, None) is not None:
        return url
    return Secret(urlsplit(url.reveal())._replace(scheme="", netloc="").geturl())


def _resolved(location: Secret, base: str) -> Secret:
    try:
        return Secret(urljoin(base, location.reveal()))
    except ValueError:
        return Secret("")


def _host(url: Secret) -> str:
    return urlsplit(url.reveal()).hostname or ""
