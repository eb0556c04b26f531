"""The asyncio face: the same verbs, on the caller's loop whatever it is."""

import asyncio
import queue
import threading
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
import uvloop

from tests.engine.clock import FakeClock
from tests.engine.conftest import Make
from tests.engine.files import make_clip
from transports.tiktok.sandbox import Fault, Sandbox
from uploader import AsyncUploader
from uploader.errors import ConfigurationError, SourceError, UploaderError
from uploader.model import Outcome

LOOPS: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {
    "asyncio": asyncio.new_event_loop,
    "uvloop": uvloop.new_event_loop,
}


@pytest.fixture(params=LOOPS)
def run(request: pytest.FixtureRequest) -> Callable[[Coroutine[Any, Any, Any]], Any]:
    """Run a coroutine on one kind of caller's loop."""

    def run(main: Coroutine[Any, Any, Any]) -> Any:
        with asyncio.Runner(loop_factory=LOOPS[request.param]) as runner:
            return runner.run(main)

    return run


def puts(sandbox: Sandbox) -> list[Any]:
    """Return the PUTs that have arrived."""
    return [request for request in sandbox.requests if request.operation == "put"]


def test_an_upload_is_awaited(
    run: Callable[..., Any], sandbox: Sandbox, post: Make, tmp_path: Path, still: FakeClock
) -> None:
    """`upload`, `check` and `submit` work on the caller's loop, which goes on meanwhile."""
    clip = make_clip(tmp_path / "clip.mp4", 11_000_000)
    turns = 0

    async def main() -> None:
        nonlocal turns
        async with AsyncUploader(clock=still, metrics=False) as up:
            destination = post(chunk_size=5_242_880)
            assert (await up.check(clip, destination)).plan.count == 2
            uploading = asyncio.ensure_future(up.upload(clip, destination))
            while not uploading.done():
                turns += 1
                await asyncio.sleep(0)
            result = await uploading
            assert result.outcome is Outcome.DONE
            handle = await up.submit(clip, post(title="again"), wait=False)
            again = await asyncio.wrap_future(handle.future)
            assert again.outcome is Outcome.PROCESSING

    run(main())
    assert turns > 10
    assert len(sandbox.posts) == 2


def test_bad_input_is_raised_where_it_is_awaited(
    run: Callable[..., Any], sandbox: Sandbox, post: Make, tmp_path: Path
) -> None:
    """The caller's faults have the same types as in synchronous code."""

    async def main() -> None:
        async with AsyncUploader(metrics=False) as up:
            for verb in (up.upload, up.submit, up.check):
                with pytest.raises(SourceError):
                    await verb(tmp_path / "gone.mp4", post())
            with pytest.raises(ConfigurationError, match="at least 1"):
                await up.upload_many([], concurrency=0)
        with pytest.raises(UploaderError, match="closed"):
            await up.upload(make_clip(tmp_path / "clip.mp4", 1000), post())

    run(main())
    assert sandbox.requests == []


def test_upload_many_answers_in_order_errors_included(
    run: Callable[..., Any], sandbox: Sandbox, post: Make, tmp_path: Path, still: FakeClock
) -> None:
    """One result for each input in its place, with at most `concurrency` of them at once."""
    clips = [make_clip(tmp_path / f"{n}.mp4", 5000 + n, seed=n) for n in range(5)]
    pairs: list[tuple[Any, Any]] = [(clip, post(title=clip.name)) for clip in clips]
    pairs[1] = (tmp_path / "gone.mp4", post())
    pairs[3] = (clips[3], post(access_token="act.wrong"))

    async def main() -> list[Any]:
        async with AsyncUploader(clock=still, metrics=False) as up:
            return await up.upload_many(pairs, concurrency=2)

    results = run(main())
    assert [str(result.outcome) for result in results] == [
        "done", "failed", "done", "failed", "done",
    ]  # fmt: skip
    assert isinstance(results[1].error, SourceError)
    for index in (0, 2, 4):
        sandbox.assert_posted_once(clips[index], title=f"{index}.mp4")


def test_cancelling_the_task_that_waits_stops_the_upload(
    run: Callable[..., Any], sandbox: Sandbox, post: Make, tmp_path: Path, still: FakeClock
) -> None:
    """A handler whose client went away takes its upload with it."""
    clip = make_clip(tmp_path / "clip.mp4", 11_000_000)
    sandbox.script(Fault("put", delay=60))

    async def main() -> None:
        async with AsyncUploader(clock=still, metrics=False) as up:
            waiting = asyncio.ensure_future(up.upload(clip, post(chunk_size=5_242_880)))
            await asyncio.to_thread(sandbox.wait_for, lambda: puts(sandbox))
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting

    run(main())
    sandbox.clock.advance(60)
    assert not sandbox.posts
    assert len(puts(sandbox)) == 1


def test_cancelling_while_the_upload_is_started_stops_it_too(
    run: Callable[..., Any], sandbox: Sandbox, post: Make, tmp_path: Path, still: FakeClock
) -> None:
    """A cancellation that comes while the engine starts leaves no upload that nobody holds."""
    clip = make_clip(tmp_path / "clip.mp4", 1000)
    entered, go = threading.Event(), threading.Event()
    handles: queue.SimpleQueue[Any] = queue.SimpleQueue()

    class Slow(AsyncUploader):
        def _start(self, *args: Any, **kwargs: Any) -> Any:
            entered.set()
            assert go.wait(10)
            handle = super()._start(*args, **kwargs)
            handles.put(handle)
            return handle

    sandbox.script(Fault("init", delay=60))

    async def main() -> None:
        async with Slow(clock=still, metrics=False) as up:
            waiting = asyncio.ensure_future(up.upload(clip, post()))
            await asyncio.to_thread(entered.wait)
            waiting.cancel()
            await asyncio.sleep(0)
            go.set()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            handle = await asyncio.to_thread(handles.get)
            result = await asyncio.to_thread(handle.result, 10)
            assert result.outcome in (Outcome.SUSPENDED, Outcome.UNKNOWN)

    run(main())
    sandbox.clock.advance(60)
    assert not sandbox.posts


def test_a_timeout_of_the_caller_stops_the_upload(
    run: Callable[..., Any], sandbox: Sandbox, post: Make, tmp_path: Path, still: FakeClock
) -> None:
    """`asyncio.timeout` around an upload ends it."""
    clip = make_clip(tmp_path / "clip.mp4", 1000)
    sandbox.script(Fault("init", delay=60))

    async def main() -> None:
        async with AsyncUploader(clock=still, metrics=False) as up:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05):
                    await up.upload(clip, post())

    run(main())
    sandbox.clock.advance(60)
    assert not sandbox.posts


def test_a_small_flow_is_driven_signed(
    run: Callable[..., Any], sandbox: Sandbox, post: Make, still: FakeClock
) -> None:
    """`call` drives one of a destination's own operations."""
    destination = post()
    transport = destination.transport()

    async def main() -> Any:
        from tests.tiktok.answers import spec

        async with AsyncUploader(clock=still, metrics=False) as up:
            return await up.call(
                destination, "create", lambda: transport.create(spec(1000)), repeatable=False
            )

    session = run(main())
    assert session.fields["publish_id"] == sandbox.uploads[0].publish_id


def test_closing_in_the_middle_ends_every_waiting_task(
    run: Callable[..., Any], sandbox: Sandbox, post: Make, tmp_path: Path, still: FakeClock
) -> None:
    """Tasks that wait when the uploader is closed get a result or an error, none hangs."""
    clip = make_clip(tmp_path / "clip.mp4", 1000)
    sandbox.script(*(Fault("init", delay=60) for _ in range(3)))

    async def main() -> list[Any]:
        up = AsyncUploader(clock=still, metrics=False)
        waiting = [asyncio.ensure_future(up.upload(clip, post(title=t))) for t in "abc"]
        await asyncio.to_thread(sandbox.wait_for, lambda: len(sandbox.requests) == 3)
        await up.close(grace=1)
        return await asyncio.wait_for(asyncio.gather(*waiting, return_exceptions=True), 10)

    ends = run(main())
    sandbox.clock.advance(60)
    assert {str(getattr(end, "outcome", "closed")) for end in ends} <= {"unknown", "closed"}
