"""What has no descriptor is copied to a temporary file; here no disk takes the copy.

`/dev/full` refuses each write the way a full disk does, with ENOSPC from the kernel.
"""

import io
import tempfile
from pathlib import Path

import pytest

from tests.faults.case import SIZE, SMALL, Case, done, put
from tests.faults.scene import Films, scene
from uploader import Outcome, SourceError
from uploader.journal import State

UNHARMED = Case("no fault", (), done())
INTERRUPTED = Case("the middle fails", (put(2, status=503, times=3),), done())
FULL = Path("/dev/full")
pytestmark = pytest.mark.skipif(not FULL.exists(), reason="no device that is full")


@pytest.fixture
def full(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no temporary file take a byte."""
    fill(monkeypatch)


def fill(patch: pytest.MonkeyPatch) -> None:
    """Put the full device in the place of every temporary file."""
    patch.setattr(tempfile, "TemporaryFile", lambda **_: FULL.open("w+b"))


def stream_of(film: Path) -> io.BytesIO:
    """Return a film without a descriptor."""
    return io.BytesIO(film.read_bytes())


def descriptors() -> int:
    """Count this process's descriptors."""
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.parametrize("size", [1000, SMALL, SIZE])
@pytest.mark.usefixtures("full")
def test_an_upload_is_not_begun(films: Films, size: int) -> None:
    """Whether a write fails or the last flush: a typed error, and nothing was sent or kept."""
    stream = io.BytesIO(films.long.read_bytes()[:size])
    with scene(films, UNHARMED) as playing:
        before = descriptors()
        with pytest.raises(SourceError, match="No space left on device"):
            playing.uploader.upload(stream, playing.destination())

        assert playing.sandbox.requests == []
        assert playing.uploader.journal.latest() == []
        assert descriptors() == before


def test_a_suspended_upload_stays_so(films: Films, monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be copied to go on with it is raised, and the upload waits for a better day."""
    tokens: list[str] = []
    with scene(films, INTERRUPTED, credentials=lambda *_: tokens[0]) as playing:
        tokens.append(playing.sandbox.access_token)
        first = playing.uploader.upload(films.long, playing.destination())
        asked = len(playing.sandbox.requests)
        with monkeypatch.context() as patch:
            fill(patch)
            before = descriptors()
            with pytest.raises(SourceError, match="No space left on device"):
                playing.uploader.resume(first.upload_id, stream_of(films.long))
        entry = playing.uploader.journal.get(first.upload_id)

        assert (first.outcome, len(playing.sandbox.requests)) == (Outcome.SUSPENDED, asked)
        assert descriptors() == before
        assert entry is not None
        assert (entry.state, entry.confirmed, entry.holder) == (State.SENDING, 1, None)

        last = playing.uploader.resume(first.upload_id, stream_of(films.long))

        assert last.outcome is Outcome.DONE
        playing.sandbox.assert_posted_once(films.long)
