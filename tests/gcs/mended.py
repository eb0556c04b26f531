"""gcp-storage-emulator as a process, mended where it is not what Cloud Storage documents.

    python -m tests.gcs.mended PORT BUCKET TOKEN

What it gets wrong, each seen with 2026.7.19:

- a session that holds nothing answers `Range: bytes=0-0`, which says that it holds one byte;
  documented: no `Range` (https://cloud.google.com/storage/docs/performing-resumable-uploads);
- a completed session is forgotten and answers 404 to a question; documented: 200 or 201;
- DELETE of a session is answered 501; documented: 499;
- a chunk that begins below what is stored is answered 400; documented: "Cloud Storage ignores any
  bytes you send at an offset that Cloud Storage has already persisted";
- no token is ever looked at, `ifGenerationMatch` neither;
- one connection at a time: one that stands still holds up all others.
"""

import re
import sys
import threading
from http.server import ThreadingHTTPServer
from types import SimpleNamespace
from typing import Any

from gcp_storage_emulator import server as emulator  # type: ignore[import-untyped]
from gcp_storage_emulator.handlers import objects  # type: ignore[import-untyped]
from gcp_storage_emulator.storage import Storage  # type: ignore[import-untyped]

RESUME_INCOMPLETE = objects.GoogleHTTPStatus.RESUME_INCOMPLETE
CANCELLED = SimpleNamespace(value=499, phrase="Client Closed Request")
finished: dict[str, Any] = {}
storing = threading.Lock()
_add = Storage.add_to_resumable_upload
_finalize, _partial, _insert = (
    objects._finalize_resumable_object,
    objects.upload_partial,
    objects.insert,
)


def incomplete(response: Any, storage: Any, upload_id: str, fallback_end: int = 0) -> None:
    """Answer 308, and no `Range` where nothing is stored."""
    response.status = RESUME_INCOMPLETE
    received = storage.get_resumable_byte_count(upload_id)
    if received:
        response["Range"] = f"bytes=0-{received - 1}"


def finalize(response: Any, storage: Any, obj: Any, data: bytes, upload_id: str) -> None:
    """Remember what a session came to."""
    _finalize(response, storage, obj, data, upload_id)
    finished[upload_id] = obj


def partial(request: Any, response: Any, storage: Any) -> None:
    """Let a completed session tell of its object."""
    upload_id = request.query["upload_id"][0]
    asks = re.fullmatch(r"bytes \*/\d+", request.get_header("Content-Range", ""))
    if asks and upload_id in finished:
        response.json(finished[upload_id])
    else:
        _partial(request, response, storage)


def add(
    self: Any, file_id: str, content: bytes, total_size: int | None = None, expected_start: int = 0
) -> Any:
    """Add a chunk, without what is stored of it already."""
    with storing:
        stored = self.get_resumable_byte_count(file_id)
        known = max(0, stored - expected_start)
        return _add(self, file_id, (content or b"")[known:], total_size, expected_start + known)


def cancel(request: Any, response: Any, storage: Any) -> None:
    """Drop a session."""
    storage.resumable.pop(request.query["upload_id"][0], None)
    response.status = CANCELLED


def insert(request: Any, response: Any, storage: Any) -> None:
    """Look at the token, and at the one precondition that is tried."""
    name = request.query.get("name", [""])[0]
    there = name in storage.objects.get(request.params["bucket_name"], {})
    if request.get_header("Authorization") != f"Bearer {sys.argv[3]}":
        refuse(response, 401, "authError", "Invalid Credentials", request)
    elif there and request.query.get("ifGenerationMatch") == ["0"]:
        refuse(response, 412, "conditionNotMet", "At least one condition did not hold.", request)
    else:
        _insert(request, response, storage)


def refuse(response: Any, status: int, reason: str, message: str, request: Any) -> None:
    """Answer one of Google's errors, after the body was read."""
    assert request.data is not request
    error = {"reason": reason, "message": message, "domain": "global"}
    response.json({"error": {"code": status, "message": message, "errors": [error]}})
    response.status = SimpleNamespace(value=status, phrase=reason)


def open_sessions(request: Any, response: Any, storage: Any) -> None:
    """List the sessions that are open, by the names of their objects: an addition of ours."""
    response.json([each["name"] for each in storage.resumable.values()])


def main() -> None:
    """Serve until killed."""
    objects._resumable_incomplete = incomplete
    objects._finalize_resumable_object = finalize
    Storage.add_to_resumable_upload = add
    ours = {"POST": insert, "PUT": partial, "DELETE": cancel}
    emulator.HANDLERS = (
        (r"^/open-sessions$", {"GET": open_sessions}),
        *((path, ours if objects.insert in known.values() else known)
          for path, known in emulator.HANDLERS),
    )  # fmt: skip
    ThreadingHTTPServer.daemon_threads = True
    emulator.server.HTTPServer = ThreadingHTTPServer
    served = emulator.create_server("127.0.0.1", int(sys.argv[1]), in_memory=True)
    served._storage.create_bucket(sys.argv[2], {"name": sys.argv[2]})
    served.run()


if __name__ == "__main__":
    main()
