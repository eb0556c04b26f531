"""A strict tus 1.0.0 server in memory, for what the real one does not offer.

It has the extensions creation, expiration, checksum, termination and concatenation. Rule: what the
specification asks of a client with MUST is asserted: a request that breaks it is answered 400 and
written down in `violations`. https://tus.io/protocols/resumable-upload
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import threading
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from aiohttp import web

VERSION = "1.0.0"
BYTES = "application/offset+octet-stream"


@dataclass
class Held:
    """An upload: `concat` is None, "partial" or "final"."""

    length: int
    metadata: dict[str, str]
    concat: str | None = None
    content: bytearray = field(default_factory=bytearray)
    expired: bool = False

    @property
    def is_whole(self) -> bool:
        return len(self.content) == self.length


class Broken(Exception):
    """A request that the specification forbids."""


class StandIn:
    """Serve on a loop of its own.

    `extensions` may be taken away; `takes` bounds what a PATCH keeps. `lose` names requests, as
    (method, number from 1), whose connection dies; of a PATCH `keep` bytes are stored then.
    """

    def __init__(self) -> None:
        self.extensions = ["creation", "expiration", "checksum", "termination", "concatenation"]
        self.takes: int | None = None
        self.lose: set[tuple[str, int]] = set()
        self.keep = 0
        self.uploads: dict[str, Held] = {}
        self.requests: list[tuple[str, str]] = []
        self.violations: list[str] = []
        self.headers: list[dict[str, str]] = []
        self.at_once = 0
        """The most PATCHes that were under way at the same time."""
        self._under_way = 0
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()))
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/files/"

    def finished(self) -> list[Held]:
        """Return the complete uploads; partial ones are none."""
        return [
            each for each in self.uploads.values() if each.concat != "partial" and each.is_whole
        ]

    def count(self, method: str) -> int:
        return sum(seen == method for seen, _ in self.requests)

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()
        if kind is None:
            assert self.violations == []

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        app = web.Application(client_max_size=2**40)
        app.router.add_route("*", "/{path:.*}", self._handle)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.port = runner.addresses[0][1]
        self._ready.set()
        await self._stop.wait()
        await runner.cleanup()

    async def _handle(self, request: web.Request) -> web.Response:
        self.requests.append((request.method, request.path))
        self.headers.append(dict(request.headers))
        try:
            answer = await self._answer(request)
        except Broken as broken:
            self.violations.append(f"{request.method}: {broken}")
            answer = web.Response(status=400, text=str(broken))
        answer.headers["Tus-Resumable"] = VERSION
        if (request.method, self.count(request.method)) in self.lose and request.transport:
            request.transport.abort()
        return answer

    async def _answer(self, request: web.Request) -> web.Response:
        if request.method == "OPTIONS":
            offer = {"Tus-Version": VERSION, "Tus-Extension": ",".join(self.extensions)}
            if "checksum" in self.extensions:
                offer["Tus-Checksum-Algorithm"] = "md5,sha1"
            return web.Response(status=204, headers=offer)
        _must(request.headers.get("Tus-Resumable") == VERSION, "no Tus-Resumable")
        if request.method == "POST":
            _must(request.path == "/files/", "a POST to another place")
            return self._create(request)
        upload = self.uploads.get(request.path)
        if upload is None:
            return web.Response(status=404)
        if upload.expired:
            return web.Response(status=410)
        match request.method:
            case "HEAD":
                return self._head(upload)
            case "PATCH":
                self._under_way += 1
                self.at_once = max(self.at_once, self._under_way)
                try:
                    return await self._patch(request, upload)
                finally:
                    self._under_way -= 1
            case "DELETE":
                del self.uploads[request.path]
                return web.Response(status=204)
        raise Broken("no method of tus")

    def _create(self, request: web.Request) -> web.Response:
        metadata = _metadata(request.headers.get("Upload-Metadata"))
        concat = request.headers.get("Upload-Concat")
        if concat is not None and "concatenation" not in self.extensions:
            return web.Response(status=501)
        path = f"/files/opens-{len(self.requests)}"
        if concat is None or concat == "partial":
            length = request.headers.get("Upload-Length", "")
            _must(length.isdecimal(), "no Upload-Length")
            self.uploads[path] = Held(int(length), metadata, concat)
        else:
            _must(concat.startswith("final;"), "an Upload-Concat of another kind")
            _must("Upload-Length" not in request.headers, "a final upload with an Upload-Length")
            names = concat.removeprefix("final;").split()
            parts = [self.uploads.get(name) for name in names]
            if any(part is None or part.expired for part in parts):
                return web.Response(status=404)
            _must(len(set(names)) == len(names), "a partial upload twice")
            whole = bytearray()
            for part in parts:
                assert part is not None
                _must(part.concat == "partial" and part.is_whole, "a part that is not whole")
                whole += part.content
            self.uploads[path] = Held(len(whole), metadata, "final", whole)
        expires = {"Upload-Expires": "Wed, 25 Jun 2036 16:00:00 GMT"}
        return web.Response(status=201, headers={"Location": path, **expires})

    def _head(self, upload: Held) -> web.Response:
        headers = {
            "Upload-Offset": str(len(upload.content)),
            "Upload-Length": str(upload.length),
            "Cache-Control": "no-store",
        }
        return web.Response(headers=headers)

    async def _patch(self, request: web.Request, upload: Held) -> web.Response:
        _must(request.headers.get("Content-Type") == BYTES, "another Content-Type")
        _must(request.headers.get("Upload-Offset", "").isdecimal(), "no Upload-Offset")
        if upload.concat == "final":
            return web.Response(status=403)
        if int(request.headers["Upload-Offset"]) != len(upload.content):
            return web.Response(status=409)
        body = await request.read()
        _must(len(upload.content) + len(body) <= upload.length, "more than Upload-Length")
        if (request.method, self.count("PATCH")) in self.lose:
            upload.content += body[: self.keep]
            return web.Response(status=500)
        if checksum := request.headers.get("Upload-Checksum"):
            algorithm, _, digest = checksum.partition(" ")
            if base64.b64decode(digest) != hashlib.new(algorithm, body).digest():
                return web.Response(status=460)
        upload.content += body if self.takes is None else body[: self.takes]
        return web.Response(status=204, headers={"Upload-Offset": str(len(upload.content))})


def _must(holds: bool, what: str) -> None:
    if not holds:
        raise Broken(what)


def _metadata(text: str | None) -> dict[str, str]:
    found: dict[str, str] = {}
    for pair in (text or "").split(",") if text else ():
        key, _, value = pair.partition(" ")
        _must(bool(key) and key not in found, "a key that is empty, or comes twice")
        found[key] = base64.b64decode(value, validate=True).decode()
    return found
