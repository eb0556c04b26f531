"""What a sandbox has seen, as one JSON document: for its page, and for machines.

Rule: reads the book and changes nothing. Upload URLs and tokens are not in it, nor the queries of
addresses, which may be signatures. Times are the sandbox's, in seconds since the epoch; ids are
text, because JavaScript's numbers do not hold 19 digits.
"""

from collections import Counter
from collections.abc import Container, Iterator, Mapping
from typing import Any, Final

from transports.tiktok.sandbox.book import Book
from transports.tiktok.sandbox.faults import FaultQueue
from transports.tiktok.sandbox.posts import FAILED, Chunk, Post
from transports.tiktok.sandbox.webhooks import Webhooks

REQUESTS: Final = 100
"""How many of the last requests are told."""
FAULTS: Final[Mapping[str, str]] = {
    "status": "answered with a scripted status",
    "vendor_code": "answered with a scripted error",
    "reset_after": "connection reset in mid-body",
    "lose_answer": "stored, but the answer was lost",
    "lose_request": "connection reset before it was read",
    "stall_after": "reading stopped in mid-body",
    "stall_answer": "stored, but never answered",
    "slow": "read slowly",
    "early_status": "answered before the body was read",
    "expire": "the upload URL expired",
    "malformed": "the answer was garbled",
    "redirect": "answered with a redirect",
    "delay": "taken up late",
}
"""What a scripted fault did, in plain words."""


class Everything(Container[object]):
    """Holds whatever it is asked for."""

    def __contains__(self, item: object) -> bool:
        return True


EVERYTHING: Final = Everything()


def report(
    book: Book,
    webhooks: Webhooks,
    faults: FaultQueue,
    *,
    chunks_of: Container[object] = EVERYTHING,
) -> dict[str, Any]:
    """Return the document; chunks of the posts whose publish_id is in `chunks_of`."""
    now = book.clock.now()
    posts = [_post(post, now, chunks=post.publish_id in chunks_of) for post in list(book.posts)]
    return {
        "sandbox": "tiktok",
        "began": book.began,
        "now": now,
        "totals": _totals(book, posts),
        "posts": posts,
        "violations": [
            {"text": text, "times": times} for text, times in Counter(book.violations).items()
        ],
        "limits": [
            {
                "account": each.account,
                "limit": each.limit,
                "used": each.used,
                "most": each.most,
                "seconds": each.seconds,
            }
            for each in book.usage()
        ],
        "limited": dict(book.limited),
        "webhooks": [
            {
                "time": each.time,
                "event": each.event,
                "about": each.about,
                "url": each.url,
                "signature": each.signature,
                "status": each.status,
            }
            for each in list(webhooks.sent)
        ],
        "webhooks_due": len(webhooks.due),
        "faults_pending": [
            {"operation": each.operation, "fault": FAULTS[each.effects[0]]}
            for each in faults.pending
        ],
        "requests": [
            {
                "time": each.time,
                "operation": each.operation,
                "status": each.status,
                "publish_id": each.publish_id,
                "range": each.range,
                "fault": each.fault,
            }
            for each in list(book.requests)[-REQUESTS:]
        ],
    }


def _totals(book: Book, posts: list[dict[str, Any]]) -> dict[str, int]:
    return {
        "uploads": len(posts),
        "complete": sum(post["is_complete"] for post in posts),
        "failed": sum(post["status"] == FAILED for post in posts),
        "bytes": sum(post["received"] for post in posts if not post["pulled_from"]),
        "retries": sum(post["retries"] for post in posts),
        "refused": sum(post["refused"] for post in posts),
        "limited": sum(book.limited.values()),
        "faults": sum(request.fault for request in list(book.requests)),
        "requests": len(book.requests),
        "violations": len(book.violations),
    }


def _post(post: Post, now: float, *, chunks: bool) -> dict[str, Any]:
    view, attempts = post.view(now), list(post.chunks)
    received = post.downloaded_bytes(now) if post.urls else post.received
    facts: dict[str, Any] = {
        "publish_id": post.publish_id,
        "title": post.title,
        "account": post.account,
        "media": post.media,
        "is_draft": post.inbox,
        "privacy_level": post.privacy_level,
        "status": view.status,
        "fail_reason": view.fail_reason,
        "post_ids": [str(number) for number in view.post_ids],
        "size": post.size,
        "received": received,
        "arriving": sum(chunk.received for chunk in attempts if chunk.ended is None),
        "is_complete": post.complete,
        "sha256": post.sha256 if post.complete and not post.urls else None,
        "parts": post.total_chunk_count,
        "attempts": len(attempts),
        "retries": len(attempts) - len({(chunk.first, chunk.last) for chunk in attempts}),
        "refused": sum(is_refused(chunk) for chunk in attempts),
        "faults": sum(chunk.fault is not None for chunk in attempts),
        "created": post.created,
        "expires": None if post.urls else post.expires,
        "completed": post.completed if post.complete else None,
        "cancelled": post.cancelled,
        "duplicate_of": post.duplicate_of,
        "is_playable": post.kept is not None and post.complete,
        "pulled_from": [url.partition("?")[0] for url in post.urls],
    }
    return {**facts, "chunks": list(_chunks(attempts))} if chunks else facts


def is_refused(chunk: Chunk) -> bool:
    """Tell whether a PUT was answered with an error that nobody had scripted."""
    return chunk.status is not None and chunk.status >= 400 and chunk.fault is None


def _chunks(attempts: list[Chunk]) -> Iterator[dict[str, Any]]:
    seen = Counter[tuple[int, int]]()
    for chunk in attempts:
        seen[chunk.first, chunk.last] += 1
        yield {
            "first": chunk.first,
            "last": chunk.last,
            "size": chunk.last - chunk.first + 1,
            "attempt": seen[chunk.first, chunk.last],
            "started": chunk.started,
            "ended": chunk.ended,
            "status": chunk.status,
            "received": chunk.received,
            "is_stored": chunk.stored,
            "is_refused": is_refused(chunk),
            "fault": None if chunk.fault is None else FAULTS[chunk.fault],
            "why": chunk.why,
        }
