"""A strict server that keeps parts and joins them when it is told to.

Rule: every completion makes another post, so that a second one shows. What it answers can be
scripted: an answer that is lost, before or after it acted, another status, a list that is wrong.
"""

from __future__ import annotations

import hashlib
import json
import socket
import threading
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

PATIENCE = 10.0
"""Seconds for what a test waits for."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What happens to a request: it is `acted` on or not, and answered `status`, or not (0)."""

    status: int = 0
    acted: bool = False
    stored: int | None = None
    """How many bytes of a body count, where not all do."""
    hold: threading.Event | None = None
    """Answered when it is set."""


@dataclass
class Upload:
    """One upload that was opened."""

    parts: dict[int, bytes] = field(default_factory=dict)
    content: bytes = b""
    """What came in order."""
    finished: bool = False
    gone: bool = False


class Depot:
    """Keep parts in memory. `posts` are the contents that were completed, in that order."""

    def __init__(self) -> None:
        self.url = ""
        self.uploads: dict[str, Upload] = {}
        self.posts: list[bytes] = []
        self.objects: dict[str, bytes] = {}
        self.requests: list[str] = []
        self.manifests: list[list[int]] = []
        self.token: str | None = None
        self.cut: tuple[int, int] | None = None
        """The part size and number of parts that it dictates."""
        self.lists: Callable[[dict[str, Any]], dict[str, Any]] = dict
        """What it makes of a true list of parts."""
        self._faults: dict[str, deque[Fault | None]] = defaultdict(deque)
        self._lock = threading.RLock()
        self._heard = threading.Condition(self._lock)

    def script(self, operation: str, *faults: Fault | None) -> None:
        """Let these happen to the next requests of an operation; `None` is none."""
        with self._lock:
            self._faults[operation].extend(faults)

    def forget_faults(self) -> None:
        with self._lock:
            self._faults.clear()

    def count(self, operation: str) -> int:
        with self._lock:
            return Counter(each.partition(" ")[0] for each in self.requests)[operation]

    def wait_for(self, operation: str, count: int = 1) -> None:
        """Wait until so many requests of an operation were read."""
        with self._heard:
            assert self._heard.wait_for(lambda: self.count(operation) >= count, PATIENCE)

    def heard(self, operation: str, detail: str) -> Fault | None:
        with self._heard:
            self.requests.append(f"{operation} {detail}".strip())
            self._heard.notify_all()
            faults = self._faults[operation]
            return faults.popleft() if faults else None

    def act(self, operation: str, name: str, detail: str, body: bytes) -> tuple[int, Any]:
        """Do what is asked, and return status and answer."""
        with self._lock:
            upload = self.uploads.get(name)
            match operation:
                case "create":
                    name = str(len(self.uploads) + 1)
                    self.uploads[name] = Upload()
                    return 201, {"id": name, "cut": self.cut}
                case "object":
                    self.objects[name] = body
                    return 200, {}
            if upload is None or upload.gone:
                return 404, {}
            match operation:
                case "put":
                    upload.parts[int(detail)] = body
                    return 200, {"sum": digest(body)}
                case "append":
                    if int(detail) != len(upload.content):
                        return 409, {"offset": len(upload.content)}
                    upload.content += body
                    return 200, {"offset": len(upload.content)}
                case "query":
                    return 200, self.lists(self._listed(upload))
                case "verify":
                    return 200, {"finished": upload.finished}
                case "complete":
                    return self._completed(upload, json.loads(body))
                case "abort":
                    upload.gone = True
                    return 204, {}
        raise AssertionError(operation)

    def _listed(self, upload: Upload) -> dict[str, Any]:
        parts = {
            str(index): {"sum": digest(part), "length": len(part)}
            for index, part in upload.parts.items()
        }
        return {"parts": parts, "offset": len(upload.content)}

    def _completed(self, upload: Upload, manifest: dict[str, str]) -> tuple[int, Any]:
        numbers = sorted(map(int, manifest))
        self.manifests.append(numbers)
        if upload.content:
            content = upload.content
        else:
            missing = [n for n in numbers if digest(upload.parts.get(n, b"")) != manifest[str(n)]]
            if missing or not numbers or numbers != list(range(len(numbers))):
                return 409, {"offset": None, "missing": missing}
            content = b"".join(upload.parts[number] for number in numbers)
        upload.finished = True
        self.posts.append(content)
        return 200, {"post": len(self.posts)}


def digest(content: bytes) -> str:
    """Return what a part is known by."""
    return hashlib.sha256(content).hexdigest()[:16]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    depot: ClassVar[Depot]

    def log_message(self, *args: Any) -> None:
        """Say nothing."""

    def _serve(self) -> None:
        try:
            self._answer()
        except ConnectionError:  # who asked has gone
            self.close_connection = True

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if len(body) < int(self.headers.get("Content-Length") or 0):
            self.close_connection = True
            return
        _, operation, name, detail = (*self.path.split("/"), "", "")[:4]
        fault = self.depot.heard(operation, f"{name} {detail}")
        status: int = 401
        answer: Any = {}
        wanted = self.depot.token
        if wanted is None or self.headers.get("Authorization") == f"Bearer {wanted}":
            if fault is not None and fault.stored is not None:
                body = body[: fault.stored]
            if fault is None or fault.acted or fault.stored is not None:
                status, answer = self.depot.act(operation, name, detail, body)
        if fault is not None:
            if fault.hold is not None:
                assert fault.hold.wait(PATIENCE)
            if not fault.status:
                self.connection.shutdown(socket.SHUT_RDWR)
                self.close_connection = True
                return
            status = fault.status
        content = json.dumps(answer).encode() if status != 204 else b""
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PUT = do_DELETE = _serve  # noqa: N815


@contextmanager
def serving(depot: Depot) -> Iterator[str]:
    """Serve a depot; yield its URL."""
    handler = type("Handler", (_Handler,), {"depot": depot})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(PATIENCE)
