"""The shared conftest does what it says."""

import asyncio
import ssl
from pathlib import Path

import aiohttp
import pytest
from aioresponses import aioresponses

pytest_plugins = ["pytester"]

CONFTEST = Path(__file__).parents[1] / "conftest.py"


@pytest.mark.parametrize(("environment", "failed"), [({"UPLOADER_CI": "1"}, True), ({}, False)])
@pytest.mark.parametrize(
    "body",
    [
        "import pytest\ndef test_one(): pytest.skip('no reason')\ndef test_two(): pass",
        "import pytest\npytest.skip('nor here', allow_module_level=True)",
    ],
    ids=["test", "module"],
)
def test_a_skip_fails_the_run_in_ci_only(
    pytester: pytest.Pytester,
    monkeypatch: pytest.MonkeyPatch,
    body: str,
    environment: dict[str, str],
    failed: bool,
) -> None:
    """Skipping is a local convenience: in CI the run ends with a failure and says so."""
    monkeypatch.delenv("UPLOADER_CI", raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    pytester.makeconftest(CONFTEST.read_text())
    pytester.makepyfile(body, test_other="def test_passes(): pass")

    result = pytester.runpytest_subprocess("-p", "no:cacheprovider")

    assert (result.ret == pytest.ExitCode.TESTS_FAILED) is failed
    assert ("a skip is a failure here" in result.stdout.str()) is failed


async def test_aioresponses_answers_on_this_aiohttp() -> None:
    """The mend is enough for JSON in both directions."""
    async with aiohttp.ClientSession() as session:
        with aioresponses() as mocked:
            mocked.post("https://api.example/init", status=429, payload={"error": "slow down"})
            async with session.post("https://api.example/init", json={}) as response:
                assert (response.status, await response.json()) == (429, {"error": "slow down"})


async def test_tls_contexts_fit_each_other(
    tls_server_context: ssl.SSLContext, tls_client_context: ssl.SSLContext
) -> None:
    """A client that trusts only this run's authority accepts this run's server."""

    async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"hello")
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(greet, "127.0.0.1", 0, ssl=tls_server_context) as server:
        port = server.sockets[0].getsockname()[1]
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=tls_client_context)
        assert await reader.read() == b"hello"
        writer.close()
        await writer.wait_closed()
