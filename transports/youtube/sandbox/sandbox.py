"""The sandbox as users hold it: a context manager with a server on a thread and loop of its own.

Rule: usable from synchronous code, without pytest, beside any event loop of the caller; it stops
in a moment whatever its clients are doing.
"""

import hashlib
import secrets
import ssl
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Literal, Self

from transports.youtube.sandbox.faults import Fault, FaultQueue
from transports.youtube.sandbox.server import Host
from transports.youtube.sandbox.videos import Book, RequestRecord, Video
from uploader.serving import ServerThread

if TYPE_CHECKING:
    from aiohttp import web

_LOOK_SECONDS = 0.05


class YouTubeViolation(AssertionError):
    """A client did what YouTube's clients must never do; the text lists what."""


class YouTubeSandbox:
    """Stand in for YouTube's resumable uploads, strictly.

    It keeps no bytes: each video has the SHA-256 of what arrived. With `strict`, leaving the
    context raises `YouTubeViolation` for everything in `violations`, unless another exception is on
    its way. `ended` is how processing ends (with `reason` where it is no success), at the question
    number `asks`.
    """

    def __init__(
        self,
        port: int = 0,
        host: str = "127.0.0.1",
        *,
        access_token: str | None = None,
        ssl_context: ssl.SSLContext | None = None,
        strict: bool = True,
        ended: Literal["processed", "failed", "rejected", "uploaded"] = "processed",
        reason: str | None = None,
        asks: int = 1,
    ) -> None:
        """Prepare; nothing listens before `start`. `port` 0 picks a free one."""
        self.strict = strict
        self._faults = FaultQueue()
        self._book = Book()
        self._ended: dict[str, str] = {"uploadStatus": ended}
        if reason is not None:
            self._ended["failureReason" if ended == "failed" else "rejectionReason"] = reason
        self._asks = asks
        self._server = ServerThread(
            self._opened, noun="YouTube sandbox", host=host, port=port, ssl_context=ssl_context
        )
        self.access_token = self.issue_token(value=access_token)

    # -- running ---------------------------------------------------------------------------------

    def start(self) -> Self:
        """Listen. Raise `OSError` if the address cannot be had, RuntimeError if it runs already."""
        self._server.start()
        return self

    def stop(self) -> None:
        """Reset every connection and end the thread. What was recorded stays readable."""
        self._server.stop()

    def serve_forever(self) -> None:
        """Serve until `stop` is called elsewhere or KeyboardInterrupt arrives."""
        self._server.serve_forever()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()
        if self.strict and exc is None:
            self.assert_no_violations()

    @property
    def base_url(self) -> str:
        """Return where it listens, without a slash at the end."""
        return self._server.base_url

    @asynccontextmanager
    async def _opened(self) -> "AsyncIterator[web.Server]":
        host = Host(
            self._book, self._faults, origin=self.base_url, ended=self._ended, asks=self._asks
        )
        yield host.server

    # -- tokens and faults -----------------------------------------------------------------------

    def issue_token(self, *, account: str = "sandbox-channel", value: str | None = None) -> str:
        """Return a new access token of a channel."""
        value = value or f"ya29.sandbox.{secrets.token_hex(24)}"
        self._book.tokens[value] = account
        return value

    def revoke_token(self, token: str) -> None:
        """Answer 401 to this token from now on."""
        self._book.tokens.pop(token, None)

    def script(self, *faults: Fault) -> None:
        """Let these faults happen, in this order, to the requests that follow."""
        self._faults.script(*faults)

    @property
    def pending_faults(self) -> list[Fault]:
        """Return the faults that have not fired yet, or not as often as they should."""
        return self._faults.pending

    # -- what happened ---------------------------------------------------------------------------

    @property
    def uploads(self) -> list[Video]:
        """Return a video for every session that was opened, in order, in any state."""
        return list(self._book.uploads)

    @property
    def videos(self) -> list[Video]:
        """Return the videos of which every byte was stored: those that exist."""
        return [video for video in self._book.uploads if video.complete]

    @property
    def requests(self) -> list[RequestRecord]:
        """Return every request, in order of arrival."""
        return list(self._book.requests)

    @property
    def violations(self) -> list[str]:
        """Return what clients did that they must never do."""
        return list(self._book.violations)

    def wait_for(self, happened: Callable[[], object], timeout: float = 5.0) -> None:
        """Wait until `happened()` is true of what the sandbox has seen; else TimeoutError.

        It is asked again at every request, piece of a body and answer, so a test can act in the
        middle of an upload without sleeping. A LookupError (no such video yet) means no.
        """
        deadline = time.monotonic() + timeout
        with self._book.changed:
            while not _true_of(happened):
                if (left := deadline - time.monotonic()) <= 0:
                    raise TimeoutError(f"did not happen within {timeout} s")
                self._book.changed.wait(min(left, _LOOK_SECONDS))

    def assert_no_violations(self) -> None:
        """Raise `YouTubeViolation` if a client did what it must never do."""
        if self.violations:
            lines = [f"{len(self.violations)} violations:", *self.violations]
            raise YouTubeViolation("\n  ".join(lines))

    def assert_uploaded_once(
        self,
        path: str | PathLike[str] | None = None,
        *,
        sha256: str | None = None,
        title: str | None = None,
    ) -> Video:
        """Return the one video that matches all that is given; else raise AssertionError.

        `path` stands for the content of a file.
        """
        if path is not None:
            with Path(path).open("rb") as file:
                sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        found = [
            video
            for video in self.videos
            if sha256 in (None, video.sha256) and title in (None, video.title)
        ]
        if len(found) == 1:
            return found[0]
        seen = [
            f"{video.title[:40]!r} {video.received} of {video.size} bytes, {video.sha256[:16]}…"
            for video in self.uploads
        ]
        head = f"expected exactly one video (sha256={sha256}, title={title!r}), found {len(found)}"
        raise AssertionError("\n  ".join([head, *seen]))


def _true_of(happened: Callable[[], object]) -> bool:
    try:
        return bool(happened())
    except LookupError:
        return False
