"""The shared conftest does what it says."""

import asyncio
import ssl
from pathlib import Path

import aiohttp
import pytest
from aioresponses import aioresponses

pytest_plugins = ["pytester"]

CONFTEST = Path(__file__).parents[1] / "conftest.py"


BODIES = {
    "test": "import pytest\ndef test_one(): pytest.skip('no reason')\ndef test_two(): pass",
    "module": "import pytest\npytest.skip('nor here', allow_module_level=True)",
}


def run_in_ci(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, ci: bool, *flags: str, **files: str
) -> pytest.RunResult:
    """Run test files beside this suite's conftest, in CI or not."""
    monkeypatch.delenv("UPLOADER_CI", raising=False)
    if ci:
        monkeypatch.setenv("UPLOADER_CI", "1")
    pytester.makeconftest(CONFTEST.read_text())
    pytester.makepyfile(**files, test_other="def test_passes(): pass")
    run = pytester.runpytest_subprocess if flags else pytester.runpytest_inprocess
    scope = "asyncio_default_fixture_loop_scope=function"
    return run("-p", "no:cacheprovider", "-o", scope, *flags)


@pytest.mark.parametrize("ci", [True, False], ids=["CI", "elsewhere"])
@pytest.mark.parametrize("body", BODIES)
def test_a_skip_fails_the_run_in_ci_only(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, body: str, ci: bool
) -> None:
    """Skipping is a local convenience: in CI the run ends with a failure and says so."""
    result = run_in_ci(pytester, monkeypatch, ci, test_skipping=BODIES[body])

    assert (result.ret == pytest.ExitCode.TESTS_FAILED) is ci
    assert ("a skip is a failure here" in result.stdout.str()) is ci


def test_skips_in_another_process_fail_the_run_as_well(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The processes of pytest-xdist skip; the one that started them counts."""
    files = {f"test_skipping_{name}": body for name, body in BODIES.items()}
    result = run_in_ci(pytester, monkeypatch, True, "-n1", **files)

    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert "CI: 2 skipped, and a skip is a failure here." in result.stdout.str()


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
