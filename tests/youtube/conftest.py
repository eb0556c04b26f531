"""A sandbox, an uploader on a clock that stands still, and a film of three parts and a bit."""

import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.engine.clock import FakeClock
from transports.resumable import ALIGNMENT
from transports.youtube import YouTubeVideo
from transports.youtube.sandbox import YouTubeSandbox
from uploader import Timeouts, Uploader, UploadResult

SIZE = 3 * ALIGNMENT + 5
Upload = Callable[..., UploadResult]


@pytest.fixture
def sandbox() -> Iterator[YouTubeSandbox]:
    """Serve a strict YouTube: a broken rule fails the test."""
    with YouTubeSandbox() as made:
        yield made


@pytest.fixture
def film(tmp_path: Path) -> Path:
    """Write four parts, the last of five bytes."""
    path = tmp_path / "film.mp4"
    path.write_bytes(random.Random(2).randbytes(SIZE))
    return path


@pytest.fixture
def upload(sandbox: YouTubeSandbox, film: Path) -> Upload:
    """Upload the film as a video with these fields, without a wait between two tries."""

    def once(title: str = "Winter", **fields: Any) -> UploadResult:
        timeouts = Timeouts(connect=5.0, stall=0.5, response=0.5)
        with Uploader(clock=FakeClock(), metrics=False, timeouts=timeouts) as uploader:
            return uploader.upload(film, video(sandbox, title, **fields))

    return once


def video(sandbox: YouTubeSandbox, title: str = "Winter", **fields: Any) -> YouTubeVideo:
    """Return a video for the sandbox, in parts of 256 KiB."""
    given = {
        "account": "acme",
        "access_token": sandbox.access_token,
        "base_url": sandbox.base_url,
        "part_size": ALIGNMENT,
    }
    return YouTubeVideo(title, **{**given, **fields})
