"""The page at `/` of a sandbox: what has arrived, while it arrives.

Rule: only GET, only files of this folder and the report. Whatever is shown was written by clients,
so it reaches the page as JSON and is set as text; the policy lets nothing else run or load.
"""

import hashlib
import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any, Final
from urllib.parse import parse_qs, unquote

from aiohttp import web

from transports.tiktok.sandbox.book import Book
from transports.tiktok.sandbox.faults import FaultQueue
from transports.tiktok.sandbox.report import EVERYTHING, report
from transports.tiktok.sandbox.webhooks import Webhooks

PATH: Final = "/"
STATE_PATH: Final = "/-/state.json"
MEDIA_PATH: Final = "/-/media/"
FILES: Final[Mapping[str, tuple[str, str]]] = {
    PATH: ("page.html", "text/html"),
    "/-/page.css": ("page.css", "text/css"),
    "/-/page.js": ("page.js", "text/javascript"),
    "/-/timeline.js": ("timeline.js", "text/javascript"),
}
HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self';"
        " media-src 'self'; img-src data:; base-uri 'none'; form-action 'none';"
        " frame-ancestors 'none'"
    ),
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}


class Page:
    """Answer who looks at a sandbox. Nobody's rate, record or rule is touched by looking."""

    def __init__(self, book: Book, webhooks: Webhooks, faults: FaultQueue) -> None:
        self._book = book
        self._webhooks = webhooks
        self._faults = faults

    def answer(self, request: web.BaseRequest, path: str, query: str) -> web.StreamResponse | None:
        """Return what is to be seen at a path, None where nothing is."""
        if request.method not in ("GET", "HEAD"):
            return None
        if path == STATE_PATH:
            return self._state(query, request.headers.get("If-None-Match"))
        if path.startswith(MEDIA_PATH):
            return self._media(path.removeprefix(MEDIA_PATH))
        if path not in FILES:
            return None
        name, kind = FILES[path]
        return web.Response(
            text=_content(name), content_type=kind, charset="utf-8", headers=HEADERS
        )

    def _media(self, publish_id: str) -> web.StreamResponse | None:
        """Return what was kept of a post that is whole, or a range of it."""
        post = self._book.post(unquote(publish_id))
        if post is None or post.kept is None or not post.complete:
            return None
        return web.FileResponse(post.kept, headers={**HEADERS, "Content-Type": post.content_type})

    def _state(self, query: str, seen: str | None) -> web.Response:
        """Return the report; with `?chunks=PUBLISH_ID` only that post's chunks; 304 if as seen."""
        wanted = parse_qs(query, keep_blank_values=True).get("chunks")
        found = report(
            self._book,
            self._webhooks,
            self._faults,
            chunks_of=EVERYTHING if wanted is None else set(wanted),
        )
        tag = _tag(found)
        headers = {**HEADERS, "ETag": tag}
        if seen == tag:
            return web.Response(status=304, headers=headers)
        return web.json_response(found, headers=headers)


def _tag(found: dict[str, Any]) -> str:
    """Return what differs when anything but the time does."""
    said = json.dumps({**found, "now": None}).encode()
    return f'"{hashlib.sha256(said).hexdigest()[:32]}"'


@cache
def _content(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")
