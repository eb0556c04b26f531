"""Flows driven by hand, with a list of answers: no wire, no engine."""

import json
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from transports.gcs import GcsObject
from transports.gcs.protocol import GcsTransport
from uploader.http import Request, Response
from uploader.model import Plan, Session, UploadSpec
from uploader.secret import Secret
from uploader.transport import Flow

T = TypeVar("T")

SIZE = 600_000
PLAN = Plan(SIZE, 262_144, 3)
SPEC = UploadSpec(SIZE, "video/mp4", PLAN, "clip.mp4")
URI = "https://storage.googleapis.com/upload/storage/v1/b/films/o?uploadType=resumable&upload_id=AB"
STORED = {"generation": "7", "size": str(SIZE), "crc32c": "AAAAAA==", "name": "clip", "kind": "x"}


def transport(**fields: Any) -> GcsTransport:
    """Return the protocol of an object with these fields."""
    return GcsObject("films", "clips/a b.mp4", access_token="ya29.x", **fields).transport()


def session() -> Session:
    """Return an open session."""
    fields = {"size": SIZE, "content_type": "video/mp4", "part_size": 262_144, "parts": 3}
    return Session(fields, {"session_uri": Secret(URI)})


def answer(status: int, content: object = None, **headers: str) -> Response:
    """Return an answer, its content as JSON."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Response(status, named, b"" if content is None else json.dumps(content).encode())


def refused(status: int, reason: str, message: str = "no") -> Response:
    """Return one of Google's errors."""
    error = {"code": status, "message": message, "errors": [{"reason": reason}]}
    return answer(status, {"error": error})


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


class Content:
    """A body of which a flow may know the length and the digests."""

    def __init__(self, length: int, digests: Mapping[str, bytes] | None = None) -> None:
        self._length = length
        self.digests = digests or {}

    def __len__(self) -> int:
        return self._length
