"""`uploader sandbox`: a destination's stand-in, served until Ctrl-C.

Rule: prints all that a first try needs, then one line per request; a rule that a client broke is
shown at once and makes the exit code 1.
"""

from __future__ import annotations

import os
import queue
import shlex
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from uploader import registry
from uploader.cli import destinations, screen
from uploader.cli.exits import Exit
from uploader.cli.stop import Stop
from uploader.errors import ConfigurationError
from uploader.transport import TransportFactory

LOOK_EVERY: Final = 0.1
"""Seconds between two looks at what has arrived."""


def sandbox(*, to: str, port: int, webhooks: str | None = None, keep: Path | None = None) -> int:
    """Serve until a signal comes; return 1 when a client broke a rule, else 0.

    What becomes of posts is told to `webhooks`, once; their bytes are kept in the folder `keep`.
    """
    factory = registry.load(to)
    peer = factory.sandbox(port=port)
    if peer is None:
        raise ConfigurationError(f"{to} has no sandbox").hint("`uploader transports` lists them")
    if webhooks is not None:
        _check_webhooks(to, peer, webhooks)
    if keep is not None:
        _keep(to, peer, keep)
    try:
        peer.__enter__()
    except OSError as error:
        raise ConfigurationError(
            f"port {port} cannot be had: {os.strerror(error.errno or 0)}"
        ).hint("give another --port, or leave it out to get a free one") from None
    with Stop() as stop:
        screen.say(_welcome(factory, peer))
        told = _Told(peer)
        while not stop.asked:
            with suppress(queue.Empty):
                stop.inbox.get(timeout=LOOK_EVERY)
            if webhooks is not None and not stop.asked:
                peer.webhooks.send_news(webhooks)
            told.tell()
    # A strict sandbox raises what clients did wrong; it has been told already.
    with suppress(AssertionError):
        peer.__exit__(None, None, None)
    told.tell(last=True)
    return Exit.FAILED if told.violations else Exit.DONE


def _check_webhooks(to: str, peer: Any, url: str) -> None:
    if not hasattr(peer, "webhooks"):
        raise ConfigurationError(f"the sandbox of {to} sends no webhooks")
    if not url.startswith(("http://", "https://")):
        raise ConfigurationError("the address for webhooks is no URL").hint(
            "give one such as http://127.0.0.1:8000/tiktok"
        )


def _keep(to: str, peer: Any, folder: Path) -> None:
    if not hasattr(peer, "keep_in"):
        raise ConfigurationError(f"the sandbox of {to} keeps no bytes")
    try:
        peer.keep_in(folder)
    except OSError as error:
        raise ConfigurationError(
            f"nothing can be kept in {folder}: {os.strerror(error.errno or 0)}"
        ) from None


def _welcome(factory: TransportFactory, peer: Any) -> str:
    name = screen.command()
    needed = " ".join(
        f"{destinations.flag(option)} {value}"
        for option, value in destinations.stand_ins(factory).items()
    )
    return "\n".join(
        (
            f"A stand-in for {factory.name} listens at {peer.base_url}",
            f"Its access token is {peer.access_token}",
            *watching(peer),
            "",
            "In another terminal:",
            "",
            f"  export {factory.token_variable}={shlex.quote(peer.access_token)}",
            f"  {name} publish clip.mp4 --to {factory.name}"
            f" --base-url {peer.base_url} {needed}".rstrip(),
            *_login(factory, peer),
            "",
            "Ctrl-C ends it. Requests:",
        )
    )


def watching(peer: Any) -> list[str]:
    """Return where a browser shows what a stand-in has seen, of those that have such a page."""
    page = getattr(peer, "page_url", None)
    return [f"What arrives is to be seen at {page}"] if page else []


def _login(factory: TransportFactory, peer: Any) -> list[str]:
    """Return how an account logs in, where accounts do."""
    app = getattr(peer, "app", None)
    if not app or not hasattr(factory, "accounts"):
        return []
    exports = " ".join(f"{name}={shlex.quote(value)}" for name, value in app.items())
    login = f"{screen.command()} account login acme --to {factory.name} --base-url {peer.base_url}"
    return [
        "",
        "Or log an account in, which agrees at once:",
        "",
        f"  export {exports}",
        f"  {login}",
    ]


class _Told:
    """Remembers which requests and violations were printed."""

    def __init__(self, peer: Any) -> None:
        self._peer = peer
        self._next = 0
        self._open: list[Any] = []
        self._delivered = 0
        self.violations = 0

    def tell(self, *, last: bool = False) -> None:
        """Print what was answered since the last time; at the last time, also what never was."""
        requests = self._peer.requests
        self._open += requests[self._next :]
        self._next = len(requests)
        still = []
        for request in self._open:
            if request.status is None and not last:
                still.append(request)
            else:
                screen.say(_line(request))
        self._open = still
        sent = self._peer.webhooks.sent if hasattr(self._peer, "webhooks") else []
        for each in sent[self._delivered :]:
            screen.say(_delivery(each))
        self._delivered = len(sent)
        broken = self._peer.violations
        for text in broken[self.violations :]:
            screen.say(f"BROKEN RULE  {screen.plain(text)}")
        self.violations = len(broken)


def _delivery(each: Any) -> str:
    status = str(each.status or "no answer")
    return screen.plain("  ".join([status, f"webhook {each.event}", each.about]))


def _line(request: Any) -> str:
    status = "no answer" if request.status is None else str(request.status)
    facts = (request.operation, request.range, request.publish_id)
    return screen.plain("  ".join([status, *(str(fact) for fact in facts if fact)]))
