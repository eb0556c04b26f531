"""Sizes are read as people write them, and shown with three digits that matter."""

import pytest

from uploader.cli.sizes import parse_size, show_seconds, show_size


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("64MB", 64_000_000),
        ("64 mb", 64_000_000),
        ("64MiB", 67_108_864),
        ("64000000", 64_000_000),
        ("64_000_000", 64_000_000),
        ("1.5GB", 1_500_000_000),
        ("0.5GiB", 536_870_912),
        ("10k", 10_000),
        ("5B", 5),
    ],
)
def test_sizes_that_can_be_read(text: str, size: int) -> None:
    """MB is decimal, MiB is binary, and no unit means bytes."""
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "MB", "-1MB", "1e6", "64 parsecs", "0", "0.5", "١MB", "1.MB"])
def test_sizes_that_cannot(text: str) -> None:
    """What is no size is refused, never guessed at."""
    with pytest.raises(ValueError, match=r"size|byte"):
        parse_size(text)


@pytest.mark.parametrize(
    ("count", "shown"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (26_023, "26 kB"),
        (256_000_000, "256 MB"),
        (1_023_400_000, "1.02 GB"),
        (999_600_000, "1 GB"),
        (4_000_000_000, "4 GB"),
    ],
)
def test_sizes_as_they_are_shown(count: int, shown: str) -> None:
    """Decimal, short."""
    assert show_size(count) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"), [(0.581, "0.58 s"), (42.04, "42.0 s"), (185.4, "3 min 05 s")]
)
def test_durations_as_they_are_shown(seconds: float, shown: str) -> None:
    """Hundredths while they matter, minutes when they do not."""
    assert show_seconds(seconds) == shown
