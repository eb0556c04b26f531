"""Interrupting a command that runs in this process."""

import os
import signal
import threading
from collections.abc import Callable

import pytest

from tests.cli.command import Ended, run


def run_until(
    when: Callable[[], object],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    *arguments: object,
    number: signal.Signals = signal.SIGINT,
) -> Ended:
    """Run the command, and send it a signal when `when` returns.

    It leaves as it does in a process of its own, but for the process.
    """

    def leave(code: int = 130) -> None:
        raise SystemExit(code)

    def press() -> None:
        when()
        # To the main thread: that is the one which waits.
        signal.pthread_kill(threading.main_thread().ident or os.getpid(), number)

    monkeypatch.setattr("uploader.cli.stop.end_at_once", leave)
    presser = threading.Thread(target=press)
    presser.start()
    ended = run(capsys, *arguments)
    presser.join(10)
    return ended
