"""The sandbox as users hold it: a context manager with a server on a thread and loop of its own.

Rule: usable from synchronous code, without pytest, beside any event loop of the caller; it stops
in a moment whatever its clients are doing.
"""

import hashlib
import secrets
import ssl
import time
from collections.abc import AsyncIterator, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from transports.tiktok.sandbox.book import SCOPES, Book, Creator, Token
from transports.tiktok.sandbox.clock import SandboxClock
from transports.tiktok.sandbox.faults import Fault, FaultQueue
from transports.tiktok.sandbox.oauth import OAuth
from transports.tiktok.sandbox.page import PATH, Page
from transports.tiktok.sandbox.posts import FAILED, SEND_TO_USER_INBOX, Post, RequestRecord
from transports.tiktok.sandbox.posts import PUBLISH_COMPLETE as COMPLETE
from transports.tiktok.sandbox.report import report
from transports.tiktok.sandbox.server import Host
from transports.tiktok.sandbox.switches import Switches
from transports.tiktok.sandbox.webhooks import Webhooks
from uploader.serving import ServerThread

if TYPE_CHECKING:
    from aiohttp import web


class SandboxViolation(AssertionError):
    """A client did what TikTok's clients must never do; the text lists what."""


class Sandbox:
    """Stand in for TikTok's Content Posting API and its upload host, strictly.

    It keeps no bytes: each post has the SHA-256, ranges and times of what arrived. Given a folder
    to `keep` them in, each post is a file there by its publish_id. With `strict`, leaving the
    context raises `SandboxViolation` for everything in `violations`, unless another exception is on
    its way. Times are on `clock`, which tests may advance.
    """

    def __init__(
        self,
        port: int = 0,
        host: str = "127.0.0.1",
        *,
        access_token: str | None = None,
        ssl_context: ssl.SSLContext | None = None,
        switches: Switches | None = None,
        strict: bool = True,
        processing_seconds: float = 0.0,
        rate_limits: bool = True,
        public_base_url: str | None = None,
        clock: SandboxClock | None = None,
        keep: str | PathLike[str] | None = None,
    ) -> None:
        """Prepare; nothing listens before `start`.

        `port` 0 picks a free one. `public_base_url` is what upload URLs begin with when clients
        reach the sandbox through another name.
        """
        self.clock = clock or SandboxClock()
        self.switches = switches or Switches()
        self.strict = strict
        self._rate_limits = rate_limits
        self._public_base_url = public_base_url.rstrip("/") if public_base_url else None
        self._faults = FaultQueue()
        self._book = Book(
            clock=self.clock,
            switches=self.switches,
            processing_seconds=processing_seconds,
        )
        if keep is not None:
            self.keep_in(keep)
        self.oauth = OAuth(self._book)
        self.webhooks = Webhooks(self._book, self.oauth)
        self.access_token = self._accept(access_token, "sandbox-creator")
        self._server = ServerThread(
            self._opened,
            noun="TikTok sandbox",
            host=host,
            port=port,
            ssl_context=ssl_context,
            complain=self._complain,
        )

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
        if self.strict and exc is None and self.violations:
            raise SandboxViolation(_listed(self.violations))

    @property
    def base_url(self) -> str:
        """Return where it listens, without a slash at the end."""
        return self._server.base_url

    @property
    def page_url(self) -> str:
        """Return where a browser shows what has arrived; `report` is the same for machines."""
        return self.base_url + PATH

    @asynccontextmanager
    async def _opened(self) -> "AsyncIterator[web.Server]":
        pool = ThreadPoolExecutor(2, thread_name_prefix="tiktok-sandbox-hash")
        try:
            host = Host(
                self._book,
                self._faults,
                pool,
                oauth=self.oauth,
                page=Page(self._book, self.webhooks, self._faults),
                origin=self._public_base_url or self.base_url,
                rate_limits=self._rate_limits,
                # Behind a proxy the Host header is the proxy's business.
                check_host=self._public_base_url is None,
            )
            yield host.server
        finally:
            pool.shutdown(cancel_futures=True)

    def _complain(self, context: dict[str, Any]) -> None:
        # Connections break here on purpose; everything else is a fault of the sandbox.
        if not isinstance(context.get("exception"), OSError):
            self._book.violation(f"the sandbox itself failed: {context.get('message')}")

    @property
    def app(self) -> dict[str, str]:
        """Return the app that accounts may log in to, as the variables that name it."""
        return {
            "TIKTOK_CLIENT_KEY": self.oauth.client_key,
            "TIKTOK_CLIENT_SECRET": self.oauth.client_secret,
        }

    # -- tokens and faults -----------------------------------------------------------------------

    def issue_token(
        self,
        *,
        scopes: Iterable[str] = SCOPES,
        account: str = "sandbox-creator",
        private: bool = False,
        expires_in: float | None = None,
    ) -> str:
        """Return a new access token of an account; it expires after seconds on the clock."""
        return self._accept(None, account, frozenset(scopes), private, expires_in)

    def revoke_token(self, token: str) -> None:
        """Answer 401 to this token from now on."""
        self._book.revoke_token(token)

    def set_creator(self, account: str = "sandbox-creator", **settings: Any) -> None:
        """Say what an account's owner has set: the fields of `Creator`."""
        self._book.creators[account] = Creator(**settings)

    def change_rule(self, code: str | None) -> None:
        """Refuse every init with an error code from now on, as if TikTok had changed a rule.

        `None` takes the rule back.
        """
        self._book.rule = code

    def verify_url(self, *prefixes: str) -> None:
        """Let TikTok know that these domains (with all below them) and URL prefixes are the app's.

        A domain is `example.com`, a prefix `https://example.com/videos/`.
        """
        self._book.verified_urls += prefixes

    def finish_draft(self, publish_id: str) -> int:
        """Let the creator make a public post of a draft in the inbox; return the post's id.

        Raises `LookupError` for what is no draft of ours, or not in the inbox yet.
        """
        post = self._book.post(publish_id)
        if post is None or not post.inbox or post.status not in (SEND_TO_USER_INBOX, COMPLETE):
            raise LookupError(f"{publish_id} is no draft in an inbox")
        return self._book.finish_draft(post)

    def keep_in(self, folder: str | PathLike[str]) -> None:
        """Keep the bytes of posts that begin from now on as files, which the page plays."""
        place = Path(folder)
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._book.keep = place

    def script(self, *faults: Fault) -> None:
        """Let these faults happen, in this order, to the requests that follow."""
        self._faults.script(*faults)

    @property
    def pending_faults(self) -> list[Fault]:
        """Return the faults that have not fired yet, or not as often as they should."""
        return self._faults.pending

    def _accept(
        self,
        value: str | None,
        account: str,
        scopes: frozenset[str] = frozenset(SCOPES),
        private: bool = False,  # noqa: FBT001, FBT002
        expires_in: float | None = None,
    ) -> str:
        value = value or f"act.sandbox.{secrets.token_hex(24)}"
        expires = None if expires_in is None else self.clock.now() + expires_in
        self._book.issue_token(
            Token(account=account, scopes=scopes, private=private, expires=expires, value=value)
        )
        return value

    # -- what happened ---------------------------------------------------------------------------

    @property
    def uploads(self) -> list[Post]:
        """Return a post for every init that was accepted, in order, in any state."""
        return list(self._book.posts)

    @property
    def posts(self) -> list[Post]:
        """Return the posts of which every byte was stored."""
        return [post for post in self._book.posts if post.complete]

    @property
    def duplicates(self) -> list[Post]:
        """Return the uploads whose init repeated an earlier one that had not failed."""
        return [post for post in self._book.posts if post.duplicate_of is not None]

    @property
    def requests(self) -> list[RequestRecord]:
        """Return every request, in order of arrival."""
        return list(self._book.requests)

    def report(self) -> dict[str, Any]:
        """Return everything that was seen as one JSON-able document, without secrets."""
        return report(self._book, self.webhooks, self._faults)

    @property
    def violations(self) -> list[str]:
        """Return what clients did that they must never do."""
        return list(self._book.violations)

    @property
    def limited(self) -> dict[str, int]:
        """Return how many requests of each account were refused as too many within a minute."""
        return dict(self._book.limited)

    def wait_for(self, happened: Callable[[], object], timeout: float = 5.0) -> None:
        """Wait until `happened()` is true of what the sandbox has seen; else TimeoutError.

        It is asked again at every request, piece of a body and answer, so a test can act in the
        middle of an upload without sleeping. A LookupError (no such post or chunk yet) means no.
        """
        deadline = time.monotonic() + timeout
        with self._book.changed:
            while not _true_of(happened):
                if (left := deadline - time.monotonic()) <= 0:
                    raise TimeoutError(f"did not happen within {timeout} s")
                # Also looks now and then: a condition may hang on the clock.
                self._book.changed.wait(min(left, 0.05))

    def assert_no_violations(self) -> None:
        """Raise `SandboxViolation` if a client did what it must never do."""
        if self.violations:
            raise SandboxViolation(_listed(self.violations))

    def assert_posted_once(
        self,
        path: str | PathLike[str] | None = None,
        *,
        sha256: str | None = None,
        title: str | None = None,
        publish_id: str | None = None,
    ) -> Post:
        """Return the one post that matches all that is given; else raise AssertionError.

        `path` stands for the content of a file. A post counts when every byte of it was stored
        and it did not end in FAILED.
        """
        if path is not None:
            with Path(path).open("rb") as file:
                content = hashlib.file_digest(file, "sha256").hexdigest()
            if sha256 not in (None, content):
                raise AssertionError(f"{path} has sha256 {content}, not {sha256}")
            sha256 = content
        wanted = {"sha256": sha256, "title": title, "publish_id": publish_id}
        wanted = {name: value for name, value in wanted.items() if value is not None}
        found = [
            post
            for post in self.posts
            if post.status != FAILED
            and all(getattr(post, name) == value for name, value in wanted.items())
        ]
        if len(found) != 1:
            raise AssertionError(self._miscount(wanted, len(found)))
        return found[0]

    def _miscount(self, wanted: dict[str, str | None], found: int) -> str:
        criteria = ", ".join(f"{name}={value!r}" for name, value in wanted.items()) or "any"
        uploads = [
            f"{post.publish_id} {post.status} {post.received} of {post.size} bytes, "
            f"sha256 {post.sha256[:16]}…, title {post.title[:40]!r}"
            for post in self.uploads
        ]
        head = f"expected exactly one post ({criteria}), found {found}"
        return f"{head}; {len(self.posts)} complete of {_listed(uploads, 'uploads')}"


def _true_of(happened: Callable[[], object]) -> bool:
    try:
        return bool(happened())
    except LookupError:
        return False


def _listed(lines: list[str], noun: str = "violations") -> str:
    return "\n  ".join([f"{len(lines)} {noun}:", *lines])
