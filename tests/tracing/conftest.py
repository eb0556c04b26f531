"""A sandbox, and an exporter that keeps what it gets."""

from collections.abc import Iterator

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from transports.tiktok.sandbox import Sandbox
from uploader.instruments.tracing import Tracing


@pytest.fixture
def exporter() -> InMemorySpanExporter:
    """Keep spans that have ended."""
    return InMemorySpanExporter()


@pytest.fixture
def provider(exporter: InMemorySpanExporter) -> Iterator[TracerProvider]:
    """Hand each span on as it ends."""
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    yield provider
    provider.shutdown()


@pytest.fixture
def tracing(provider: TracerProvider) -> Tracing:
    """Subscribe with `subscribers=[tracing]`."""
    return Tracing(provider)


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """Serve a strict TikTok that does not count requests per minute."""
    with Sandbox(rate_limits=False) as sandbox:
        yield sandbox
