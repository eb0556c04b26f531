"""Waits on a local port for the browser to come back from TikTok's page.

Rule: only the answer with our own state counts, compared in constant time; everything else is told
so and waited past. The code and the verifier are secrets, and nothing of a request is logged.
"""

from __future__ import annotations

import hmac
import secrets
import socket
import time
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, HTTPServer
from socketserver import TCPServer
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import parse_qs, urlsplit

from transports.tiktok import oauth
from transports.tiktok.oauth import App
from uploader.errors import AccountError, ConfigurationError
from uploader.secret import Secret

CALLBACK: Final = "/callback/"
SLOW: Final = 5.0
"""Seconds that one connection may take to say what it wants."""
_DONE: Final = "The account is connected. You can close this window."
_FAILED: Final = "The account is not connected. Look at the terminal."
_STRANGE: Final = "This is not the answer that was waited for."


class Login:
    """One login: `page` is where the user consents, `wait` returns the code of it."""

    def __init__(
        self, app: App, scopes: Sequence[str], *, host: str = "127.0.0.1", port: int = 0
    ) -> None:
        if host not in ("127.0.0.1", "localhost"):
            raise ConfigurationError(f"the callback's host {host} is not this machine").hint(
                "TikTok's desktop rule takes 127.0.0.1 and localhost"
            )
        self.verifier = Secret(secrets.token_urlsafe(48))
        self._state = secrets.token_urlsafe(32)
        self._answer: Secret | None = None
        self._error = ""
        try:
            self._server = _Server(("127.0.0.1", port), self._heard)
        except OSError as error:
            raise ConfigurationError(
                f"port {port} cannot be had for the callback: {error.strerror}"
            ).hint("give another port that is registered with the app") from None
        self.redirect_uri = f"http://{host}:{self._server.server_address[1]}{CALLBACK}"
        self.page = oauth.page(
            app,
            redirect_uri=self.redirect_uri,
            state=self._state,
            verifier=self.verifier,
            scopes=scopes,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.server_close()

    def wait(self, timeout: float) -> Secret:
        """Return the code; raise `AccountError` when the user declines or `timeout` is over."""
        end = time.monotonic() + timeout
        while self._answer is None and not self._error:
            self._server.timeout = end - time.monotonic()
            if self._server.timeout <= 0:
                raise AccountError(f"nobody consented within {timeout:g} s").hint(
                    "open the page again; its address changes with each login"
                )
            self._server.handle_request()
        if self._answer is None:
            raise AccountError(
                f"TikTok's page answered {self._error}", vendor_code=self._error
            ).hint("the user declined, or the app may not ask for these scopes")
        return self._answer

    def _heard(self, target: str) -> tuple[int, str]:
        """Take a request of the browser; return status and text of the answer."""
        parts = urlsplit(target)
        if parts.path.rstrip("/") != CALLBACK.rstrip("/"):
            return 404, _STRANGE
        asked = parse_qs(parts.query)
        state = asked.get("state", [""])[0]
        if not hmac.compare_digest(state.encode(), self._state.encode()):
            return 400, _STRANGE
        if "code" in asked:
            self._answer = Secret(asked["code"][0])
            return 200, _DONE
        word = asked.get("error", [""])[0]
        self._error = word if word.replace("_", "").isalnum() and len(word) < 65 else "no code"
        return 400, _FAILED


class _Server(HTTPServer):
    allow_reuse_address = False

    def __init__(self, address: tuple[str, int], heard: Any) -> None:
        self.heard = heard
        super().__init__(address, _Handler)

    def server_bind(self) -> None:
        """Bind, without asking the DNS for a name that nobody needs."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = "localhost", self.server_address[1]

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, address = super().get_request()
        connection.settimeout(SLOW)
        return connection, address

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: a browser that hung up is no news, and the traceback holds the code."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    server_version = "mmap-uploader"
    sys_version = ""

    def do_GET(self) -> None:
        status, text = self.server.heard(self.path)
        page = f"<!doctype html><meta charset=utf-8><title>TikTok</title><p>{text}</p>".encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(page)))
        self.send_header("Referrer-Policy", "no-referrer")
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(page)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base's name
        """Write nothing: the address of the request holds the code."""
