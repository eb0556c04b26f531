"""Answers of S3, and flows driven by hand with a list of them.

Rule: no I/O; what a flow asks for and what it returns is all that a test sees.
"""

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

import google_crc32c

from transports.s3 import S3Object
from transports.s3.protocol import S3Transport
from uploader.http import Request, Response
from uploader.model import MIB, Plan, Receipt, Session, UploadSpec
from uploader.transport import Flow

T = TypeVar("T")
SESSION = Session({"upload_id": "id/+1"})
PLAN = Plan(12 * MIB, 5 * MIB, 3)
NAMESPACE = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'


class Content:
    """A body of which a flow may know its length and the digests that were asked for."""

    def __init__(self, content: bytes, names: Iterable[str] = ("crc32c",)) -> None:
        self._length = len(content)
        every = {
            "crc32c": google_crc32c.value(content).to_bytes(4, "big"),
            "sha256": hashlib.sha256(content).digest(),
        }
        self.digests: dict[str, bytes] = {name: every[name] for name in names}

    def __len__(self) -> int:
        return self._length


def transport(**fields: Any) -> S3Transport:
    """Return the protocol of one object."""
    return S3Object("my-bucket", "a b/c.mp4", **{"region": "eu-west-1", **fields}).transport()


def spec(size: int = PLAN.size) -> UploadSpec:
    """Return what `create` is told."""
    return UploadSpec(size, "video/mp4", PLAN)


def xml(root: str, inner: str, *, status: int = 200, **headers: str) -> Response:
    """Return an answer with a document."""
    content = f'<?xml version="1.0" encoding="UTF-8"?>\n<{root} {NAMESPACE}>{inner}</{root}>'
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return Response(status, given, content.encode())


def refused(status: int, code: str, more: str = "", **headers: str) -> Response:
    """Return an answer of refusal."""
    inner = f"<Code>{code}</Code><Message>it says no</Message>{more}<RequestId>R1</RequestId>"
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return Response(status, given, f"<Error>{inner}</Error>".encode())


def stored(content: bytes, **headers: str) -> Response:
    """Return the answer to content that was stored."""
    etag = hashlib.md5(content, usedforsecurity=False).hexdigest()
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return Response(200, {"etag": f'"{etag}"', **given})


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


def receipts(to: S3Transport, contents: Iterable[bytes]) -> Mapping[int, Receipt]:
    """Return the receipts of parts with these contents."""
    return {
        index: run(
            to.put_part(SESSION, PLAN, PLAN.part(index), Content(content)), [stored(content)]
        )[1]
        for index, content in enumerate(contents)
    }
