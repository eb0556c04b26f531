"""Answers of TikTok's API, and flows driven by hand with a list of them.

Rule: no I/O; what a flow asks for and what it returns is all that a test sees.
"""

import json
from collections.abc import Iterable
from typing import Any, TypeVar

from transports.tiktok import DirectPost
from transports.tiktok.protocol import TikTokTransport
from uploader.http import Request, Response
from uploader.model import Session, UploadSpec
from uploader.planner import plan
from uploader.secret import Secret
from uploader.transport import Flow

T = TypeVar("T")

PUBLISH_ID = "v_pub_file~v2-1.7683616048247130126"
UPLOAD_URL = "https://open-upload.tiktokapis.com/video/?upload_id=7&upload_token=secret"


def ok(data: object, *, name: str = "log_id", status: int = 200) -> Response:
    """Return an answer of success."""
    return refused("ok", "", data=data, name=name, status=status)


def refused(
    code: str,
    message: str = "no",
    *,
    status: int = 400,
    data: object = None,
    name: str = "log_id",
    headers: dict[str, str] | None = None,
) -> Response:
    """Return an answer with an error code; `name` is how the log id is spelt."""
    error = {"code": code, "message": message, name: "20260922ABCDEF"}
    content = json.dumps({"data": data if data is not None else {}, "error": error})
    return Response(status, headers or {}, content.encode())


def direct_post(**fields: Any) -> TikTokTransport:
    """Return the protocol of a post with these fields."""
    given = {"privacy_level": "SELF_ONLY", "title": "Hi #there", "access_token": "act.x", **fields}
    return DirectPost(**given).transport()


def spec(size: int, transport: TikTokTransport | None = None) -> UploadSpec:
    """Return what `create` is told of an MP4 of this size."""
    capabilities = (transport or direct_post()).capabilities
    return UploadSpec(size, "video/mp4", plan(size, capabilities))


def session(publish_id: str | None = PUBLISH_ID) -> Session:
    """Return an open upload."""
    return Session(
        {"publish_id": publish_id, "content_type": "video/mp4"}, {"upload_url": Secret(UPLOAD_URL)}
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
