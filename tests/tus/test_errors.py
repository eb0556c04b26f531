"""Each status is one kind of failure, with what the engine may do about it."""

from __future__ import annotations

import pytest

from tests.tus.answers import answer
from transports.tus.errors import refused
from uploader.errors import (
    AuthenticationError,
    DigestMismatchError,
    OffsetMismatchError,
    ProtocolError,
    RateLimitedError,
    Recovery,
    RejectedError,
    ServerError,
    SessionExpiredError,
    TransportError,
)

NONE, RETRY, RESYNC, RESTART = Recovery.NONE, Recovery.RETRY, Recovery.RESYNC, Recovery.RESTART


@pytest.mark.parametrize(
    ("operation", "status", "kind", "recovery", "ambiguous"),
    [
        ("create", 204, ProtocolError, NONE, True),
        ("create", 301, ProtocolError, NONE, False),
        ("put", 308, ProtocolError, NONE, False),
        ("put", 400, RejectedError, NONE, False),
        ("create", 401, AuthenticationError, NONE, False),
        ("put", 403, AuthenticationError, NONE, False),
        ("create", 404, RejectedError, NONE, False),
        ("complete", 404, RejectedError, NONE, False),
        ("put", 404, SessionExpiredError, RESTART, False),
        ("query", 410, SessionExpiredError, RESTART, False),
        ("create", 405, RejectedError, NONE, False),
        ("put", 409, OffsetMismatchError, RESYNC, False),
        ("create", 409, RejectedError, NONE, False),
        ("put", 412, RejectedError, NONE, False),
        ("create", 413, RejectedError, NONE, False),
        ("put", 415, RejectedError, NONE, False),
        ("put", 423, ServerError, RETRY, False),
        ("put", 429, RateLimitedError, RETRY, False),
        ("put", 460, DigestMismatchError, RETRY, False),
        ("create", 500, ServerError, RETRY, True),
        ("put", 503, ServerError, RESYNC, True),
        ("query", 503, ServerError, RETRY, True),
        ("create", 501, RejectedError, NONE, False),
    ],
)
def test_what_a_status_means(
    operation: str, status: int, kind: type[TransportError], recovery: Recovery, ambiguous: bool
) -> None:
    """Kind, recovery, and whether the server may have acted."""
    error = refused(operation, answer(status))
    assert type(error) is kind
    assert (error.recovery, error.ambiguous) == (recovery, ambiguous)
    assert (error.operation, error.status) == (operation, status)
    assert str(status) in error.message


def test_the_version_that_is_spoken_is_told() -> None:
    """412 names both versions."""
    error = refused("create", answer(412, tus_version="0.2.2,0.2.1"))
    assert "0.2.2,0.2.1, not tus 1.0.0" in error.message


@pytest.mark.parametrize(
    ("most", "says"), [("5000000", "5,000,000 bytes"), ("", "content is too large"),
                       ("9" * 5000, "content is too large")]
)  # fmt: skip
def test_the_largest_size_is_told(most: str, says: str) -> None:
    """413 repeats `Tus-Max-Size` when it is a number."""
    assert says in refused("create", answer(413, tus_max_size=most)).message


def test_a_server_may_say_when() -> None:
    """`Retry-After` is kept."""
    assert refused("put", answer(503, retry_after=7)).retry_after == 7.0


@pytest.mark.parametrize(
    ("content", "kind", "says"),
    [
        (b"no space left\nsee the log", "text/plain", "500: no space left"),
        (b"<html>oops</html>", "text/html; charset=utf-8", "500"),
        (b"\x00\xff" * 2000, "", "500"),
        ("é".encode() * 900, "text/plain", "500: " + "é" * 200),
    ],
)
def test_the_servers_words_are_kept_short(content: bytes, kind: str, says: str) -> None:
    """One line, no page, nothing unprintable."""
    message = refused("create", answer(500, content, content_type=kind)).message
    assert message.startswith(f"create: the server answered {says}")
    assert message.isprintable()
    assert len(message) < 300
