"""What operators read is what the destination saw: sums over workers, uploads and faults."""

from collections import Counter
from collections.abc import Iterator

import pytest

from tests.engine.files import make_clip
from tests.instruments.prefork import run
from tests.instruments.scrape import Samples, parsed, total, value
from transports.tiktok.sandbox import Fault, Sandbox

UPLOADS = 200
LARGE = 12_000_000
"""The size of every fortieth clip: two parts."""


def faults() -> Iterator[Fault]:
    """Return faults after which the sandbox has read every byte that was sent."""
    for nth in (10, 60, 110, 160):
        yield Fault("put", nth=nth, status=503)
    for nth in (30, 80, 130):
        yield Fault("put", nth=nth, lose_answer=True)
    for nth in (25, 75):
        yield Fault("status", nth=nth, status=500)
    for nth in (40, 90, 140):
        yield Fault("init", nth=nth, vendor_code="invalid_params")
    for nth in (50, 120):
        yield Fault("init", nth=nth, status=500)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    """Serve a strict TikTok that does not count requests per minute."""
    with Sandbox(rate_limits=False) as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def told(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Samples:
    """Upload 200 clips with four workers and scrape the sums."""
    directory = tmp_path_factory.mktemp("clips")
    sandbox.script(*faults())
    clips = [
        make_clip(directory / f"{n}.mp4", LARGE + n if n % 40 == 0 else 1_000 + n, seed=n)
        for n in range(UPLOADS)
    ]
    found = run(directory / "metrics", "published", sandbox.base_url, sandbox.access_token, *clips)
    assert not sandbox.pending_faults
    sandbox.assert_no_violations()
    return parsed(found)


def length(text: str) -> int:
    """Return how many bytes a Content-Range names: those of its body, all of which are read."""
    first, last = text.removeprefix("bytes ").partition("/")[0].split("-")
    return int(last) - int(first) + 1


def test_requests_are_those_that_arrived(sandbox: Sandbox, told: Samples) -> None:
    """By operation and status; those without an answer are errors of the network."""
    arrived = Counter((r.operation, str(r.status or "network")) for r in sandbox.requests)
    assert {operation for operation, _ in arrived} == {"init", "put", "status"}
    for (operation, outcome), count in arrived.items():
        labels = {"transport": "tiktok", "operation": operation, "outcome": outcome}
        assert value(told, "requests_total", **labels) == count, labels
    assert total(told, "requests_total") == len(sandbox.requests)
    assert total(told, "request_duration_seconds_count") == len(sandbox.requests)


def test_bytes_are_those_that_were_read_and_kept(sandbox: Sandbox, told: Samples) -> None:
    """Sent is every byte that the sandbox read, confirmed what it kept."""
    ranges = [r.range for r in sandbox.requests if r.operation == "put"]
    read = sum(length(text) for text in ranges if text is not None)
    kept = sum(post.received for post in sandbox.uploads)
    assert value(told, "sent_bytes_total", transport="tiktok") == read
    assert value(told, "confirmed_bytes_total", transport="tiktok") == kept
    assert read > kept > LARGE


def test_retries_are_the_faults_that_were_overcome(sandbox: Sandbox, told: Samples) -> None:
    """One for each fault of an operation that may be repeated, by its cause."""
    met = Counter(
        ("put" if r.operation == "put" else "ask", "network" if r.status is None else "server")
        for r in sandbox.requests
        if r.fault and r.operation != "init"
    )
    assert met == {("put", "server"): 4, ("put", "network"): 3, ("ask", "server"): 2}
    lost = {"transport": "tiktok", "operation": "put"}
    assert value(told, "retries_total", **lost, error="network") == 3
    assert value(told, "retries_total", **lost, error="server") == 4
    # A faulted question is of an upload that is watched, or of one whose last answer was lost.
    assert total(told, "retries_total", transport="tiktok", error="server") == 6
    assert total(told, "retries_total") == met.total()
    assert total(told, "retry_wait_seconds_count") == met.total()
    assert total(told, "parts_total", outcome="failed") == 7


def test_outcomes_are_what_became_of_the_posts(sandbox: Sandbox, told: Samples) -> None:
    """Done is what was posted, failed what was refused; nobody knows of the rest."""
    refused = [r for r in sandbox.requests if r.operation == "init" and r.fault]
    unknown = sum(r.status == 500 for r in refused)
    outcomes = {"done": len(sandbox.posts), "failed": len(refused) - unknown, "unknown": unknown}
    assert outcomes == {"done": 195, "failed": 3, "unknown": 2}
    for outcome, count in outcomes.items():
        labels = {"transport": "tiktok", "outcome": outcome}
        assert value(told, "uploads_total", **labels) == count
        assert value(told, "upload_duration_seconds_count", **labels) == count
    assert total(told, "uploads_total") == UPLOADS
    assert value(told, "outcome_unknown_total", transport="tiktok") == unknown
    parts = sum(post.total_chunk_count for post in sandbox.posts)
    assert total(told, "parts_total", outcome="confirmed") == parts
    # Where the answer to the last part was lost, the word that it is posted came by a resync.
    polled = value(told, "processing_duration_seconds_count", transport="tiktok")
    assert 195 - 3 <= polled <= 195
    assert total(told, "uploads_in_progress") == total(told, "queue_windows") == 0
    assert total(told, "journal_errors_total") == total(told, "lease_conflicts_total") == 0
