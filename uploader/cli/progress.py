"""Live progress: bytes sent and bytes confirmed, as two numbers and two tones of one bar.

Rule: reads the handles, never touches the uploads; nothing is drawn where nobody looks (no
terminal, JSON logs).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Protocol

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.measure import Measurement
from rich.progress import Progress, ProgressColumn, Task, TaskID, TextColumn
from rich.segment import Segment
from rich.style import Style
from rich.table import Column
from rich.text import Text

from uploader.api import UploadHandle
from uploader.cli.screen import plain
from uploader.cli.sizes import show_size
from uploader.model import UploadResult

WIDE, MEDIUM, NARROW = 104, 76, 56
FEW = 8
"""So many files keep their bars; with more, only those that are under way have one."""

_CONFIRMED = Style(color="green")
_SENT = Style(color="cyan")
_REST = Style(color="bright_black", dim=True)


class Display(Protocol):
    """What follows uploads."""

    def watch(self, index: int, handle: UploadHandle) -> None: ...

    def ended(self, index: int, result: UploadResult) -> None: ...


class Silent:
    """Follow without showing anything."""

    def watch(self, index: int, handle: UploadHandle) -> None:
        pass

    def ended(self, index: int, result: UploadResult) -> None:
        pass


class TwoToned:
    """A bar of which the confirmed share is solid, and what is sent beyond it another colour."""

    def __init__(self, *, total: int, sent: int, confirmed: int) -> None:
        self._total, self._sent, self._confirmed = max(1, total), sent, confirmed

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        width = options.max_width
        solid, lighter, rest = ("#", "=", "-") if options.ascii_only else ("━", "━", "─")
        confirmed = width * self._confirmed // self._total
        sent = max(confirmed, width * self._sent // self._total)
        yield Segment(solid * confirmed, _CONFIRMED)
        yield Segment(lighter * (sent - confirmed), _SENT)
        yield Segment(rest * (width - sent), _REST)

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        return Measurement(8, options.max_width)


class _Bar(ProgressColumn):
    def render(self, task: Task) -> RenderableType:
        numbers = task.fields
        return TwoToned(
            total=int(task.total or 0), sent=int(task.completed), confirmed=numbers["confirmed"]
        )


class _Numbers(ProgressColumn):
    """Sent, confirmed and total, in as many words as there is room for."""

    def __init__(self, width: int) -> None:
        super().__init__(Column(no_wrap=True, justify="right"))
        self._width = width

    def render(self, task: Task) -> Text:
        sent, confirmed = int(task.completed), int(task.fields["confirmed"])
        total = int(task.total or 0)
        if self._width < NARROW:
            share = 100 * confirmed // max(1, total)
            return Text(f"{share:3} %", style=_CONFIRMED)
        text = Text()
        # Numbers of one width, so that the bar does not tremble.
        text.append(f"sent {show_size(sent):>7}", style=_SENT)
        text.append(f" confirmed {show_size(confirmed):>7}", style=_CONFIRMED)
        if self._width >= WIDE:
            text.append(f" of {show_size(total)}")
        return text


class _Pace(ProgressColumn):
    """Rate and time left; how it ended, afterwards."""

    def __init__(self) -> None:
        super().__init__(Column(no_wrap=True))

    def render(self, task: Task) -> Text:
        state = task.fields["state"]
        if state:
            return Text(state)
        speed = task.finished_speed or task.speed
        if not speed:
            return Text("waiting")
        left = max(0.0, (task.total or 0) - task.completed) / speed
        return Text(f"{show_size(speed):>7}/s {int(left) // 60}:{int(left) % 60:02} left")


class Bars(Progress):
    """One bar per file, and one for all of them together."""

    def __init__(self, console: Console, files: Sequence[tuple[str, int]]) -> None:
        width = console.width
        name = TextColumn(
            "{task.description}",
            markup=False,
            table_column=Column(no_wrap=True, overflow="ellipsis", max_width=max(8, width // 5)),
        )
        columns: list[ProgressColumn] = [name, _Bar(Column(ratio=1, min_width=8)), _Numbers(width)]
        if width >= MEDIUM:
            columns.append(_Pace())
        # rich draws once while it is being made.
        self._few = len(files) <= FEW
        self._handles: dict[int, UploadHandle] = {}
        self._all: TaskID | None = None
        super().__init__(
            *columns, console=console, expand=True, redirect_stdout=False, speed_estimate_period=5
        )
        self._rows = [self._row(plain(name), size, visible=self._few) for name, size in files]
        total = sum(size for _, size in files)
        if len(files) > 1:
            self._all = self._row(f"all {len(files)}", total)

    def _row(self, name: str, size: int, *, visible: bool = True) -> TaskID:
        return self.add_task(name, total=size, visible=visible, confirmed=0, state="")

    def watch(self, index: int, handle: UploadHandle) -> None:
        """Follow this upload's numbers from now on."""
        self._handles[index] = handle

    def ended(self, index: int, result: UploadResult) -> None:
        """Show how an upload ended."""
        self._follow()
        self.update(self._rows[index], state=str(result.outcome), visible=self._few)

    def get_renderables(self) -> Iterable[RenderableType]:
        """Bring the numbers up to date whenever they are drawn."""
        self._follow()
        return super().get_renderables()

    def _follow(self) -> None:
        sent = confirmed = 0
        for index, handle in list(self._handles.items()):
            numbers = handle.progress
            sent += numbers.sent
            confirmed += numbers.confirmed
            known: dict[str, Any] = {"completed": numbers.sent, "confirmed": numbers.confirmed}
            if not handle.done():
                known["visible"] = self._few or numbers.sent > 0
                known["state"] = "processing" if numbers.confirmed == numbers.total else ""
            self.update(self._rows[index], **known)
        if self._all is not None:
            over = len(self._handles) == len(self._rows) and all(
                handle.done() for handle in self._handles.values()
            )
            state = "ended" if over else ""
            self.update(self._all, completed=sent, confirmed=confirmed, state=state)


def display(
    console: Console, files: Sequence[tuple[str, int]], *, quiet: bool = False
) -> AbstractContextManager[Display]:
    """Return bars for these names and sizes, or silence where nobody would see them."""
    if quiet or not console.is_terminal:
        return nullcontext(Silent())
    return Bars(console, files)
