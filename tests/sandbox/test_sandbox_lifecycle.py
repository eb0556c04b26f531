"""Starting, stopping, waiting, TLS, memory, and the pytest fixture."""

import asyncio
import hashlib
import socket
import ssl
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.sandbox.client import (
    CHUNK,
    INIT,
    Client,
    order,
    pattern,
    put_head,
    read_answer,
    read_to_end,
)
from transports.tiktok import sandbox as package
from transports.tiktok.sandbox import Fault, Post, Sandbox, SandboxClock, SandboxViolation, Switches


def test_nothing_listens_before_the_start() -> None:
    """A sandbox is made, started, stopped, and may be started again on its port."""
    sandbox = Sandbox()
    begun = time.perf_counter()
    sandbox.start()
    assert time.perf_counter() - begun < 0.25  # a few ms; the rest is for a busy machine
    url = sandbox.base_url
    with pytest.raises(RuntimeError, match="runs already"):
        sandbox.start()
    sandbox.stop()
    sandbox.stop()
    with pytest.raises(ConnectionRefusedError), Client(sandbox) as client:
        client.connect()
    with sandbox, Client(sandbox) as client:
        assert sandbox.base_url == url
        assert client.call(INIT, order()).status == 200


def test_a_taken_port_is_an_error_at_the_start() -> None:
    """The caller gets the OSError, and no thread stays behind."""
    with Sandbox() as first:
        port = int(first.base_url.rpartition(":")[2])
        before = threading.active_count()
        with pytest.raises(OSError, match=r"[Aa]ddress"):
            Sandbox(port).start()
        assert threading.active_count() == before


def test_ipv6_works() -> None:
    """The address stands in brackets."""
    with Sandbox(host="::1") as sandbox, Client(sandbox) as client:
        assert sandbox.base_url.startswith("http://[::1]:")
        assert client.put(client.init(), 0, 999).status == 201


def test_no_thread_outlives_the_sandbox() -> None:
    """Server and hashing threads end with `stop`."""
    before = set(threading.enumerate())
    with Sandbox() as sandbox, Client(sandbox) as client:
        assert client.put(client.init(10_000_000), 0, 9_999_999).status == 201
    assert set(threading.enumerate()) == before


@pytest.mark.parametrize(
    "fault",
    [
        None,
        Fault("put", stall_after=0),
        Fault("put", stall_after=500),
        Fault("put", stall_answer=True),
        Fault("put", slow=1.0),
        Fault("put", delay=3600),
        Fault("put", early_status=503),
    ],
    ids=["receiving", "stalled", "stalled later", "withheld", "slow", "delayed", "lingering"],
)
def test_it_stops_at_once_in_every_state(fault: Fault | None) -> None:
    """Whatever a client is waiting for, it is reset within 200 ms."""
    sandbox = Sandbox().start()
    if fault:
        sandbox.script(fault)
    client = Client(sandbox)
    upload = client.init(100_000_000 // 2)
    with client.raw(put_head(upload, 0, upload.size - 1), b"x" * 2000) as connection:
        sandbox.wait_for(lambda: len(sandbox.requests) == 2)
        begun = time.perf_counter()
        sandbox.stop()
        assert time.perf_counter() - begun < 0.2
        with suppress(ConnectionResetError):  # or the end of an answer that was on its way
            read_to_end(connection)
    client.http.close()


def test_tls_works(tls_server_context: ssl.SSLContext, tls_client_context: ssl.SSLContext) -> None:
    """API, uploads, resets and stops over TLS, with https URLs."""
    with (
        Sandbox(ssl_context=tls_server_context) as sandbox,
        Client(sandbox, tls=tls_client_context) as client,
    ):
        upload = client.init(2 * CHUNK, CHUNK)
        assert upload.url.startswith("https://127.0.0.1:")
        sandbox.script(Fault("put", reset_after=1000), Fault("put", lose_answer=True))
        for _ in range(2):
            with pytest.raises((ConnectionResetError, BrokenPipeError, ssl.SSLEOFError)):
                client.put(upload, 0, CHUNK - 1)
            client.http.close()
        assert sandbox.uploads[0].received == CHUNK
        assert client.put(upload, CHUNK, 2 * CHUNK - 1).status == 201


@pytest.mark.parametrize("effect", ["stall_after", "stall_answer"])
def test_tls_stalls_end(
    tls_server_context: ssl.SSLContext, tls_client_context: ssl.SSLContext, effect: str
) -> None:
    """A client that leaves a stalled TLS connection is noticed, and stopping takes no time."""
    sandbox = Sandbox(ssl_context=tls_server_context).start()
    client = Client(sandbox, tls=tls_client_context)
    keywords: dict[str, Any] = {effect: 10}  # ten bytes, or just true
    sandbox.script(Fault("put", **keywords))
    upload = client.init()
    with client.raw(put_head(upload, 0, 999), pattern(0, 999)):
        sandbox.wait_for(lambda: sandbox.uploads[0].chunks[0].received >= 10)
    sandbox.wait_for(lambda: sandbox.uploads[0].chunks[0].ended)
    begun = time.perf_counter()
    sandbox.stop()
    assert time.perf_counter() - begun < 0.2
    client.http.close()


def test_it_runs_without_uvloop(monkeypatch: pytest.MonkeyPatch) -> None:
    """asyncio's own loop does as well, resets included."""
    monkeypatch.setitem(sys.modules, "uvloop", None)
    with Sandbox() as sandbox, Client(sandbox) as client:
        sandbox.script(Fault("put", reset_after=10), Fault("put", stall_after=10))
        upload = client.init()
        chunks = sandbox.uploads[0].chunks
        with client.raw(put_head(upload, 0, 999), pattern(0, 99)):
            sandbox.wait_for(lambda: chunks[0].received == 10)
        with client.raw(put_head(upload, 0, 999), pattern(0, 99)):
            sandbox.wait_for(lambda: chunks[1].received == 10)
        assert client.put(upload, 0, 999).status == 201


async def test_it_serves_clients_on_another_loop() -> None:
    """An event loop of the caller's own is not disturbed."""
    with Sandbox() as sandbox:
        headers = {"Authorization": f"Bearer {sandbox.access_token}"}
        async with aiohttp.ClientSession() as session:
            url = sandbox.base_url + INIT
            async with session.post(url, json=order(), headers=headers) as response:
                upload = (await response.json())["data"]["upload_url"]
            put = {"Content-Type": "video/mp4", "Content-Range": "bytes 0-999/1000"}
            async with session.put(upload, data=b"x" * 1000, headers=put) as response:
                assert response.status == 201
    assert sandbox.assert_posted_once().sha256 == hashlib.sha256(b"x" * 1000).hexdigest()


def test_serving_for_ever_ends_with_stop() -> None:
    """The command waits in it; another thread may end it."""
    sandbox = Sandbox()
    thread = threading.Thread(target=sandbox.serve_forever)
    thread.start()
    sandbox.wait_for(lambda: sandbox._server.is_running)
    sandbox.stop()
    thread.join(5)
    assert not thread.is_alive()


def test_two_sandboxes_know_nothing_of_each_other() -> None:
    """Tokens, uploads and ports of their own."""
    with Sandbox() as one, Sandbox() as other, Client(other, token=one.access_token) as client:
        assert one.base_url != other.base_url
        assert client.call(INIT, order()).status == 401


def test_a_token_can_be_chosen() -> None:
    """What is configured elsewhere can be configured here."""
    with Sandbox(access_token="act.mine") as sandbox, Client(sandbox, token="act.mine") as client:
        assert sandbox.access_token == "act.mine"
        client.init()


def test_a_fault_of_the_sandbox_is_loud(monkeypatch: pytest.MonkeyPatch) -> None:
    """A mistake in here must not look like a client's failure."""
    monkeypatch.setattr("transports.tiktok.sandbox.api.read_order", lambda *_, **__: 1 / 0)
    sandbox = Sandbox().start()
    with Client(sandbox) as client:
        assert client.call(INIT, order()).status == 500
    sandbox.stop()
    with pytest.raises(SandboxViolation, match="sandbox itself failed"):
        sandbox.assert_no_violations()


# -- memory --------------------------------------------------------------------------------------


def test_no_bytes_are_kept() -> None:
    """A quarter of a gigabyte leaves the process as small as it was."""
    resource = pytest.importorskip("resource")
    piece = bytes(1 << 20)
    with Sandbox() as sandbox, Client(sandbox) as client:
        client.put(client.init(), 0, 999)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        upload = client.init(4 * 64_000_000, 64_000_000)
        with client.connect() as connection:
            for first in range(0, upload.size, 64_000_000):
                head = put_head(upload, first, first + 64_000_000 - 1)
                connection.sendall(head.encode())
                for start in range(0, 64_000_000, len(piece)):
                    connection.sendall(piece[: 64_000_000 - start])
                assert read_answer(connection).startswith(b"HTTP/1.1 20")
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        assert grown < 16 * 1024  # KiB: buffers of one connection
        assert len(sandbox.posts) == 2


# -- questions to ask ----------------------------------------------------------------------------


def published(sandbox: Sandbox, body: bytes, title: str) -> Post:
    """Publish one clip."""
    with Client(sandbox) as client:
        upload = client.init(len(body), title=title)
        assert client.put(upload, 0, len(body) - 1, body=body).status == 201
    return sandbox.posts[-1]


def test_one_post_is_found(sandbox: Sandbox, tmp_path: Path) -> None:
    """By file, hash, title, id, or as the only one."""
    clip = tmp_path / "clip.mp4"
    clip.write_bytes(b"one")
    post = published(sandbox, b"one", "first")
    assert sandbox.assert_posted_once() is post
    published(sandbox, b"two", "second")
    assert sandbox.assert_posted_once(clip) is post
    assert sandbox.assert_posted_once(str(clip), sha256=post.sha256, title="first") is post
    assert sandbox.assert_posted_once(publish_id=post.publish_id) is post
    assert sandbox.assert_posted_once(title="second") is not post


def test_a_miscount_says_the_numbers(sandbox: Sandbox, tmp_path: Path) -> None:
    """How many were found, how many complete, how far each upload is."""
    published(sandbox, b"one", "same")
    published(sandbox, b"one", "same")
    with Client(sandbox) as client:
        client.init(5000, title="unfinished")
    with pytest.raises(AssertionError, match=r"found 2; 2 complete of 3 uploads"):
        sandbox.assert_posted_once(title="same")
    with pytest.raises(AssertionError, match=r"found 0;(.|\n)*0 of 5000 bytes"):
        sandbox.assert_posted_once(title="unfinished")
    other = tmp_path / "other.mp4"
    other.write_bytes(b"other")
    with pytest.raises(AssertionError, match="found 0"):
        sandbox.assert_posted_once(other)
    with pytest.raises(AssertionError, match="not 00"):
        sandbox.assert_posted_once(other, sha256="00")


def test_a_failed_post_was_not_posted() -> None:
    """Its bytes arrived, but nobody will see it."""
    with Sandbox(switches=Switches(fail_reason="internal")) as sandbox:
        post = published(sandbox, b"one", "first")
        assert (post.status, post.fail_reason, sandbox.posts) == ("FAILED", "internal", [post])
        with pytest.raises(AssertionError, match="FAILED"):
            sandbox.assert_posted_once()


def test_secrets_are_in_no_repr(sandbox: Sandbox) -> None:
    """Neither token nor upload URL is printed by what a failing test prints."""
    post = published(sandbox, b"one", "first")
    texts = [repr(sandbox), repr(post), repr(sandbox.requests), repr(vars(sandbox)["_book"])]
    for text in texts:
        assert "upload_token" not in text
        assert sandbox.access_token not in text


def test_waiting_has_an_end(sandbox: Sandbox) -> None:
    """What never happens is a TimeoutError; a post that is not there yet is no error."""
    with pytest.raises(TimeoutError, match=r"within 0\.02 s"):
        sandbox.wait_for(lambda: sandbox.uploads[0], timeout=0.02)


# -- the clock -----------------------------------------------------------------------------------


def test_the_clock_runs_and_can_be_advanced() -> None:
    """Forward only."""
    clock = SandboxClock()
    begun = clock.now()
    assert abs(begun - time.time()) < 1
    clock.advance(3600)
    assert 3600 <= clock.now() - begun < 3610
    with pytest.raises(ValueError, match="-1"):
        clock.advance(-1)


async def test_advancing_wakes_those_who_wait() -> None:
    """Not before their moment."""
    clock = SandboxClock(source=lambda: 100.0)
    woken: list[str] = []

    async def wait(name: str, seconds: float) -> None:
        await clock.wait(seconds)
        woken.append(name)

    async with asyncio.TaskGroup() as group:
        near = group.create_task(wait("near", 60))
        group.create_task(wait("far", 120))
        await asyncio.sleep(0)
        clock.advance(60)
        await near
        assert woken == ["near"]
        clock.advance(60)
    assert woken == ["near", "far"]


def test_a_clock_can_be_given() -> None:
    """A frozen one makes times exact."""
    with Sandbox(clock=SandboxClock(source=lambda: 1e9)) as sandbox:
        post = published(sandbox, b"one", "first")
        assert (post.created, post.completed, post.chunks[0].ended) == (1e9, 1e9, 1e9)


# -- the package ---------------------------------------------------------------------------------


def test_the_fixture_works_in_users_suites(tmp_path: Path) -> None:
    """`tiktok_sandbox` serves a strict sandbox per test."""
    (tmp_path / "test_mine.py").write_text(
        "import urllib.request, urllib.error, pytest\n"
        "def test_good(tiktok_sandbox):\n"
        "    assert tiktok_sandbox.base_url.startswith('http://127.0.0.1:')\n"
        "    assert tiktok_sandbox.strict and tiktok_sandbox.posts == []\n"
        "def test_bad(tiktok_sandbox):\n"
        "    with pytest.raises(urllib.error.HTTPError):\n"
        "        urllib.request.urlopen(tiktok_sandbox.base_url + '/nowhere')\n"
    )
    root = str(Path(__file__).parents[2])
    plugin = "transports.tiktok.sandbox.pytest_plugin"
    # `-p` twice is an error, and an installed project registers the plug-in by itself.
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    command += ["-p", "no:mmap_uploader_tiktok", "-p", plugin, "--rootdir", str(tmp_path)]
    run = subprocess.run(
        [*command, str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env={"PYTHONPATH": root},
    )
    assert "1 passed" not in run.stdout
    assert "2 passed, 1 error" in run.stdout, run.stdout + run.stderr
    assert "TikTok has no such path" in run.stdout


def test_the_package_exports_what_it_says() -> None:
    """Every public name loads, lists and documents itself; others do not exist."""
    for name in package.__all__:
        assert getattr(package, name).__doc__
        assert name in dir(package)
    missing: Any = package
    with pytest.raises(AttributeError, match="Nothing"):
        _ = missing.Nothing


def test_it_stands_alone() -> None:
    """Beyond the uploader's words only its server thread is loaded, and nothing that uploads."""
    program = (
        "import sys, uploader\n"
        "before = set(sys.modules)\n"
        "from transports.tiktok.sandbox import Sandbox\n"
        "with Sandbox(): pass\n"
        "new = set(sys.modules) - before\n"
        "print([name for name in new if name.split('.')[0] == 'uploader'])"
    )
    root = Path(__file__).parents[2]
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=root
    )
    assert run.stdout.strip() == "['uploader.serving']"


def test_a_port_is_free_again_after_the_stop() -> None:
    """Another server may take it at once."""
    with Sandbox() as sandbox, Client(sandbox) as client:
        client.init()
        port = int(sandbox.base_url.rpartition(":")[2])
    with socket.create_server(("127.0.0.1", port)):
        pass
