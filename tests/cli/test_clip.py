"""The video that comes along is a real one, and stays one however large it grows."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.cli.command import video
from uploader.cli.clip import CLIP, grow, grown_clip
from uploader.errors import ConfigurationError


def boxes(file: Path) -> Iterator[tuple[str, int, int]]:
    """Walk the boxes of an MP4: type, position, size."""
    end = file.stat().st_size
    with file.open("rb") as stream:
        position = 0
        while position < end:
            stream.seek(position)
            size, name = int.from_bytes(stream.read(4), "big"), stream.read(4).decode()
            if size == 1:
                size = int.from_bytes(stream.read(8), "big")
            yield name, position, size
            position += size
        assert position == end


def test_the_clip_is_small_and_long_enough() -> None:
    """Under 60 kB in the wheel, over the three seconds that a video must last."""
    content = CLIP.read_bytes()
    header = content[content.index(b"mvhd") :]
    scale, duration = (int.from_bytes(header[at : at + 4], "big") for at in (16, 20))

    assert len(content) < 60_000
    assert 3 <= duration / scale <= 10
    assert [name for name, _, _ in boxes(CLIP)] == ["ftyp", "moov", "free", "mdat"]
    assert b"avc1" in content


@pytest.mark.parametrize("size", [256_000_000, 4_000_000_000, 5_000_000_000, 2**32 + 2**20])
def test_a_grown_clip_is_valid_and_takes_no_room(size: int, tmp_path: Path) -> None:
    """The `free` box ends where the file ends, its size in 64 bits above 4 GiB."""
    file = video(tmp_path)

    grow(file, size)

    found = list(boxes(file))
    assert found[:-1] == list(boxes(CLIP))
    assert found[-1] == ("free", CLIP.stat().st_size, size - CLIP.stat().st_size)
    assert file.stat().st_size == size
    assert file.stat().st_blocks * 512 < 1_000_000


def test_sizes_that_no_box_fills(tmp_path: Path) -> None:
    """Smaller than the clip, or less than a header more than it, cannot be."""
    file = video(tmp_path)
    size = CLIP.stat().st_size

    grow(file, size)
    assert file.read_bytes() == CLIP.read_bytes()
    for refused in (1, size - 1, size + 1, size + 7):
        with pytest.raises(ConfigurationError, match="cannot be made"):
            grow(file, refused)
    grow(file, size + 8)
    assert list(boxes(file))[-1] == ("free", size, 8)


def test_the_lent_clip_is_taken_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is left behind, also when what used it failed."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))

    with suppress(ZeroDivisionError), grown_clip(100_000) as file:
        assert file.parent.parent == tmp_path
        assert file.stat().st_size == 100_000
        raise ZeroDivisionError

    assert list(tmp_path.iterdir()) == []
