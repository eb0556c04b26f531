"""Live progress: what is shown where somebody looks, and nothing where nobody does."""

import io
import os
import pty
import select
import signal
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest
from rich.console import Console

from tests.cli.command import SCRIPT, environment, publishing, video
from transports.tiktok.sandbox import Fault, Sandbox
from uploader.api import UploadHandle
from uploader.cli.progress import Bars, display
from uploader.model import Outcome, Progress, UploadResult


class Terminal:
    """A pseudo-terminal with the command in it."""

    def __init__(self, *arguments: object, env: dict[str, str], width: int) -> None:
        self._ours, theirs = pty.openpty()
        self.process = subprocess.Popen(
            [SCRIPT, *map(str, arguments)],
            env={**env, "TERM": "xterm-256color", "COLUMNS": str(width), "LINES": "40"},
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)
        self.shown = ""

    def read(self, until: str | None, timeout: float = 15) -> str:
        """Read until a text is shown, or with `None` until the command ends; return all so far."""
        deadline = time.monotonic() + timeout
        while until is None or until not in self.shown:
            ready, _, _ = select.select([self._ours], [], [], deadline - time.monotonic())
            assert ready, f"{until!r} was not shown: {self.shown}"
            try:
                self.shown += os.read(self._ours, 65536).decode()
            except OSError:  # EIO: the other side is closed
                break
        return self.shown

    def close(self) -> None:
        """End the command."""
        self.process.kill()
        self.process.wait()
        os.close(self._ours)


@contextmanager
def terminal(*arguments: object, env: dict[str, str], width: int = 100) -> Iterator[Terminal]:
    """Run the command in a pseudo-terminal."""
    shown = Terminal(*arguments, env=env, width=width)
    try:
        yield shown
    finally:
        shown.close()


def test_progress_in_a_terminal(sandbox: Sandbox, tmp_path: Path) -> None:
    """Numbers while it runs, the cursor back when it is stopped, no secret ever."""
    sandbox.script(Fault("put", nth=2, slow=200_000))
    file = video(tmp_path, 18_000_000)
    arguments = (*publishing(sandbox, file), "--chunk-size", "6MB")
    with terminal(*arguments, env=environment(sandbox)) as screen:
        screen.read("confirmed    6 MB")

        screen.process.send_signal(signal.SIGINT)
        shown = screen.read(None)

        assert screen.process.wait(5) == 130
    assert "clip.mp4: suspended, nothing was posted yet" in shown
    assert shown.rindex("\x1b[?25h") > shown.rindex("\x1b[?25l")
    assert sandbox.access_token not in shown
    assert sandbox.uploads[0].url not in shown


@contextmanager
def bars(width: int, sizes: list[int]) -> Iterator[tuple[Bars, io.StringIO]]:
    """Draw bars of these uploads on paper."""
    paper = io.StringIO()
    screen = Console(file=paper, width=width, force_terminal=True, color_system=None)
    drawn = Bars(screen, [(f"{index}.mp4", size) for index, size in enumerate(sizes)])
    yield drawn, paper


def handle(
    *, total: int, sent: int, confirmed: int, result: UploadResult | None = None
) -> UploadHandle:
    """Make a handle that stands still."""
    future: Future[UploadResult] = Future()
    if result is not None:
        future.set_result(result)
    numbers = SimpleNamespace(progress=Progress(total, sent, confirmed, 0))
    return UploadHandle("", numbers, future, lambda _: None)


@pytest.mark.parametrize(
    ("width", "shown", "not_shown"),
    [
        (120, ["0.mp4", "sent  128 MB", "confirmed   64 MB of 256 MB", "waiting"], ["%"]),
        (80, ["0.mp4", "sent  128 MB", "confirmed   64 MB"], ["of 256 MB", "%"]),
        (60, ["sent  128 MB", "confirmed   64 MB"], ["waiting"]),
        (40, ["0.mp4", "25 %"], ["sent"]),
    ],
)
def test_the_terminal_may_be_narrow(width: int, shown: list[str], not_shown: list[str]) -> None:
    """Fewer words, never a broken line; sent and confirmed are two tones of one bar."""
    with bars(width, [256_000_000]) as (drawn, paper):
        drawn.watch(0, handle(total=256_000_000, sent=128_000_000, confirmed=64_000_000))
        drawn.console.print(drawn.get_renderable())

    (line,) = paper.getvalue().splitlines()
    assert len(line) <= width
    assert "━" in line
    assert "─" in line
    assert all(text in line for text in shown)
    assert not any(text in line for text in not_shown)


def test_how_an_upload_ended_is_shown() -> None:
    """The bar stays and says so; all files together have a bar of their own."""
    result = UploadResult(outcome=Outcome.DONE, upload_id="", transport="tiktok")
    with bars(120, [1000, 3000]) as (drawn, paper):
        drawn.watch(0, handle(total=1000, sent=1000, confirmed=1000, result=result))
        drawn.watch(1, handle(total=3000, sent=1000, confirmed=0))
        drawn.ended(0, result)
        drawn.console.print(drawn.get_renderable())

    first, second, together = paper.getvalue().splitlines()
    assert "done" in first
    assert "sent    1 kB" in second
    assert "all 2" in together
    assert "sent    2 kB confirmed    1 kB of 4 kB" in together


def test_many_files_do_not_fill_the_screen() -> None:
    """With more than a few, only those that are under way have a bar."""
    with bars(120, [1000] * 50) as (drawn, paper):
        drawn.watch(7, handle(total=1000, sent=500, confirmed=0))
        drawn.console.print(drawn.get_renderable())

    lines = paper.getvalue().splitlines()
    assert [line.split()[0] for line in lines] == ["7.mp4", "all"]


def test_nothing_is_drawn_where_nobody_looks() -> None:
    """Not into a pipe, and not between JSON log lines."""
    for console, quiet in (
        (Console(file=io.StringIO()), False),
        (Console(file=io.StringIO(), force_terminal=True), True),
    ):
        with display(console, [("clip.mp4", 1000)], quiet=quiet) as shown:
            shown.watch(0, handle(total=1000, sent=500, confirmed=0))
        assert console.file.getvalue() == ""  # type: ignore[attr-defined]
