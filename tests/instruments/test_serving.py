"""Metrics over HTTP: a port of their own, and inside WSGI and ASGI applications."""

import asyncio
import gzip
import threading
import urllib.request
from typing import Any
from urllib.error import HTTPError
from wsgiref.util import setup_testing_defaults

import pytest
from prometheus_client import CollectorRegistry

from tests.instruments.scrape import parsed, value
from uploader.errors import ConfigurationError
from uploader.instruments.metrics import asgi_app, metrics_for, serve, watch_paused, wsgi_app


@pytest.fixture
def registry() -> CollectorRegistry:
    """Collect one lease conflict, so that there is something to tell."""
    registry = CollectorRegistry()
    metrics_for(registry).lease_conflict()
    return registry


def test_a_free_port_is_taken_and_told(
    registry: CollectorRegistry, capfd: pytest.CaptureFixture[str]
) -> None:
    """Port 0 serves, answers a scrape, prints nothing, and is free again after the close."""
    before = threading.active_count()
    with serve(0, registry=registry) as served:
        with urllib.request.urlopen(f"http://127.0.0.1:{served.port}/metrics") as answer:
            text = answer.read().decode()
        assert value(parsed(text), "lease_conflicts_total") == 1
    with serve(served.port, registry=registry) as again:
        assert again.port == served.port
    assert threading.active_count() == before
    assert capfd.readouterr() == ("", "")


def test_a_port_in_use_is_said_in_a_sentence(registry: CollectorRegistry) -> None:
    """The address and what the system says of it, as the caller's error."""
    with (
        serve(0, registry=registry) as served,
        pytest.raises(ConfigurationError, match=f"127.0.0.1:{served.port}: Address already in use"),
    ):
        serve(served.port, registry=registry)


def test_a_wsgi_application_tells_them(registry: CollectorRegistry) -> None:
    """What a Django or Flask process mounts at /metrics; nothing but GET is served."""
    environ: dict[str, Any] = {}
    setup_testing_defaults(environ)
    said: list[str] = []
    app = wsgi_app(registry)
    body = b"".join(app(environ, lambda status, headers: said.append(status)))
    assert value(parsed(body.decode()), "lease_conflicts_total") == 1
    app({**environ, "REQUEST_METHOD": "POST"}, lambda status, headers: said.append(status))
    assert [status[:3] for status in said] == ["200", "405"]


async def asked(app: Any, **scope: Any) -> tuple[int, bytes]:
    """Ask an ASGI application for one page."""
    said: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        said.append(message)

    given = {"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": []}
    await app({**given, **scope}, receive, send)
    body = b"".join(message.get("body", b"") for message in said)
    if any(name.lower() == b"content-encoding" for name, _ in said[0]["headers"]):
        body = gzip.decompress(body)
    return said[0]["status"], body


async def test_an_asgi_application_tells_them(registry: CollectorRegistry) -> None:
    """What a FastAPI or Starlette process mounts; one metric alone can be asked for."""
    app = asgi_app(registry)
    status, body = await asked(app)
    assert status == 200
    assert value(parsed(body.decode()), "lease_conflicts_total") == 1
    _, one = await asked(app, query_string=b"name[]=uploader_lease_conflicts_total")
    assert set(parsed(one.decode())) == {("uploader_lease_conflicts_total", frozenset())}
    _, small = await asked(app, headers=[(b"accept-encoding", b"gzip")])
    assert parsed(small.decode()).keys() == parsed(body.decode()).keys()


async def test_a_slow_reading_does_not_stop_an_asgi_servers_loop(
    registry: CollectorRegistry,
) -> None:
    """While a callable is asked, the loop goes on: it is what lets the callable return."""
    went_on = threading.Event()

    def paused() -> dict[str, bool]:
        return {"tiktok": went_on.wait(10)}

    watch_paused(paused, registry)
    asking = asyncio.create_task(asked(asgi_app(registry)))
    await asyncio.sleep(0)
    went_on.set()
    _, body = await asking
    assert value(parsed(body.decode()), "paused", transport="tiktok") == 1


def test_only_this_machine_is_answered_by_default(registry: CollectorRegistry) -> None:
    """The socket is bound to the loopback address."""
    with serve(0, registry=registry) as served:
        assert served._server.server_address[0] == "127.0.0.1"
        with pytest.raises(HTTPError, match="405"):
            urllib.request.urlopen(
                urllib.request.Request(f"http://127.0.0.1:{served.port}/", method="DELETE")
            )
