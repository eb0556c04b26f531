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
from transports.tiktok.sandbox.posts import FAILED, PUBLISH_COMPLETE, SEND_TO_USER_INBOX, Post

Signature = Literal["good", "bad", "old", "absent", "other_body"]
_TIMEOUT = 10.0


@dataclass(frozen=True, slots=True)
class Notice:
    """One webhook: its body, and headers as they are sent."""

    event: str
    body: bytes
    headers: Mapping[str, str] = field(repr=False, default_factory=dict)
    about: str = ""
    """The publish_id, or the account."""
    signature: Signature = "good"


@dataclass(frozen=True, slots=True)
class Delivery:
    """One time that a notice was sent; `status` 0 is no answer. The query of `url` is left out."""

    time: float
    url: str
    event: str
    about: str
    signature: Signature
    status: int


class Webhooks:
    """Make and send the notices of one sandbox.

    `due` holds those that were not answered 200, `sent` every delivery.
    """

    def __init__(self, book: Book, oauth: OAuth) -> None:
        self.due: list[tuple[str, Notice]] = []
        self.sent: list[Delivery] = []
        self._told: set[tuple[str, str, str]] = set()
        self._book = book
        self._oauth = oauth

    def of_post(self, post: Post, *, signature: Signature = "good") -> Notice:
        """Return what TikTok tells last of a post as it stands; ValueError when that is nothing.

        A public post that has its id is `publicly_available`; a draft has been delivered.
        """
        facts = self._facts(post)
        if not facts:
            raise ValueError(f"{post.publish_id} is {post.status}: there is nothing to tell")
        event, content = facts[-1]
        return self.make(event, post.account, content, signature)

    def news(self, *, signature: Signature = "good") -> list[Notice]:
        """Return what has become of all posts since this was asked before."""
        found = []
        for post in list(self._book.posts):
            for event, content in self._facts(post):
                key = post.publish_id, event, str(content.get("post_id", ""))
                if key not in self._told:
                    self._told.add(key)
                    found.append(self.make(event, post.account, content, signature))
        return found

    def _facts(self, post: Post) -> list[tuple[str, dict[str, object]]]:
        """Return the events that a post has come to, in order, with their contents."""
        view = post.view(self._book.clock.now())
        kind = "INBOX_SHARE" if post.inbox else "DIRECT_POST"
        said: dict[str, object] = {"publish_id": post.publish_id, "publish_type": kind}
        if view.status == FAILED:
            return [("post.publish.failed", said | {"reason": view.fail_reason})]
        events: list[tuple[str, dict[str, object]]] = []
        if post.inbox and view.status in (SEND_TO_USER_INBOX, PUBLISH_COMPLETE):
            events.append(("post.publish.inbox_delivered", said))
        if view.status == PUBLISH_COMPLETE:
            events.append(("post.publish.complete", said))
        for number in view.post_ids:
            told = said | {"post_id": str(number)}
            events.append(("post.publish.publicly_available", told))
        return events

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
        return Notice(event, body, headers, str(content.get("publish_id") or account), signature)

    def send(self, url: str, notice: Notice, *, times: int = 1) -> list[int]:
        """Deliver a notice, more than once on demand; return the answers, 0 for none."""
        answers = [self._deliver(url, notice) for _ in range(times)]
        if answers[-1] != 200:
            self.due.append((url, notice))
        return answers

    def send_news(self, url: str, *, times: int = 1, signature: Signature = "good") -> list[Notice]:
        """Deliver what has become of all posts since the last time; return what was delivered."""
        found = self.news(signature=signature)
        for notice in found:
            self.send(url, notice, times=times)
        return found

    def send_again(self, accept: Callable[[Notice], bool] = lambda notice: True) -> list[int]:
        """Deliver once more what was not answered 200, in order."""
        waiting, self.due = self.due, []
        for url, notice in waiting:
            if not accept(notice):
                self.due.append((url, notice))
        return [
            answer for url, notice in waiting if accept(notice) for answer in self.send(url, notice)
        ]

    def _deliver(self, url: str, notice: Notice) -> int:
        moment, status = self._book.clock.now(), _post(url, notice)
        shown = urlsplit(url)._replace(query="", fragment="")
        shown = shown._replace(netloc=shown.netloc.rpartition("@")[2])
        self.sent.append(
            Delivery(moment, shown.geturl(), notice.event, notice.about, notice.signature, status)
        )
        self._book.notify()
        return status

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
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=_TIMEOUT)
    target = parts._replace(scheme="", netloc="", path=parts.path or "/", fragment="").geturl()
    try:
        connection.request("POST", target, notice.body, dict(notice.headers))
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        connection.close()
