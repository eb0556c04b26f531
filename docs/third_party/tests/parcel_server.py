"""A parcel server that keeps its parcels in memory: the peer of these tests."""

import hashlib
import json
import secrets
import sys
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

CUT = 1_000_000


@dataclass
class Open:
    """A parcel, open or sealed."""

    name: str
    size: int
    parts: dict[int, bytes] = field(default_factory=dict)
    sealed: str | None = None

    @property
    def content(self) -> bytes:
        return b"".join(self.parts[number] for number in sorted(self.parts))


class ParcelServer(ThreadingHTTPServer):
    """Listens in a thread while its context lasts."""

    daemon_threads = True

    def __init__(self, token: str) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.token = token
        self.parcels: dict[str, Open] = {}
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self._thread = threading.Thread(target=self.serve_forever, args=(0.01,))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.shutdown()
        self._thread.join()
        self.server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of clients that break off."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class Handler(BaseHTTPRequestHandler):
    """One method for all: (method, path) says what is wanted."""

    protocol_version = "HTTP/1.1"
    server: ParcelServer

    def do_PUT(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        body = self.rfile.read(length)
        if len(body) < length:
            self.close_connection = True
            return
        status, said = self._act(body)
        content = b"" if said is None else json.dumps(said).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_POST = do_GET = do_DELETE = do_PUT  # noqa: N815 - the library's names

    def _act(self, body: bytes) -> tuple[int, Any]:
        if self.headers.get("Authorization") != f"Bearer {self.server.token}":
            return 401, None
        if self.command == "POST" and self.path == "/parcels":
            asked = json.loads(body)
            parcel = secrets.token_hex(8)
            self.server.parcels[parcel] = Open(asked["name"], asked["size"])
            return 201, {"id": parcel, "cut": CUT}
        parcel, _, rest = self.path.removeprefix("/parcels/").partition("/")
        found = self.server.parcels.get(parcel)
        if found is None:
            return 404, None
        parts = found.parts.copy()  # another lane's thread may add one
        digests = {n: hashlib.sha256(part).hexdigest() for n, part in parts.items()}
        match self.command, rest:
            case "GET", "":
                return 200, {"parts": digests, "sealed": found.sealed}
            case "DELETE", "":
                del self.server.parcels[parcel]
                return 204, None
            case "POST", "seal":
                whole = [digests[number] for number in sorted(digests)]
                if json.loads(body)["parts"] != whole or len(found.content) != found.size:
                    return 409, None
                found.sealed = f"{self.server.url}/sealed/{parcel}"
                return 200, {"sealed": found.sealed}
            case "PUT", number if found.sealed is None:
                found.parts[int(number)] = body
                return 200, {"sha256": hashlib.sha256(body).hexdigest()}
        return 400, None

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Say nothing."""
