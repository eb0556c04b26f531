"""The receiving server of the S3 rows: multipart uploads are answered, and their bytes dropped.

Rule: as thin as `benchmarks.sink`, whose ways of draining it uses; signatures are not looked at, so
that it is the clients that are measured. A body in aws-chunked encoding counts by its decoded
length, which its header tells, and is decoded where it is hashed. Driven through stdin and stdout
like the other sink.
"""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass, field
from threading import Lock
from typing import Any
from urllib.parse import parse_qs, urlsplit

from benchmarks.http1 import Head, encode_head, read_head, read_small_body
from benchmarks.sink import Body, Sink, serve_commands

_NAMESPACE = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'
_REASONS = {200: "OK", 204: "No Content", 400: "Bad Request", 404: "Not Found"}


@dataclass
class Upload:
    """One object: its parts by number, each with its length and digest."""

    upload_id: str
    parts: dict[int, tuple[int, str | None]] = field(default_factory=dict)
    done_at: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the upload as JSON, its parts in the order of their numbers."""
        ordered = [self.parts[number] for number in sorted(self.parts)]
        size = sum(length for length, _ in ordered)
        return {
            "upload_id": self.upload_id,
            "size": size,
            "received": size,
            "parts": ordered,
            "done_at": self.done_at,
        }


class Shelf:
    """All uploads of one sink; safe to use from the thread of every connection."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._uploads: dict[str, Upload] = {}
        self._opened = 0

    def open(self) -> Upload:
        """Start an upload."""
        with self._lock:
            self._opened += 1
            upload = Upload(f"upload-{self._opened}")
            self._uploads[upload.upload_id] = upload
        return upload

    def store(self, upload_id: str, number: int, length: int, digest: str | None) -> bool:
        """Keep what is known of a part; tell whether there is such an upload."""
        with self._lock:
            upload = self._uploads.get(upload_id)
            if upload is not None:
                upload.parts[number] = (length, digest)
        return upload is not None

    def complete(self, upload_id: str, count: int) -> bool:
        """End an upload that has so many parts."""
        with self._lock:
            upload = self._uploads.get(upload_id)
            whole = upload is not None and sorted(upload.parts) == list(range(1, count + 1))
            if upload is not None and whole:
                upload.done_at = time.monotonic()
        return whole

    def reset(self) -> None:
        """Forget every upload, as before a run."""
        with self._lock:
            self._uploads.clear()

    def report(self) -> list[dict[str, Any]]:
        """Return every upload as JSON."""
        with self._lock:
            return [upload.to_dict() for upload in self._uploads.values()]


class Unframed:
    """The digest of what an aws-chunked body holds; keeps the whole body until it is asked."""

    def __init__(self) -> None:
        self._body = bytearray()

    def update(self, data: bytes | memoryview) -> None:
        """Take the next bytes, frames and all."""
        self._body += data

    def hexdigest(self) -> str:
        """Return the SHA-256 of the content."""
        digest, at = hashlib.sha256(), 0
        while True:
            end = self._body.index(b"\r\n", at)
            length = int(bytes(self._body[at:end]).split(b";")[0], 16)
            if not length:
                return digest.hexdigest()
            at = end + 2 + length + 2
            digest.update(self._body[end + 2 : at - 2])


class Connection:
    """Serves the requests of one connection, one after the other."""

    def __init__(self, stream: Any, shelf: Shelf, *, verify: bool) -> None:
        self._stream = stream
        self._shelf = shelf
        self._verify = verify
        self._body = Body(stream, verify=verify)

    def serve(self) -> None:
        """Answer until the peer closes."""
        pending = b""
        while (head := read_head(self._stream, pending)) is not None:
            if head.headers.get("expect", "").lower() == "100-continue":
                self._stream.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
            url = urlsplit(head.start[1])
            query = parse_qs(url.query, keep_blank_values=True)
            match head.start[0]:
                case "PUT":
                    pending = self._put(head, query)
                case "POST":
                    pending = self._post(head, query)
                case "DELETE":
                    pending = self._small(head, 204)
                case _:
                    pending = self._small(head, 404)
            if not head.keep_alive:
                return

    def _put(self, head: Head, query: dict[str, list[str]]) -> bytes:
        decoded = head.headers.get("x-amz-decoded-content-length")
        length = head.length if decoded is None else int(decoded)
        digest: Any = None
        if self._verify:
            digest = hashlib.sha256() if decoded is None else Unframed()
        pending = self._body.drain(head, digest)
        found = digest.hexdigest() if digest else None
        number = int(query.get("partNumber", ["1"])[0])
        if "uploadId" in query:
            known = self._shelf.store(query["uploadId"][0], number, length, found)
        else:
            upload = self._shelf.open()
            self._shelf.store(upload.upload_id, 1, length, found)
            known = self._shelf.complete(upload.upload_id, 1)
        self._answer(200 if known else 404, {"ETag": f'"{number:032x}"'})
        return pending

    def _post(self, head: Head, query: dict[str, list[str]]) -> bytes:
        content, pending = read_small_body(self._stream, head)
        if "uploads" in query:
            inner = f"<UploadId>{self._shelf.open().upload_id}</UploadId>"
            self._xml(200, "InitiateMultipartUploadResult", inner)
        elif self._shelf.complete(query.get("uploadId", [""])[0], content.count(b"<PartNumber>")):
            self._xml(200, "CompleteMultipartUploadResult", '<ETag>"whole"</ETag>')
        else:
            self._xml(400, "Error", "<Code>InvalidPart</Code>")
        return pending

    def _small(self, head: Head, status: int) -> bytes:
        _, pending = read_small_body(self._stream, head)
        self._answer(status, {})
        return pending

    def _xml(self, status: int, root: str, inner: str) -> None:
        where = "<Location>/</Location><Bucket>bench</Bucket><Key>clip</Key>"
        content = f"<{root} {_NAMESPACE}>{where}{inner}</{root}>".encode()
        self._answer(status, {"Content-Type": "application/xml"}, content)

    def _answer(self, status: int, headers: dict[str, str], content: bytes = b"") -> None:
        start = f"HTTP/1.1 {status} {_REASONS[status]}"
        head = encode_head(start, {**headers, "Content-Length": str(len(content))})
        self._stream.sendall(head + content)


class S3Sink(Sink):
    """The same listener, with S3's answers."""

    def __init__(self, *, certificate: str | None, verify: bool, usual_port: bool = False) -> None:
        super().__init__(certificate=certificate, verify=verify, usual_port=usual_port)
        self.ledger: Shelf = Shelf()  # type: ignore[assignment]

    def converse(self, stream: Any) -> None:
        """Serve one connection to its end."""
        Connection(stream, self.ledger, verify=self.verify).serve()


if __name__ == "__main__":
    serve_commands(S3Sink)
