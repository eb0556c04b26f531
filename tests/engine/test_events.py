"""The facts of a run: each once, in order, with sums that add up; and what subscribers may do."""

import logging
import threading
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from tests.engine.conftest import Make
from tests.engine.files import make_clip
from transports.tiktok.sandbox import Fault, Sandbox
from uploader import events
from uploader.engine import hub
from uploader.errors import SourceError
from uploader.events import Event
from uploader.model import Outcome


def named(seen: list[Event]) -> list[str]:
    """Return the kinds of events in order, without those that come in lumps."""
    return [type(event).__name__ for event in seen if not isinstance(event, events.BytesSent)]


def test_a_run_tells_its_story_in_order(
    make_uploader: Make, sandbox: Sandbox, post: Make, tmp_path: Path, seen: list[Event]
) -> None:
    """A run without trouble is told from its start to its end, and no fact twice."""
    clip = make_clip(tmp_path / "clip.mp4", 11_000_003)
    uploader = make_uploader(subscribers=[seen.append])
    result = uploader.upload(clip, post(chunk_size=5_242_880))
    assert named(seen) == [
        "UploadStarted",
        "RequestFinished", "SessionCreated",
        "PartStarted", "RequestFinished", "PartConfirmed",
        "PartStarted", "RequestFinished", "PartConfirmed",
        "RequestFinished", "ProcessingChanged",
        "UploadCompleted",
    ]  # fmt: skip
    assert {event.upload_id for event in seen} == {result.upload_id}
    assert {event.transport for event in seen} == {"tiktok"}
    started, ended = seen[0], seen[-1]
    assert isinstance(started, events.UploadStarted)
    assert (started.name, started.size, started.parts) == ("clip.mp4", 11_000_003, 2)
    assert (started.account, started.part_size) == ("acme", 5_500_001)
    assert isinstance(ended, events.UploadCompleted)
    assert (ended.outcome, ended.size) == (Outcome.DONE, 11_000_003)
    requests = [event for event in seen if isinstance(event, events.RequestFinished)]
    assert [(event.operation, event.outcome) for event in requests] == [
        ("init", "200"), ("put", "206"), ("put", "201"), ("status", "200"),
    ]  # fmt: skip


def test_the_sums_add_up_with_retries(
    make_uploader: Make, sandbox: Sandbox, post: Make, tmp_path: Path, seen: list[Event]
) -> None:
    """BytesSent sums to what the result says was sent, PartConfirmed to the size, in order."""
    size = 21_000_000
    sandbox.script(
        Fault("put", nth=2, status=503),
        Fault("put", nth=3, reset_after=2_000_000),
        Fault("put", nth=5, lose_answer=True),
    )
    uploader = make_uploader(subscribers=[seen.append])
    result = uploader.upload(make_clip(tmp_path / "clip.mp4", size), post(chunk_size=5_242_880))
    assert result.outcome is Outcome.DONE
    assert sum(e.count for e in seen if isinstance(e, events.BytesSent)) == result.bytes_sent
    assert result.bytes_sent > size
    confirmed = [event for event in seen if isinstance(event, events.PartConfirmed)]
    assert sum(event.length for event in confirmed) == size
    assert [event.part for event in confirmed] == list(range(result.parts))
    assert confirmed[-1].confirmed == size
    assert all(before.confirmed < after.confirmed for before, after in pairwise(confirmed))
    retries = [event for event in seen if isinstance(event, events.RetryScheduled)]
    assert len(retries) == result.retries == 3
    assert [event.attempt for event in retries] == [1, 2, 1]
    failed = [event for event in seen if isinstance(event, events.PartFailed)]
    assert [event.error for event in failed] == ["server", "network", "network"]
    resynced = [event for event in seen if isinstance(event, events.Resynced)]
    assert len(resynced) == 2
    assert all(event.windows >= 0 for event in seen if isinstance(event, events.BytesSent))


def test_a_file_that_is_not_mapped_is_told_after_the_start(
    make_uploader: Make, sandbox: Sandbox, post: Make, tmp_path: Path, seen: list[Event]
) -> None:
    """A run begins with UploadStarted; why its file is read through buffers comes after."""
    uploader = make_uploader(subscribers=[seen.append], source_mode="buffered")
    uploader.upload(make_clip(tmp_path / "clip.mp4", 1000), post())
    assert named(seen)[:2] == ["UploadStarted", "SourceFallback"]


@pytest.mark.parametrize(
    ("fault", "last", "outcome"),
    [
        (Fault("init", vendor_code="invalid_params"), "UploadFailed", "failed"),
        (Fault("init", status=500), "OutcomeUnknown", "unknown"),
        (Fault("put", status=403), "UploadFailed", "failed"),
    ],
)
def test_every_run_ends_with_one_last_event(
    make_uploader: Make, sandbox: Sandbox, post: Make, tmp_path: Path, seen: list[Event],
    fault: Fault, last: str, outcome: str,
) -> None:  # fmt: skip
    """The last event has the outcome of the result, and its numbers."""
    sandbox.script(fault)
    uploader = make_uploader(subscribers=[seen.append])
    result = uploader.upload(make_clip(tmp_path / "clip.mp4", 1000), post())
    assert result.outcome == outcome
    assert named(seen)[-1] == last
    ends = [event for event in seen if isinstance(event, events.UploadEnded)]
    assert len(ends) == 1
    assert (ends[0].outcome, ends[0].bytes_sent) == (result.outcome, result.bytes_sent)


def test_a_run_whose_source_fails_is_told_too(
    make_uploader: Make, sandbox: Sandbox, post: Make, tmp_path: Path, seen: list[Event]
) -> None:
    """What is raised to the caller is an UploadFailed to subscribers."""
    clip = make_clip(tmp_path / "clip.mp4", 1000)
    sandbox.script(Fault("put", delay=60))
    uploader = make_uploader(subscribers=[seen.append], max_uploads=1)
    first, second = uploader.submit(clip, post()), uploader.submit(clip, post(title="second"))
    sandbox.wait_for(lambda: len(sandbox.requests) == 2)
    other = make_clip(tmp_path / "other.mp4", 999)
    other.replace(clip)
    sandbox.clock.advance(60)
    with pytest.raises(SourceError, match="had 1,000 bytes"):
        second.result(10)
    first.future.exception(10)
    assert [type(e).__name__ for e in seen if e.upload_id == second.upload_id][-1] == (
        "UploadFailed"
    )


def test_a_subscriber_that_raises_is_logged_and_ignored(
    make_uploader: Make, sandbox: Sandbox, post: Make, tmp_path: Path, seen: list[Event],
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    """Neither the upload nor the other subscribers notice."""

    def fail(event: Event) -> None:
        raise RuntimeError("no")

    uploader = make_uploader(subscribers=[fail, seen.append])
    with caplog.at_level(logging.ERROR, "uploader"):
        result = uploader.upload(make_clip(tmp_path / "clip.mp4", 1000), post())
    assert result.outcome is Outcome.DONE
    assert named(seen)[-1] == "UploadCompleted"
    assert "a subscriber failed on UploadStarted" in caplog.text


@pytest.mark.timeout(20)
def test_a_subscriber_that_blocks_does_not_stop_an_upload(
    make_uploader: Make, sandbox: Sandbox, post: Make, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """The result comes although a subscriber has not come back from its first event."""
    release = threading.Event()
    calls: list[Event] = []

    def block(event: Event) -> None:
        calls.append(event)
        assert release.wait(15)

    monkeypatch.setattr(hub.EventHub.flush, "__defaults__", (0.01,))
    uploader = make_uploader(subscribers=[block])
    result = uploader.upload(make_clip(tmp_path / "clip.mp4", 1000), post())
    assert result.outcome is Outcome.DONE
    assert len(calls) == 1
    release.set()


def test_subscribers_run_on_one_thread_that_is_not_the_loops(
    make_uploader: Make, sandbox: Sandbox, post: Make, tmp_path: Path
) -> None:
    """A subscriber may use what refuses to run on a loop, such as Django's ORM."""
    threads = set()
    uploader = make_uploader(subscribers=[lambda e: threads.add(threading.current_thread().name)])
    uploader.upload(make_clip(tmp_path / "clip.mp4", 1000), post())
    assert threads == {"uploader-events"}


def test_events_are_delivered_before_the_result(
    make_uploader: Make, sandbox: Sandbox, post: Make, tmp_path: Path, seen: list[Event]
) -> None:
    """Who has the result has seen every event of it."""
    uploader = make_uploader(subscribers=[seen.append])
    for number in range(5):
        uploader.upload(make_clip(tmp_path / f"{number}.mp4", 1000 + number), post())
        assert named(seen).count("UploadCompleted") == number + 1


def test_every_event_has_plain_facts(
    make_uploader: Make, sandbox: Sandbox, post: Make, tmp_path: Path, seen: list[Event]
) -> None:
    """`facts()` is a dict of text, numbers and nothing else, with no secret in it."""
    sandbox.script(Fault("put", status=503))
    make_uploader(subscribers=[seen.append]).upload(make_clip(tmp_path / "clip.mp4", 1000), post())
    for event in seen:
        for value in event.facts().values():
            assert value is None or isinstance(value, str | int | float)
            assert sandbox.access_token not in str(value)
            assert "upload_token" not in str(value)


# -- metrics ------------------------------------------------------------------------------------


def sample(registry: CollectorRegistry, name: str, **labels: str) -> float:
    """Return one number of a registry, 0 when there is none."""
    found = registry.get_sample_value(f"uploader_{name}", {"transport": "tiktok", **labels})
    return found or 0.0


def test_metrics_count_what_the_sandbox_counted(
    make_uploader: Make, sandbox: Sandbox, post: Make, tmp_path: Path
) -> None:
    """Requests, bytes, parts and outcomes are those that the other side saw."""
    registry = CollectorRegistry()
    sandbox.script(
        Fault("put", nth=2, status=503),
        Fault("init", nth=3, vendor_code="invalid_params"),
        Fault("init", nth=4, status=500),
    )
    uploader = make_uploader(metrics=True, registry=registry)
    clips = [make_clip(tmp_path / f"{n}.mp4", 11_000_000 + n, seed=n) for n in range(4)]
    results = [uploader.upload(clip, post(chunk_size=5_242_880)) for clip in clips]
    assert [str(result.outcome) for result in results] == ["done", "done", "failed", "unknown"]
    asked = Counter((r.operation, str(r.status)) for r in sandbox.requests)
    for (operation, status), count in asked.items():
        labels = {"operation": operation, "outcome": status}
        assert sample(registry, "requests_total", **labels) == count
        assert sample(registry, "request_duration_seconds_count", operation=operation) == sum(
            n for (name, _), n in asked.items() if name == operation
        )
    stored = sum(made.received for made in sandbox.uploads)
    assert sample(registry, "confirmed_bytes_total") == stored == 22_000_001
    assert sample(registry, "sent_bytes_total") == sum(result.bytes_sent for result in results)
    assert sample(registry, "parts_total", outcome="confirmed") == 4
    assert sample(registry, "parts_total", outcome="failed") == 1
    assert sample(registry, "retries_total", operation="put", error="server") == 1
    assert sample(registry, "uploads_total", outcome="done") == 2
    assert sample(registry, "uploads_total", outcome="failed") == 1
    assert sample(registry, "uploads_total", outcome="unknown") == 1
    assert sample(registry, "outcome_unknown_total") == 1
    assert sample(registry, "upload_duration_seconds_count", outcome="done") == 2
    assert sample(registry, "processing_duration_seconds_count") == 2
    assert sample(registry, "uploads_in_progress") == 0


def test_no_label_names_an_upload(
    make_uploader: Make, sandbox: Sandbox, post: Make, tmp_path: Path
) -> None:
    """Labels have few values each, and none is an id or a name."""
    registry = CollectorRegistry()
    make_uploader(metrics=True, registry=registry).upload(
        make_clip(tmp_path / "clip.mp4", 1000), post()
    )
    samples = [sample for metric in registry.collect() for sample in metric.samples]
    assert samples
    for found in samples:
        assert set(found.labels) <= {"transport", "operation", "outcome", "error", "state", "le"}
        assert found.name.startswith("uploader_")
    text = str(samples)
    assert "acme" not in text
    assert "clip" not in text


def test_two_uploaders_share_a_registry(
    make_uploader: Make, sandbox: Sandbox, post: Make, tmp_path: Path
) -> None:
    """A registry has one set of metrics, whoever counts into it."""
    registry = CollectorRegistry()
    uploaders: list[Any] = [make_uploader(metrics=True, registry=registry) for _ in range(2)]
    clip = make_clip(tmp_path / "clip.mp4", 1000)
    for uploader in uploaders:
        uploader.upload(clip, post())
    assert sample(registry, "uploads_total", outcome="done") == 2
