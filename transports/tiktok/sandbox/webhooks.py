"""Webhooks that the sandbox sends itself: what became of a post, or of a consent.

Rule: the body is exactly what was signed. Bad signatures, duplicates and late ones are made on
demand; a delivery that is not answered 200 is kept as due and sent again when asked.
https://developers.tiktok.com/doc/webhooks-overview
"""

import hashlib
import hmac
import http.client
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urlsplit

from transports.tiktok.sandbox.book import Book
from transports.tiktok.sandbox.oauth import OAuth
from transports.tiktok.sandbox.posts import FAILED, PUBLISH_COMPLETE, Post

Signature = Literal["good", "bad", "old", "absent", "other_body"]
_TIMEOUT = 10.0


@dataclass(frozen=True, slots=True)
class Notice:
    """One webhook: its body, and headers as they are sent."""

    event: str
    body: bytes
    headers: Mapping[str, str] = field(repr=False, default_factory=dict)


class Webhooks:
    """Make and send the notices of one sandbox. `due` holds those that were not answered 200."""

    def __init__(self, book: Book, oauth: OAuth) -> None:
        self.due: list[tuple[str, Notice]] = []
        self._book = book
        self._oauth = oauth

    def of_post(self, post: Post, *, signature: Signature = "good") -> Notice:
        """Return what TikTok tells of a post as it stands; ValueError when nothing is to be told.

        A public post that has its id is `publicly_available`.
        """
        view = post.view(self._book.clock.now())
        facts: dict[str, object] = {"publish_id": post.publish_id, "publish_type": "DIRECT_POST"}
        if view.status == FAILED:
            return self.make(
                "post.publish.failed", post.account, facts | {"reason": view.fail_reason}, signature
            )
        if view.status != PUBLISH_COMPLETE:
            raise ValueError(f"{post.publish_id} is {view.status}: there is nothing to tell")
        if view.post_ids:
            facts["post_id"] = str(view.post_ids[0])
            return self.make("post.publish.publicly_available", post.account, facts, signature)
        return self.make("post.publish.complete", post.account, facts, signature)

    def of_removal(self, account: str, *, reason: int = 1, signature: Signature = "good") -> Notice:
        """Return the notice of a consent that was withdrawn."""
        return self.make("authorization.removed", account, {"reason": reason}, signature)

    def make(
        self,
        event: str,
        account: str,
        content: Mapping[str, object],
        signature: Signature = "good",
    ) -> Notice:
        """Return a notice of any event. `content` travels as a string of JSON within the JSON."""
        now = int(self._book.clock.now())
        body = json.dumps(
            {
                "client_key": self._oauth.client_key,
                "event": event,
                "create_time": now,
                "user_openid": self._oauth.open_id(account),
                "content": json.dumps(content),
            }
        ).encode()
        headers = {"Content-Type": "application/json", **self._signed(body, now, signature)}
        return Notice(event, body, headers)

    def send(self, url: str, notice: Notice, *, times: int = 1) -> list[int]:
        """Deliver a notice, more than once on demand; return the answers, 0 for none."""
        answers = [_post(url, notice) for _ in range(times)]
        if answers[-1] != 200:
            self.due.append((url, notice))
        return answers

    def send_again(self, accept: Callable[[Notice], bool] = lambda notice: True) -> list[int]:
        """Deliver once more what was not answered 200, in order."""
        waiting, self.due = self.due, []
        for url, notice in waiting:
            if not accept(notice):
                self.due.append((url, notice))
        return [
            answer for url, notice in waiting if accept(notice) for answer in self.send(url, notice)
        ]

    def _signed(self, body: bytes, now: int, signature: Signature) -> dict[str, str]:
        if signature == "absent":
            return {}
        moment = now - 7200 if signature == "old" else now
        signed = body + b" " if signature == "other_body" else body
        digest = hmac.new(
            self._oauth.client_secret.encode(), f"{moment}.".encode() + signed, hashlib.sha256
        ).hexdigest()
        if signature == "bad":
            digest = f"{int(digest[0], 16) ^ 1:x}{digest[1:]}"
        return {"TikTok-Signature": f"t={moment},s={digest}"}


def _post(url: str, notice: Notice) -> int:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(
        parts.hostname or "", parts.port or 80, timeout=_TIMEOUT
    )
    try:
        connection.request("POST", parts.path or "/", notice.body, dict(notice.headers))
        return connection.getresponse().status
    except OSError:
        return 0
    finally:
        connection.close()
