"""Each of TikTok's calls is written once, and the drop-in service uses that one.

What reaches a sandbox is compared with what the flows asked for: a service that spoke HTTP by
itself, or built a request of its own, would be seen as one too many.
"""

from __future__ import annotations

import ast
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.engine.clock import FakeClock
from tests.engine.files import make_clip
from transports.tiktok import (
    DirectPost,
    TikTokAccount,
    TikTokPublishService,
    cancel,
    creator_info,
    operations,
    post_status,
    protocol,
)
from transports.tiktok.oauth import REVOKE_PATH, TOKEN_PATH
from transports.tiktok.paths import Endpoint
from transports.tiktok.sandbox import Fault, Sandbox
from uploader import Outcome, Uploader
from uploader.errors import RejectedError
from uploader.http import Request

HOME = Path(protocol.__file__).parent
MODULES = sorted(path for path in HOME.rglob("*.py") if "sandbox" not in path.parts)
FACES = [HOME / name for name in ("service.py", "calls.py", "preflight.py", "factory.py")]
WIRES = {"aiohttp", "http", "httpx", "requests", "select", "socket", "socketserver", "ssl",
         "urllib", "urllib3", "uploader.wire", "uploader.http"}  # fmt: skip
SPOKEN = ("://", "/v2/", "Bearer", "Authorization", "Content-Range", "tiktokapis")


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Collect what the flows ask for: the API by `operations.request`, chunks by `put_part`."""
    seen: list[str] = []

    def counted(make: Callable[..., Request]) -> Callable[..., Request]:
        def call(*given: Any, **named: Any) -> Request:
            request = make(*given, **named)
            seen.append(request.operation)
            return request

        return call

    monkeypatch.setattr(operations, "request", counted(operations.request))
    monkeypatch.setattr(protocol, "Request", counted(Request))
    return seen


def arrived(sandbox: Sandbox) -> list[str]:
    """Return what reached the sandbox, in order; the three inits are one call, to other paths."""
    return [request.operation.replace("inbox_init", "init") for request in sandbox.requests]


@pytest.mark.parametrize("size", [4_000_000, 12_000_000, 70_000_001])
def test_publishing_by_the_service_is_what_the_flows_ask_for(
    sandbox: Sandbox, dropin: TikTokPublishService, asked: list[str], tmp_path: Path, size: int
) -> None:
    """With a lost answer in between; not one request more, nor in another order."""
    sandbox.script(Fault("put", lose_answer=True), Fault("status", nth=3, status=503))
    clip = make_clip(tmp_path / "clip.mp4", size)
    assert dropin.publish_video(clip, privacy_level="private")["success"]
    assert asked[:2] == ["init", "put"]
    assert asked == arrived(sandbox)


def test_the_three_calls_of_old_are_what_the_flows_ask_for(
    sandbox: Sandbox, dropin: TikTokPublishService, asked: list[str], tmp_path: Path
) -> None:
    """Init, chunks and status on their own."""
    clip = make_clip(tmp_path / "clip.mp4", 12_000_000)
    opened = dropin.initiate_video_post(clip, privacy_level="private")
    assert asked == arrived(sandbox) == ["init"]
    chunks = opened["upload_url"], clip, opened["chunk_size"], opened["total_chunks"]
    assert dropin.upload_video_chunks(*chunks)
    assert dropin.check_publish_status(opened["publish_id"])["status"] == "PUBLISH_COMPLETE"
    assert asked == arrived(sandbox)
    assert asked[-1] == "status"


def test_service_and_library_send_the_same(
    sandbox: Sandbox, dropin: TikTokPublishService, still: FakeClock, tmp_path: Path
) -> None:
    """The same clip by either: the same init, to the byte, and the same ranges."""
    clip = make_clip(tmp_path / "clip.mp4", 70_000_001)
    assert dropin.publish_video(clip, caption="Hi", privacy_level="private")["success"]
    with Uploader(clock=still, metrics=False) as up:
        post = DirectPost(
            access_token=sandbox.access_token,
            base_url=sandbox.base_url,
            account="other",
            title="Hi",
            privacy_level="SELF_ONLY",
        )
        assert up.upload(clip, post).outcome is Outcome.DONE
    one, other = sandbox.posts
    assert one.body == other.body
    assert one.ranges == other.ranges
    assert one.sha256 == other.sha256


def test_the_small_calls_are_what_the_flows_ask_for(
    sandbox: Sandbox, still: FakeClock, asked: list[str], tmp_path: Path
) -> None:
    """Creator info, status and cancel as functions."""
    account = TikTokAccount(
        access_token=sandbox.access_token, base_url=sandbox.base_url, account="acme"
    )
    with Uploader(clock=still, metrics=False) as up:
        for ask in (post_status, cancel):
            with pytest.raises(RejectedError, match="invalid_publish_id"):
                ask(up, account, "v_pub_file~v2-1.1")
        creator_info(up, account)
    assert asked == arrived(sandbox) == ["status", "cancel", "creator_info"]


def test_a_request_of_ones_own_would_be_seen(sandbox: Sandbox, asked: list[str]) -> None:
    """The comparison fails for whoever speaks HTTP beside the flows."""
    headers = {
        "Authorization": f"Bearer {sandbox.access_token}",
        "Content-Type": "application/json",
    }
    url = sandbox.base_url + Endpoint.CREATOR_INFO
    own = urllib.request.Request(url, b"{}", headers)  # noqa: S310 - our own sandbox
    with urllib.request.urlopen(own, timeout=10) as answer:  # noqa: S310
        assert answer.status == 200
    assert arrived(sandbox) == ["creator_info"]
    assert asked != arrived(sandbox)


def literals(path: Path) -> Iterator[tuple[int, str]]:
    """Return the string constants of a module, docstrings aside, with their lines."""
    tree = ast.parse(path.read_text())
    docs = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and id(node) not in docs and isinstance(node.value, str):
            yield node.lineno, node.value


def imported(path: Path) -> set[str]:
    """Return the modules that a module imports, also inside of functions."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


@pytest.mark.parametrize("path", FACES, ids=lambda path: path.name)
def test_no_face_speaks_http(path: Path) -> None:
    """Neither a library for it, nor an address, a path or a header is in it."""
    found = imported(path) - {"ssl"}  # an SSL context is handed on
    assert not {name for name in found if name in WIRES or name.partition(".")[0] in WIRES}
    for line, text in literals(path):
        assert not any(word in text for word in SPOKEN), (path.name, line, text)


@pytest.mark.parametrize("wanted", [*Endpoint, TOKEN_PATH, REVOKE_PATH])
def test_a_path_is_written_once(wanted: str) -> None:
    """The transport's whole package, the sandbox aside, knows it from one place."""
    places = [path.name for path in MODULES for _, text in literals(path) if wanted in text]
    assert places == ["oauth.py" if "oauth" in wanted else "paths.py"]
