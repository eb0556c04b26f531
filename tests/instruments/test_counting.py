"""What events do to metrics, whatever a server or a plug-in calls things."""

import os
import random

import pytest
from prometheus_client import CollectorRegistry

from tests.instruments.scrape import Samples, scraped, total, value
from uploader import events
from uploader.errors import ServerError
from uploader.instruments.counting import Metrics
from uploader.instruments.labels import MOST
from uploader.model import Outcome

WHO = {"upload_id": "u-1", "transport": "tiktok"}


def started(upload_id: str, transport: str = "tiktok") -> events.UploadStarted:
    """Begin an upload of one part."""
    return events.UploadStarted(
        upload_id=upload_id, transport=transport, account="acme", name="clip.mp4",
        size=1000, parts=1, part_size=1000,
    )  # fmt: skip


def completed(upload_id: str, transport: str = "tiktok") -> events.UploadCompleted:
    """End an upload well."""
    return events.UploadCompleted(
        upload_id=upload_id, transport=transport, outcome=Outcome.DONE, seconds=2.0,
        bytes_sent=1000, retries=0, size=1000, location=None,
    )  # fmt: skip


@pytest.fixture
def registry() -> CollectorRegistry:
    """Collect for one test."""
    return CollectorRegistry()


def test_every_event_counts_where_the_table_says(registry: CollectorRegistry) -> None:
    """One event of each kind that is counted changes its metrics by its numbers."""
    count = Metrics(registry)
    count(started("u-1"))
    count(events.BytesSent(**WHO, count=1500, windows=3))
    assert value(scraped(registry), "uploads_in_progress", transport="tiktok") == 1
    assert value(scraped(registry), "queue_windows") == 3
    count(events.RetryScheduled(**WHO, operation="put", attempt=1, wait=4.0, error="server"))
    count(events.LimitWaited(**WHO, operation="lane", seconds=0.5))
    count(events.Resynced(**WHO, part=0, offset=500))
    count(events.SourceFallback(**WHO, reason="open for writing"))
    count(events.PartFailed(**WHO, part=0, attempt=1, seconds=1.0, error="server", message=""))
    count(events.PartConfirmed(**WHO, part=0, length=1000, seconds=1.0, confirmed=1000))
    count(events.RequestFinished(**WHO, operation="put", outcome="201", seconds=0.2))
    count(events.ProcessingChanged(**WHO, state="publishing", terminal=False, seconds=1.0))
    count(events.ProcessingChanged(**WHO, state="public", terminal=True, seconds=9.0))
    count(events.TokenRefreshed(transport="tiktok", account="a", outcome="refreshed", seconds=1.0))
    count(events.WebhookReceived(transport="tiktok", kind="post", outcome="accepted"))
    count(
        events.OutcomeUnknown(
            **WHO, outcome=Outcome.UNKNOWN, seconds=2.0, bytes_sent=0, retries=0,
            error="network", message="",
        )
    )  # fmt: skip
    count.journal_failed("save")
    count.lease_conflict()
    told = scraped(registry)
    tiktok = {"transport": "tiktok"}
    put = {**tiktok, "operation": "put"}
    assert value(told, "sent_bytes_total", **tiktok) == 1500
    assert value(told, "confirmed_bytes_total", **tiktok) == 1000
    assert value(told, "retries_total", **put, error="server") == 1
    assert value(told, "retry_wait_seconds_sum", **put) == 4.0
    assert value(told, "limit_wait_seconds_sum", **tiktok, operation="lane") == 0.5
    assert value(told, "resyncs_total", **tiktok) == 1
    assert value(told, "source_fallbacks_total", **tiktok) == 1
    assert value(told, "parts_total", **tiktok, outcome="failed") == 1
    assert value(told, "parts_total", **tiktok, outcome="confirmed") == 1
    assert value(told, "part_duration_seconds_count", **tiktok) == 1
    assert value(told, "requests_total", **put, outcome="201") == 1
    assert value(told, "request_duration_seconds_count", **put) == 1
    assert value(told, "processing_duration_seconds_sum", **tiktok) == 9.0
    assert value(told, "token_refreshes_total", **tiktok, outcome="refreshed") == 1
    assert value(told, "webhooks_total", **tiktok, outcome="accepted") == 1
    assert value(told, "uploads_total", **tiktok, outcome="unknown") == 1
    assert value(told, "upload_duration_seconds_sum", **tiktok, outcome="unknown") == 2.0
    assert value(told, "outcome_unknown_total", **tiktok) == 1
    assert value(told, "journal_errors_total", operation="save") == 1
    assert value(told, "lease_conflicts_total") == 1
    assert value(told, "uploads_in_progress", **tiktok) == 0
    assert value(told, "queue_windows") == 0


def series(told: Samples) -> int:
    """Count series, a histogram as one."""
    return sum(not name.endswith(("_bucket", "_created", "_sum")) for name, _ in told)


def test_thousands_of_ids_and_a_hostile_server_make_few_series(
    registry: CollectorRegistry,
) -> None:
    """Whatever is made up, the number of series stays low, no value is lost, none is an id."""
    count, chance = Metrics(registry), random.Random(3)
    known = ServerError.code
    for number in range(2_000):
        made_up = f"{chance.choice('abcxyz')}{chance.getrandbits(64):x}"
        who = {"upload_id": f"upload-{made_up}", "transport": "tiktok"}
        count(started(who["upload_id"]))
        for word in (made_up, f"{made_up} {{drop}} \n", "é" * 40, str(100 + number % 900)):
            count(events.RequestFinished(**who, operation=word, outcome=word, seconds=0.1))
            count(events.RetryScheduled(**who, operation="put", attempt=1, wait=0, error=word))
            count(events.TokenRefreshed(transport=word, account=made_up, outcome=word, seconds=0))
        count(events.RetryScheduled(**who, operation="put", attempt=1, wait=0, error=known))
        count(completed(who["upload_id"]))
    told = scraped(registry)
    assert total(told, "requests_total") == total(told, "retries_total", error=known) * 4 == 8_000
    assert total(told, "retries_total") == 10_000
    assert total(told, "uploads_total") == total(told, "uploads_total", outcome="done") == 2_000
    values = {text for _, labels in told for name, text in labels if name != "le"}
    assert len(values) < 5 * MOST + 100
    assert not [text for text in values if text.startswith("upload-")]
    assert series(told) < 2_500
    assert value(told, "uploads_in_progress", transport="tiktok") == 0


def test_a_run_that_never_began_is_no_upload_in_progress(registry: CollectorRegistry) -> None:
    """An end without a start leaves the gauge at zero, and the upload counted."""
    count = Metrics(registry)
    count(completed("u-1"))
    assert value(scraped(registry), "uploads_in_progress", transport="tiktok") == 0
    assert value(scraped(registry), "uploads_total", transport="tiktok", outcome="done") == 1


def test_windows_are_told_until_the_last_upload_ends(registry: CollectorRegistry) -> None:
    """The gauge follows the events, and is zero when nothing runs any more."""
    count = Metrics(registry)
    count(started("a"))
    count(started("b"))
    count(events.BytesSent(upload_id="a", transport="tiktok", count=1, windows=5))
    count(completed("a"))
    assert value(scraped(registry), "queue_windows") == 5
    count(completed("b"))
    assert value(scraped(registry), "queue_windows") == 0


def test_a_forked_child_does_not_count_its_parents_uploads(registry: CollectorRegistry) -> None:
    """What the parent drives is in progress there, not in the child that inherits the numbers."""
    count = Metrics(registry)
    count(started("parents"))
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        count(started("childs"))
        active = value(scraped(registry), "uploads_in_progress", transport="tiktok")
        os.write(writer, str(active).encode())
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(reader, 10) == b"1.0"
    os.close(reader)
    os.close(writer)
    assert value(scraped(registry), "uploads_in_progress", transport="tiktok") == 1
