"""What every test may need, and nothing else: no skips in CI, a state directory and a logger of
its own, TLS for one run, a mended mock.

Stand-ins for servers and files live beside the tests that use them.
"""

import itertools
import logging
import os
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import aiohttp
import aioresponses.core
import pytest
import trustme
from aiohttp.abc import AbstractStreamWriter


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail a run in CI (`UPLOADER_CI`) that skipped something: there, nothing may be missing."""
    if _skipped(session.config) and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Say why a run without a failure failed."""
    if count := _skipped(config):
        terminalreporter.write_line(f"CI: {count} skipped, and a skip is a failure here.", red=True)


def _skipped(config: pytest.Config) -> int:
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    return len(reporter.stats.get("skipped", ())) if reporter and "UPLOADER_CI" in os.environ else 0


@pytest.fixture(autouse=True)
def _no_journal_of_the_user(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Keep tests away from the journal of whoever runs them, and from the environment's name."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path_factory.getbasetemp() / "state"))
    for name in ("UPLOADER_JOURNAL", "UPLOADER_ENVIRONMENT"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="session", autouse=True)
def _no_account_limits() -> Iterator[None]:
    """Count no requests of accounts, but where that is what is tested: most tests send many."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("UPLOADER_RATES", "off")
        yield


@pytest.fixture(autouse=True)
def _logger_as_it_was() -> Iterator[None]:
    """Let no test keep the package's logger: commands that run in this process configure it."""
    ours = logging.getLogger("uploader")
    handlers, filters = list(ours.handlers), list(ours.filters)
    level, propagate, disabled = ours.level, ours.propagate, ours.disabled
    yield
    ours.handlers[:], ours.filters[:] = handlers, filters
    ours.propagate, ours.disabled = propagate, disabled
    ours.setLevel(level)


class MockedResponse(aiohttp.ClientResponse):
    """A response that nobody wrote a request for.

    aioresponses 0.7.9 does not know the `stream_writer` that aiohttp 3.14 asks for.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        writer = Mock(spec=AbstractStreamWriter, output_size=0)
        super().__init__(*args, stream_writer=writer, **kwargs)


aioresponses.core.ClientResponse = MockedResponse  # type: ignore[attr-defined]


@pytest.fixture(scope="session")
def _states(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Name a new directory for each test; who needs one makes it."""
    home = tmp_path_factory.mktemp("states")
    return (home / str(number) for number in itertools.count())


@pytest.fixture(autouse=True)
def _own_state(_states: Iterator[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep journals that nobody named out of the developer's own state directory."""
    monkeypatch.setenv("XDG_STATE_HOME", str(next(_states)))


@pytest.fixture(scope="session")
def _authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="session")
def tls_server_context(_authority: trustme.CA) -> ssl.SSLContext:
    """Serve TLS as localhost, 127.0.0.1 and ::1."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _authority.issue_cert("localhost", "127.0.0.1", "::1").configure_cert(context)
    return context


@pytest.fixture(scope="session")
def tls_client_context(_authority: trustme.CA) -> ssl.SSLContext:
    """Trust `tls_server_context` and nobody else."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    _authority.configure_trust(context)
    return context
