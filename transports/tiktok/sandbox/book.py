"""Everything the sandbox remembers: accounts, tokens, posts, requests, broken rules.

Rule: state and look-ups, no HTTP and no I/O. The server thread writes; tests read and issue tokens
from theirs, so what is shared is replaced or appended to, never rewritten in place.
"""

import json
import random
import secrets
import threading
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from transports.tiktok.sandbox.clock import SandboxClock
from transports.tiktok.sandbox.posts import FAILED, Post, RequestRecord
from transports.tiktok.sandbox.rules import Order
from transports.tiktok.sandbox.switches import Switches

SCOPES = ("video.publish", "video.upload")
WINDOW_SECONDS = 60.0  # "each user access_token is limited to N requests per minute", sliding
PER_WINDOW: Mapping[str, int] = {
    "init": 6,
    "inbox_init": 6,
    "content_init": 6,
    "creator_info": 20,
    "status": 30,
}
DAY_SECONDS = 86_400.0


@dataclass(frozen=True, slots=True)
class Token:
    """An access token: whose it is, what it may do, until when."""

    account: str
    scopes: frozenset[str]
    private: bool
    expires: float | None
    value: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Creator:
    """What an account's owner has set, and whether TikTok takes posts of it.

    Duets and stitches are off in private accounts, whatever is said here. `refusal` is the code
    of a cap or a ban: creator info and the inits that document it answer with it.
    """

    comment_disabled: bool = False
    duet_disabled: bool = False
    stitch_disabled: bool = False
    max_video_post_duration_sec: int = 600
    refusal: str | None = None


@dataclass(frozen=True, slots=True)
class Usage:
    """How much of a limit an account has used in its window."""

    account: str
    limit: str
    used: int
    most: int
    seconds: float


class Book:
    """Remember what happened, in order."""

    def __init__(
        self, *, clock: SandboxClock, switches: Switches, processing_seconds: float
    ) -> None:
        self.clock = clock
        self.switches = switches
        self.rule: str | None = None
        """The code that every init is refused with now."""
        self.processing_seconds = processing_seconds
        self.keep: Path | None = None
        """Where the bytes of posts are kept from now on."""
        self.posts: list[Post] = []
        self.requests: list[RequestRecord] = []
        self.violations: list[str] = []
        self.changed = threading.Condition()
        self.began = clock.now()
        self.creators: dict[str, Creator] = {}
        self.verified_urls: tuple[str, ...] = ()
        self._by_id: dict[str, Post] = {}
        self._by_upload_id: dict[str, Post] = {}
        self._by_init: dict[tuple[str, str], list[Post]] = {}
        self._tokens: dict[str, Token] = {}
        self._windows: dict[tuple[str, str], deque[float]] = {}
        self.limited: dict[str, int] = {}
        # Not a secret: made-up ids that look like TikTok's, different in every sandbox.
        self._ids = random.Random()  # noqa: S311

    # -- tokens ----------------------------------------------------------------------------------

    def issue_token(self, token: Token) -> None:
        """Accept a token from now on."""
        self._tokens[token.value] = token

    def revoke_token(self, value: str) -> None:
        """Refuse a token from now on."""
        self._tokens.pop(value, None)

    def token(self, value: str) -> Token | None:
        """Return a token that is known and has not expired."""
        token = self._tokens.get(value)
        if token is None or (token.expires is not None and self.clock.now() >= token.expires):
            return None
        return token

    def knows(self, value: str) -> bool:
        """Tell whether a string is, or contains, a token that was issued here."""
        return any(token in value for token in list(self._tokens))

    def admit(self, token: Token, operation: str) -> bool:
        """Count a request in the token's sliding window, or say that the window is full."""
        limit = PER_WINDOW.get(operation)
        if limit is None:
            return True
        window = self._windows.setdefault((token.value, operation), deque())
        now = self.clock.now()
        while window and window[0] <= now - WINDOW_SECONDS:
            window.popleft()
        if len(window) >= limit:
            self.limited[token.account] = self.limited.get(token.account, 0) + 1
            return False
        window.append(now)
        return True

    def usage(self) -> list[Usage]:
        """Return what is used of every limit now; of several tokens the one that has used most."""
        now, found = self.clock.now(), dict[tuple[str, str], int]()
        for (value, operation), window in list(self._windows.items()):
            used = sum(moment > now - WINDOW_SECONDS for moment in list(window))
            if used and (token := self._tokens.get(value)) is not None:
                key = token.account, operation
                found[key] = max(used, found.get(key, 0))
        rates = [
            Usage(account, operation, used, PER_WINDOW[operation], WINDOW_SECONDS)
            for (account, operation), used in found.items()
        ]
        days = {"drafts": self.switches.pending_drafts, "posts": self.switches.posts_a_day}
        counts = {
            "drafts": Counter(post.account for post in self.posts if self._is_pending(post, now)),
            "posts": Counter(post.account for post in self.posts if self._is_of_today(post, now)),
        }
        daily = [
            Usage(account, name, count, most, DAY_SECONDS)
            for name, most in days.items()
            if most is not None
            for account, count in counts[name].items()
        ]
        return sorted(rates + daily, key=lambda each: (each.account, each.limit))

    # -- posts -----------------------------------------------------------------------------------

    def open_post(
        self, order: Order, token: Token, body: Mapping[str, object], origin: str
    ) -> Post:
        """Start an upload task, or return the earlier one if the switch says so."""
        now = self.clock.now()
        twins = self._by_init.setdefault((token.account, json.dumps(body, sort_keys=True)), [])
        alive = [post for post in twins if post.view(now).status != FAILED]
        if alive and self.switches.identical_init == "same_task":
            return alive[0]
        upload_id = str(self._digits())
        source, urls = order.source, order.source.urls
        publish_id = f"{_shape(order)}.{self._digits()}"
        post = Post(
            publish_id=publish_id,
            kept=self.keep / publish_id if self.keep is not None and not urls else None,
            account=token.account,
            title=order.title,
            privacy_level=order.privacy_level,
            post_info=order.post_info,
            size=source.size,
            chunk_size=source.chunk_size,
            total_chunk_count=source.count,
            media=order.media,
            inbox=order.inbox,
            urls=urls,
            body=body,
            completed=now + self.switches.pull_seconds if urls else None,
            received=source.size if urls else 0,
            created=now,
            expires=now + self.switches.upload_url_seconds,
            duplicate_of=alive[0].publish_id if alive else None,
            clock=self.clock,
            switches=self.switches,
            processing_seconds=self.processing_seconds,
            post_id=self._digits(),
            url=self._upload_url(upload_id, origin),
        )
        self._by_id[post.publish_id] = post
        if not urls:
            self._by_upload_id[upload_id] = post
        twins.append(post)
        self.posts.append(post)
        return post

    def owns(self, url: str) -> bool:
        """Tell whether an address lies below a verified prefix, or in a verified domain."""
        host = urlsplit(url).hostname or ""
        return any(
            url.startswith(each) if "://" in each else host == each or host.endswith(f".{each}")
            for each in self.verified_urls
        )

    def pending_drafts(self, account: str) -> int:
        """Return how many drafts of the last 24 hours wait in an account's inbox."""
        now = self.clock.now()
        return sum(post.account == account and self._is_pending(post, now) for post in self.posts)

    def _is_pending(self, post: Post, now: float) -> bool:
        waits = post.inbox and not post.finished and post.created > now - DAY_SECONDS
        return waits and post.view(now).status != FAILED

    def posts_today(self, account: str) -> int:
        """Return how many posts of the last 24 hours were opened for an account, drafts aside."""
        now = self.clock.now()
        return sum(post.account == account and self._is_of_today(post, now) for post in self.posts)

    def _is_of_today(self, post: Post, now: float) -> bool:
        return not post.inbox and post.created > now - DAY_SECONDS

    def finish_draft(self, post: Post) -> int:
        """Let the creator make a public post of a draft; return its id."""
        number = self._digits()
        post.finished.append((self.clock.now(), number))
        self.notify()
        return number

    def post(self, publish_id: str) -> Post | None:
        """Return the post of a publish_id."""
        return self._by_id.get(publish_id)

    def post_of_upload(self, query: str) -> Post | None:
        """Return the post whose upload_id stands in the query of an upload URL."""
        return self._by_upload_id.get(dict(parse_qsl(query)).get("upload_id", ""))

    # -- requests --------------------------------------------------------------------------------

    def record(self, operation: str) -> RequestRecord:
        """Note a request that has just arrived."""
        entry = RequestRecord(operation, self.clock.now())
        self.requests.append(entry)
        self.notify()
        return entry

    def violation(self, text: str) -> None:
        """Note that a client did what a client must never do."""
        self.violations.append(text)
        self.notify()

    def notify(self) -> None:
        """Wake whoever waits for something to have happened."""
        with self.changed:
            self.changed.notify_all()

    def _digits(self) -> int:
        return self._ids.randrange(7 * 10**18, 8 * 10**18)  # 19 digits, as the real ones

    def _upload_url(self, upload_id: str, origin: str) -> str:
        base = f"{self.switches.upload_origin or origin}{self.switches.upload_path}"
        url = f"{base}?upload_id={upload_id}&upload_token={secrets.token_hex(16)}"
        return url + "f" * (self.switches.upload_url_length - len(url))


def _shape(order: Order) -> str:
    """Return how the ids of such posts begin."""
    kind = "p" if order.media == "photos" else "v"
    place = "inbox" if order.inbox else "pub"
    if order.source.urls:
        return f"{kind}_{place}_url~v2"
    return f"{kind}_{place}_file~v2" if order.inbox else f"{kind}_{place}_file~v2-1"
