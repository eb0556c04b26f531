"""Answers of a tus server, and flows driven by hand with a list of them.

Rule: no I/O; what a flow asks for and what it returns is all that a test sees.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeVar

from transports.tus import TusUpload
from uploader.http import Request, Response
from uploader.model import Plan, Session, UploadSpec
from uploader.planner import plan
from uploader.secret import Secret
from uploader.transport import Capabilities, Flow

T = TypeVar("T")

URL = "https://uploads.example/files/"
UPLOAD_URL = "https://uploads.example/files/opens-sesame"


class Bytes:
    """A body of which a flow may know the length and the digests."""

    def __init__(self, length: int, **digests: bytes) -> None:
        self._length = length
        self.digests = digests

    def __len__(self) -> int:
        return self._length


def transport(**fields: Any) -> Any:
    """Return the protocol of an upload with these fields."""
    return TusUpload(**({"url": URL} if "upload_url" not in fields else {}) | fields).transport()


def spec(size: int, capabilities: Capabilities | None = None) -> UploadSpec:
    """Return what `create` is told of a film."""
    cut = plan(size, capabilities) if capabilities is not None else Plan(size, size, 1)
    return UploadSpec(size, "video/mp4", cut, "film.mp4")


def session(size: int) -> Session:
    """Return an open upload."""
    return Session({"size": size}, {"upload_url": Secret(UPLOAD_URL)})


def answer(status: int, content: bytes = b"", **headers: Any) -> Response:
    """Return an answer; `upload_offset=5` is the header `upload-offset: 5`."""
    return Response(
        status, {name.replace("_", "-"): str(value) for name, value in headers.items()}, content
    )


def run(flow: Flow[T], answers: Iterable[Response] = ()) -> tuple[list[Request], T]:
    """Send the answers into a flow, one for each request; return its requests and its value."""
    requests: list[Request] = []
    waiting = iter(answers)
    try:
        requests.append(next(flow))
        while True:
            requests.append(flow.send(next(waiting)))
    except StopIteration as stop:
        assert next(waiting, None) is None, "the flow ended before it had every answer"
        return requests, stop.value


def described(request: Request) -> tuple[str, str, str, dict[str, str]]:
    """Return operation, method, URL and headers of a request, its secrets revealed."""
    return (
        request.operation,
        request.method,
        _text(request.url),
        {name: _text(value) for name, value in request.headers.items()},
    )


def _text(value: str | Secret) -> str:
    return value.reveal() if isinstance(value, Secret) else value
