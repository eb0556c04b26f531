"""A bandwidth limit is shared piece by piece, however large the windows are."""

from typing import Any

from uploader.model import Part
from uploader.pipeline import PartBody
from uploader.pipeline.body import TURN

LENGTH = 8 * TURN + 5


class OneWindow:
    """A reader whose only window is the whole part."""

    lent: Any = None

    def __init__(self) -> None:
        self.window = self
        self.start, self.length = 0, LENGTH
        self.view = memoryview(bytes(LENGTH))

    async def next(self) -> Any:
        """Return the window."""
        return self

    def done(self, item: Any) -> None:
        """Take it back."""

    def verify(self) -> None:
        """Find the file as it was."""


class Halves:
    """A sink that wants large slices and takes half of each."""

    slice_size = 4 * TURN

    def __init__(self) -> None:
        self.taken = 0

    async def write(self, piece: memoryview, lent: Any, start: int) -> int:
        """Take some."""
        took = max(1, len(piece) // 2)
        self.taken += took
        return took

    def unsent(self) -> int:
        """Tell that nothing waits."""
        return 0

    def abort(self) -> None:
        """Drop the connection."""


async def test_no_turn_is_longer_than_a_piece_and_no_byte_is_paid_twice() -> None:
    """Who came first must not keep the line until its whole window is out."""
    paid: list[int] = []

    async def pace(count: int) -> None:
        paid.append(count)

    reader: Any = OneWindow()
    sink: Any = Halves()
    await PartBody(reader, Part(0, 0, LENGTH), pace=pace).stream(sink)
    assert sink.taken == LENGTH
    assert sum(paid) == LENGTH
    assert max(paid) <= TURN
