"""The sandbox as users hold it: a context manager with a server on a thread and loop of its own.

Rule: usable from synchronous code, without pytest, beside any event loop of the caller; it stops
in a moment whatever its clients are doing.
"""

import asyncio
import hashlib
import secrets
import socket
import ssl
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from transports.youtube.sandbox.faults import Fault, FaultQueue
from transports.youtube.sandbox.server import Host
from transports.youtube.sandbox.videos import Book, RequestRecord, Video

_STOP_SECONDS = 0.15
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
        self._host, self._port = host, port
        self._ssl = ssl_context
        self._faults = FaultQueue()
        self._book = Book()
        self._ended: dict[str, str] = {"uploadStatus": ended}
        if reason is not None:
            self._ended["failureReason" if ended == "failed" else "rejectionReason"] = reason
        self._asks = asks
        self._serving: _Serving | None = None
        self._stopped = threading.Event()
        self.access_token = self.issue_token(value=access_token)

    # -- running ---------------------------------------------------------------------------------

    def start(self) -> Self:
        """Listen. Raise `OSError` if the address cannot be had, RuntimeError if it runs already."""
        if self._serving is not None:
            raise RuntimeError(f"the sandbox runs already, at {self.base_url}")
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        listener = socket.create_server((self._host, self._port), family=family, backlog=1024)
        self._port = listener.getsockname()[1]
        self._stopped.clear()
        self._serving = _Serving(self._new_host, listener, self._ssl)
        return self

    def stop(self) -> None:
        """Reset every connection and end the thread. What was recorded stays readable."""
        if self._serving is not None:
            self._serving.stop()
            self._serving = None
        self._stopped.set()

    def serve_forever(self) -> None:
        """Serve until `stop` is called elsewhere or KeyboardInterrupt arrives."""
        if self._serving is None:
            self.start()
        try:
            self._stopped.wait()
        finally:
            self.stop()

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
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"{'https' if self._ssl else 'http'}://{host}:{self._port}"

    def _new_host(self) -> Host:
        return Host(
            self._book, self._faults, origin=self.base_url, ended=self._ended, asks=self._asks
        )

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


class _Serving:
    """A server on its thread, from listening to stopped."""

    def __init__(
        self,
        new_host: Callable[[], Host],
        listener: socket.socket,
        ssl_context: ssl.SSLContext | None,
    ) -> None:
        self._new_host = new_host
        self._listener = listener
        self._ssl = ssl_context
        self._ready: Future[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = Future()
        self._thread = threading.Thread(target=self._run, name="youtube-sandbox", daemon=True)
        self._thread.start()
        self._loop, self._over = self._ready.result()

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join()

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        loop, over = asyncio.get_running_loop(), asyncio.Event()
        # Connections break here on purpose.
        loop.set_exception_handler(lambda loop, context: None)
        try:
            host = self._new_host()
            listening = await loop.create_server(host.server, sock=self._listener, ssl=self._ssl)
        except BaseException as exc:
            self._ready.set_exception(exc)
            return
        self._ready.set_result((loop, over))
        await over.wait()
        listening.close()
        for connection in host.server.connections:
            if connection.transport is not None:
                connection.transport.abort()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=_STOP_SECONDS)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop


def _true_of(happened: Callable[[], object]) -> bool:
    try:
        return bool(happened())
    except LookupError:
        return False
