"""The engine's own thread: what fails in it is told to who waits, and never waited for."""

import asyncio
import threading
from collections.abc import Callable

import pytest

from uploader import ConfigurationError, UploaderError
from uploader.api.thread import EngineThread
from uploader.engine import Engine, Settings

PATIENCE = 10.0


def engine() -> Engine:
    """Make one that does nothing."""
    return Engine(Settings())


def engine_threads() -> int:
    """Count the engines' threads of this process."""
    return sum(each.name == "uploader-engine" for each in threading.enumerate())


def answer(call: Callable[[], object]) -> object:
    """Return what a call returns or raises, or fail when it does neither in time."""
    found: list[object] = []

    def work() -> None:
        try:
            found.append(call())
        except BaseException as error:
            found.append(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(PATIENCE)
    assert found, "it waits for ever"
    return found[0]


@pytest.fixture
def _ends_quietly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the interpreter say nothing of a thread that is killed here."""
    monkeypatch.setattr(threading, "excepthook", lambda _: None)


@pytest.mark.usefixtures("_ends_quietly")
@pytest.mark.parametrize("kind", [ConfigurationError, SystemExit, KeyboardInterrupt])
def test_an_engine_that_cannot_be_made_is_told_and_leaves_no_thread(
    kind: type[BaseException],
) -> None:
    """The next use makes another one."""
    before, failures = engine_threads(), [kind("no")]

    def make() -> Engine:
        if failures:
            raise failures.pop()
        return engine()

    thread = EngineThread(make)
    told = answer(thread.start_now)
    assert isinstance(told, kind)
    deadline = threading.Event()
    for _ in range(1000):
        if engine_threads() == before:
            break
        deadline.wait(0.01)
    assert engine_threads() == before
    assert answer(thread.start_now) is None
    thread.close(1.0)


@pytest.mark.usefixtures("_ends_quietly")
def test_who_waits_for_a_thread_that_dies_is_told() -> None:
    """An exception that ends interpreters ends the loop, whoever's task it was."""
    thread = EngineThread(engine)

    async def waits(_: Engine) -> None:
        async def die() -> None:
            raise SystemExit

        dying = asyncio.ensure_future(die())
        await asyncio.Event().wait()
        await dying

    assert isinstance(answer(lambda: thread.call(waits)), UploaderError)
    assert isinstance(answer(lambda: thread.call(waits)), UploaderError)
    thread.close(1.0)
