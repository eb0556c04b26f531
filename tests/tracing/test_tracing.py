"""Uploads to the sandbox, and the spans that come of them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from tests.engine.clock import FakeClock
from tests.engine.files import make_clip
from transports.tiktok import DirectPost
from transports.tiktok.sandbox import Fault, Sandbox
from uploader import Outcome, SourceError, Uploader, events
from uploader.instruments.tracing import Tracing

CHUNK = 5_242_880
TWO_PARTS = 11_000_003
CAPTION = "what nobody else is to read"

Make = Callable[..., Uploader]


@pytest.fixture
def make_uploader(sandbox: Sandbox, tracing: Tracing) -> Iterator[Make]:
    """Make uploaders on a clock that stands still, and close them."""
    made: list[Uploader] = []

    def make(**settings: object) -> Uploader:
        given = {"clock": FakeClock(), "metrics": False, "subscribers": [tracing], **settings}
        made.append(Uploader(**given))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for uploader in made:
        uploader.close()


def post(sandbox: Sandbox, title: str = CAPTION) -> DirectPost:
    """Make a private post on the sandbox."""
    return DirectPost(
        account="acme",
        access_token=sandbox.access_token,
        title=title,
        privacy_level="SELF_ONLY",
        base_url=sandbox.base_url,
        chunk_size=CHUNK,
    )


def tree(spans: tuple[ReadableSpan, ...]) -> list[tuple[str, str]]:
    """Return each span's name beside its parent's, in the order in which they ended."""
    names = {span.context.span_id: span.name for span in spans if span.context is not None}
    return [
        (span.name, names.get(span.parent.span_id, "?") if span.parent else "") for span in spans
    ]


def one(spans: tuple[ReadableSpan, ...], name: str) -> ReadableSpan:
    """Return the last span of a name."""
    return [span for span in spans if span.name == name][-1]


def happened(span: ReadableSpan) -> list[str]:
    """Return the names of a span's events."""
    return [event.name for event in span.events]


def test_an_upload_has_parts_and_parts_have_requests(
    make_uploader: Make, sandbox: Sandbox, exporter: InMemorySpanExporter, tmp_path: Path
) -> None:
    """Each span ends after its children; what belongs to no part belongs to the upload."""
    clip = make_clip(tmp_path / "clip.mp4", TWO_PARTS)
    result = make_uploader().upload(clip, post(sandbox))
    spans = exporter.get_finished_spans()
    assert tree(spans) == [
        ("init", "upload"),
        ("put", "part"), ("part", "upload"),
        ("put", "part"), ("part", "upload"),
        ("status", "upload"),
        ("upload", ""),
    ]  # fmt: skip
    upload = spans[-1]
    assert upload.attributes == {
        "uploader.upload_id": result.upload_id,
        "uploader.transport": "tiktok",
        "uploader.account": "acme",
        "uploader.size": TWO_PARTS,
        "uploader.parts": 2,
        "uploader.part_size": 5_500_001,
        "uploader.outcome": "done",
        "uploader.bytes_sent": TWO_PARTS,
        "uploader.retries": 0,
    }
    assert upload.status.status_code is trace.StatusCode.UNSET
    assert happened(upload) == ["session_created", "processing"]
    first, second = (span for span in spans if span.name == "part")
    assert first.attributes == {
        "uploader.upload_id": result.upload_id,
        "uploader.transport": "tiktok",
        "uploader.part": 0,
        "uploader.start": 0,
        "uploader.length": 5_500_001,
        "uploader.attempts": 1,
    }
    assert second.attributes is not None
    assert second.attributes["uploader.part"] == 1
    put = spans[1]
    assert put.kind is trace.SpanKind.CLIENT
    assert put.attributes is not None
    assert put.attributes["http.response.status_code"] == 206
    for span in spans:
        assert span.start_time is not None
        assert span.end_time is not None
        assert span.start_time <= span.end_time


def test_retries_are_events_of_the_span_that_they_belong_to(
    make_uploader: Make, sandbox: Sandbox, exporter: InMemorySpanExporter, tmp_path: Path
) -> None:
    """Each attempt is a request of its part; one that got over its failures is no error."""
    sandbox.script(Fault("put", nth=1, status=503), Fault("put", nth=3, lose_answer=True))
    clip = make_clip(tmp_path / "clip.mp4", TWO_PARTS)
    make_uploader().upload(clip, post(sandbox)).raise_for_outcome()
    spans = exporter.get_finished_spans()
    assert tree(spans)[1:7] == [
        ("put", "part"), ("put", "part"), ("part", "upload"),
        ("put", "part"), ("status", "part"), ("part", "upload"),
    ]  # fmt: skip
    failed, first, second = spans[1], spans[3], spans[6]
    assert failed.status.status_code is trace.StatusCode.ERROR
    assert failed.attributes is not None
    assert failed.attributes["error.type"] == "503"
    assert happened(first) == ["attempt_failed", "retry"]
    retry = first.events[1].attributes
    assert retry is not None
    assert retry["error.type"] == "server"
    assert retry["uploader.attempt"] == 1
    assert first.attributes is not None
    assert first.attributes["uploader.attempts"] == 2
    assert first.status.status_code is trace.StatusCode.UNSET
    assert happened(second) == ["attempt_failed", "retry", "resynced"]


@pytest.mark.parametrize(
    ("fault", "outcome", "error"),
    [
        (Fault("put", nth=2, status=403), Outcome.FAILED, "session_expired"),
        (Fault("init", vendor_code="invalid_params"), Outcome.FAILED, "rejected"),
        (Fault("init", status=500), Outcome.UNKNOWN, "outcome_unknown"),
    ],
    ids=["part", "refused", "unknown"],
)
def test_an_upload_that_ends_badly_is_an_error(
    make_uploader: Make, sandbox: Sandbox, exporter: InMemorySpanExporter, tmp_path: Path,
    fault: Fault, outcome: Outcome, error: str,
) -> None:  # fmt: skip
    """The span has the outcome and the error's code, and so has the part that failed."""
    sandbox.script(fault)
    result = make_uploader().upload(make_clip(tmp_path / "clip.mp4", TWO_PARTS), post(sandbox))
    assert result.outcome is outcome
    spans = exporter.get_finished_spans()
    upload = one(spans, "upload")
    assert upload.status.status_code is trace.StatusCode.ERROR
    assert upload.attributes is not None
    assert upload.attributes["uploader.outcome"] == outcome
    assert upload.attributes["error.type"] == error
    if fault.operation == "put":
        part = one(spans, "part")
        assert part.status.status_code is trace.StatusCode.ERROR
        assert part.attributes is not None
        assert part.attributes["error.type"] == error


def test_a_run_without_a_source_is_told_too(
    make_uploader: Make, sandbox: Sandbox, exporter: InMemorySpanExporter, tmp_path: Path
) -> None:
    """What failed before it began has a span of its own, with its error."""
    clip = make_clip(tmp_path / "clip.mp4", 1000)
    sandbox.script(Fault("put", delay=60))
    uploader = make_uploader(max_uploads=1)
    first = uploader.submit(clip, post(sandbox))
    second = uploader.submit(clip, post(sandbox, "second"))
    sandbox.wait_for(lambda: len(sandbox.requests) == 2)
    make_clip(tmp_path / "other.mp4", 999).replace(clip)
    sandbox.clock.advance(60)
    with pytest.raises(SourceError):
        second.result(10)
    first.future.exception(10)
    ended = [span for span in exporter.get_finished_spans() if span.name == "upload"]
    failed = [s for s in ended if (s.attributes or {})["uploader.upload_id"] == second.upload_id]
    assert [span.status.status_code for span in failed] == [trace.StatusCode.ERROR]


def test_a_resumed_run_is_linked_to_the_one_before(
    make_uploader: Make, sandbox: Sandbox, exporter: InMemorySpanExporter, tmp_path: Path
) -> None:
    """Both have the upload's id; the second one links to the first and says where it went on."""
    clip = make_clip(tmp_path / "clip.mp4", TWO_PARTS)
    uploader = make_uploader(credentials=lambda transport, account: sandbox.access_token)
    sandbox.script(Fault("put", nth=2, status=503, times=3))
    first = uploader.upload(clip, post(sandbox))
    assert first.outcome is Outcome.SUSPENDED
    assert uploader.resume(first.upload_id).outcome is Outcome.DONE
    one_run, next_run = (s for s in exporter.get_finished_spans() if s.name == "upload")
    assert one_run.attributes is not None
    assert next_run.attributes is not None
    assert one_run.attributes["uploader.upload_id"] == next_run.attributes["uploader.upload_id"]
    assert [link.context for link in next_run.links] == [one_run.context]
    assert next_run.attributes["uploader.resumed_from"]
    assert one_run.status.status_code is trace.StatusCode.UNSET


def test_the_callers_span_adopts_its_upload(
    make_uploader: Make, sandbox: Sandbox, exporter: InMemorySpanExporter, tmp_path: Path,
    tracing: Tracing, provider: TracerProvider,
) -> None:  # fmt: skip
    """It is the parent; two uploads of two callers are two traces."""
    uploader, tracer = make_uploader(), provider.get_tracer("test")
    handles = []
    for number in range(2):
        clip = make_clip(tmp_path / f"{number}.mp4", 1000 + number)
        with tracer.start_as_current_span(f"caller {number}"):
            handles.append(uploader.submit(clip, post(sandbox)))
            tracing.adopt(handles[-1].upload_id)
    for handle in handles:
        handle.result(10).raise_for_outcome()
    spans = exporter.get_finished_spans()
    for number, handle in enumerate(handles):
        caller = one(spans, f"caller {number}")
        (upload,) = (
            s for s in spans
            if s.name == "upload" and (s.attributes or {})["uploader.upload_id"] == handle.upload_id
        )  # fmt: skip
        assert upload.parent is not None
        assert caller.context is not None
        assert upload.parent.span_id == caller.context.span_id
        assert upload.context is not None
        assert upload.context.trace_id == caller.context.trace_id


def started(upload_id: str = "u1") -> events.UploadStarted:
    """Make the first event of a run of two parts."""
    return events.UploadStarted(
        upload_id=upload_id, transport="s3", account=None, name="c", size=10, parts=2, part_size=5
    )


def ended(upload_id: str = "u1") -> events.UploadCompleted:
    """Make the last event of a run."""
    return events.UploadCompleted(
        upload_id=upload_id, transport="s3", outcome=Outcome.DONE, seconds=1.0, bytes_sent=10,
        retries=0, size=10, location=None,
    )  # fmt: skip


def test_who_adopts_too_late_is_linked(
    tracing: Tracing, provider: TracerProvider, exporter: InMemorySpanExporter
) -> None:
    """A run that began already keeps its own trace, and links to the caller."""
    tracing(started())
    with provider.get_tracer("test").start_as_current_span("caller") as caller:
        tracing.adopt("u1")
    tracing(ended())
    upload = one(exporter.get_finished_spans(), "upload")
    assert upload.parent is None
    assert [link.context for link in upload.links] == [caller.get_span_context()]


def test_a_subscriber_called_within_a_span_takes_it_as_parent(
    tracing: Tracing, provider: TracerProvider, exporter: InMemorySpanExporter
) -> None:
    """Where the context of whoever started the upload is current, nothing need be adopted."""
    with provider.get_tracer("test").start_as_current_span("caller") as caller:
        tracing(started())
    tracing(ended())
    upload = one(exporter.get_finished_spans(), "upload")
    assert upload.parent is not None
    assert upload.parent.span_id == caller.get_span_context().span_id


def test_requests_of_lanes_belong_to_the_upload(
    tracing: Tracing, exporter: InMemorySpanExporter
) -> None:
    """While several parts are on their way nobody can tell whose request it was."""
    about = {"upload_id": "u1", "transport": "s3"}
    tracing(started())
    for part in (0, 1):
        tracing(events.PartStarted(**about, part=part, start=5 * part, length=5, attempt=1))
    for part in (1, 0):
        tracing(events.RequestFinished(**about, operation="put", outcome="200", seconds=0.1))
        tracing(events.PartConfirmed(**about, part=part, length=5, seconds=0.2, confirmed=5))
    tracing(ended())
    assert tree(exporter.get_finished_spans()) == [
        ("put", "upload"), ("part", "upload"),
        ("put", "part"), ("part", "upload"),
        ("upload", ""),
    ]  # fmt: skip


def test_times_are_those_that_events_tell(
    provider: TracerProvider, exporter: InMemorySpanExporter
) -> None:
    """A part and its request began as long before their end as their events say."""
    now = iter([10_000_000_000, 11_000_000_000, 14_000_000_000, 14_000_000_000, 15_000_000_000])
    tracing = Tracing(provider, clock=lambda: next(now))
    about = {"upload_id": "u1", "transport": "s3"}
    tracing(started())
    tracing(events.PartStarted(**about, part=0, start=0, length=5, attempt=1))
    tracing(events.RequestFinished(**about, operation="put", outcome="200", seconds=2.5))
    tracing(events.PartConfirmed(**about, part=0, length=5, seconds=3.5, confirmed=5))
    tracing(ended())
    times = {s.name: (s.start_time, s.end_time) for s in exporter.get_finished_spans()}
    assert times == {
        "put": (11_500_000_000, 14_000_000_000),
        "part": (10_500_000_000, 14_000_000_000),
        "upload": (10_000_000_000, 15_000_000_000),
    }


def test_no_secret_and_no_caption_is_exported(
    make_uploader: Make, sandbox: Sandbox, exporter: InMemorySpanExporter, tmp_path: Path
) -> None:
    """Neither token nor upload URL, nor title, file name or a server's own words."""
    sandbox.script(
        Fault("put", nth=1, status=503, body="the words of a server"),
        Fault("put", nth=3, status=403, body="the words of a server"),
    )
    clip = make_clip(tmp_path / "secret-name.mp4", TWO_PARTS)
    make_uploader(source_mode="buffered").upload(clip, post(sandbox))
    exported = "\n".join(span.to_json() for span in exporter.get_finished_spans())
    assert "source_fallback" in exported
    hidden = (
        sandbox.access_token,
        "upload_token",
        "127.0.0.1",
        CAPTION,
        "secret-name",
        "the words",
    )
    for text in hidden:
        assert text not in exported


def test_without_the_extra_the_error_names_it() -> None:
    """Nobody has to guess the distribution's name."""
    blocked = "import sys; sys.modules['opentelemetry'] = None; import uploader.instruments.tracing"
    ran = subprocess.run(
        [sys.executable, "-c", blocked], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 1
    assert "pip install 'mmap-uploader[otel]'" in ran.stderr
