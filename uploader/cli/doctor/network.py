"""The way to a destination's hosts: names, certificates, proxies.

Rule: a connection is opened and closed; no request is sent. Proxies are those of the environment,
as uploads use them, and nothing is said of a proxy's password.
"""

from __future__ import annotations

import http.client
import socket
import ssl
import time
from base64 import b64encode
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import SplitResult, unquote, urlsplit
from urllib.request import getproxies_environment, proxy_bypass

from uploader.transport import Finding, Level

TIMEOUT: Final = 10.0
"""Seconds for each step."""
SOON: Final = 14 * 86_400.0
"""Seconds before a certificate's end in which somebody should know."""


def findings(
    origin: str, *, needed: bool, context: ssl.SSLContext | None = None
) -> Iterator[Finding]:
    """Yield what is found on the way to an origin; one that is not `needed` never fails."""
    parts = urlsplit(origin)
    worst = Level.FAIL if needed else Level.WARN
    proxy = _proxy(parts)
    if proxy is None:
        found = _of_name(parts, worst)
        yield found
        if found.level is not Level.OK:
            return
    else:
        yield _of_proxy(parts, proxy)
    yield _of_tls(parts, proxy, worst, context)


def _of_name(parts: SplitResult, worst: Level) -> Finding:
    host, began = parts.hostname or "", time.monotonic()
    try:
        found = socket.getaddrinfo(host, parts.port or _port(parts), type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        return Finding(
            check="name",
            level=worst,
            says=f"{host} has no address here: {getattr(error, 'strerror', None) or error}",
            advice="look at the machine's name servers, or at the proxies of its environment",
            facts={"host": host},
        )
    seconds, addresses = time.monotonic() - began, sorted({str(each[4][0]) for each in found})
    return Finding(
        check="name",
        level=Level.OK,
        says=f"{host} has {len(addresses)} addresses, found in {seconds * 1000:,.0f} ms",
        facts={"host": host, "addresses": addresses, "seconds": round(seconds, 3)},
    )


def _of_proxy(parts: SplitResult, proxy: SplitResult) -> Finding:
    """Say which proxy serves; the name is looked up there, not here."""
    where = f"{proxy.scheme}://{proxy.hostname}:{proxy.port or _port(proxy)}"
    works = proxy.scheme == "http"
    return Finding(
        check="proxy",
        level=Level.OK if works else Level.WARN,
        says=f"{parts.hostname} is reached through {where}, as the environment says",
        advice="" if works else "its certificate and those behind it are not looked at here",
        facts={"host": parts.hostname, "proxy": where},
    )


def _of_tls(
    parts: SplitResult, proxy: SplitResult | None, worst: Level, context: ssl.SSLContext | None
) -> Finding:
    host, began = parts.hostname or "", time.monotonic()
    facts: dict[str, Any] = {"host": host}
    try:
        certificate, version = _shaken(parts, proxy, context)
    except ssl.SSLCertVerificationError as error:
        return Finding(
            check="certificate",
            level=worst,
            says=f"{host}: {error.verify_message}",
            advice="look at the machine's clock and its certificates, or for a proxy in between",
            facts=facts,
        )
    except (OSError, http.client.HTTPException) as error:
        return Finding(
            check="connection",
            level=worst,
            says=f"{host} cannot be reached: {_reason(error)}",
            advice="look at the network, the firewall and the proxies of the environment",
            facts=facts,
        )
    seconds = time.monotonic() - began
    facts["seconds"] = round(seconds, 3)
    if certificate is None:
        says = f"{host} answers in {seconds * 1000:,.0f} ms, without TLS"
        return Finding(check="connection", level=Level.OK, says=says, facts=facts)
    ends = ssl.cert_time_to_seconds(str(certificate["notAfter"]))
    left = ends - time.time()
    facts |= {"expires": ends, "issuer": _issuer(certificate), "version": version}
    return Finding(
        check="certificate",
        level=Level.OK if left > SOON else Level.WARN,
        says=(
            f"{host}: {version}, issued by {facts['issuer']}, good for {left / 86_400:,.0f} days,"
            f" in {seconds * 1000:,.0f} ms"
        ),
        facts=facts,
    )


def _shaken(
    parts: SplitResult, proxy: SplitResult | None, context: ssl.SSLContext | None
) -> tuple[dict[str, Any] | None, str | None]:
    """Connect, and return the certificate and the version of TLS; no request goes out."""
    host, port = parts.hostname or "", parts.port or _port(parts)
    target = (host, port) if proxy is None else (proxy.hostname or "", proxy.port or _port(proxy))
    connection: http.client.HTTPConnection
    if parts.scheme == "http":
        connection = http.client.HTTPConnection(*target, timeout=TIMEOUT)
    else:
        context = context or ssl.create_default_context()
        connection = http.client.HTTPSConnection(*target, timeout=TIMEOUT, context=context)
        if proxy is not None:
            connection.set_tunnel(host, port, headers=_credentials(proxy))
    try:
        connection.connect()
        socket_ = connection.sock
        if not isinstance(socket_, ssl.SSLSocket):
            return None, None
        return socket_.getpeercert(), socket_.version()
    finally:
        connection.close()


def _proxy(parts: SplitResult) -> SplitResult | None:
    host = parts.hostname or ""
    found = getproxies_environment().get(parts.scheme)
    if not found or proxy_bypass(f"{host}:{parts.port}" if parts.port else host):
        return None
    return urlsplit(found if "://" in found else f"http://{found}")


def _credentials(proxy: SplitResult) -> dict[str, str]:
    if proxy.username is None:
        return {}
    pair = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
    return {"Proxy-Authorization": f"Basic {b64encode(pair.encode()).decode()}"}


def _issuer(certificate: dict[str, Any]) -> str:
    names = {name: value for each in certificate.get("issuer", ()) for name, value in each}
    return str(names.get("organizationName") or names.get("commonName") or "somebody unnamed")


def _port(parts: SplitResult) -> int:
    return 80 if parts.scheme == "http" else 443


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return f"no answer within {TIMEOUT:g} s"
    return str(getattr(error, "strerror", None) or type(error).__name__)
