"""What becomes of uploads whose handle does not end with a result."""

from concurrent.futures import Future
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from uploader import registry
from uploader.api import Uploader, UploadHandle
from uploader.cli import destinations
from uploader.cli.drive import Job, drive
from uploader.cli.exits import Exit, exit_of
from uploader.cli.progress import Silent
from uploader.cli.stop import Stop
from uploader.errors import SourceChangedError, SourceError
from uploader.model import Outcome, Plan, Progress, UploadResult, UploadSpec


class Broken:
    """An uploader whose uploads end as they are told to: `None` is refused at the start."""

    def __init__(self, *ends: UploadResult | BaseException | None) -> None:
        self._ends = list(ends)

    def submit(self, *_: object, **__: object) -> UploadHandle:
        end = self._ends.pop(0)
        if end is None:
            raise SourceError("clip.mp4 does not exist")
        future: Future[UploadResult] = Future()
        if isinstance(end, BaseException):
            future.set_exception(end)
        else:
            future.set_result(end)
        return UploadHandle("", SimpleNamespace(progress=Progress()), future, lambda: None)


def driven(*ends: UploadResult | BaseException | None) -> list[UploadResult]:
    """Drive one upload per end."""
    destination = destinations.stand_in(registry.load("tiktok"), None, {})
    job = Job(Path("clip.mp4"), destination, UploadSpec(10, "video/mp4", Plan(10, 10, 1)))
    uploader = cast(Any, Broken(*ends))
    with Stop() as stop:
        return drive(
            cast(Uploader, uploader), [job] * len(ends), wait=True, display=Silent(), stop=stop
        )


def test_results_keep_the_order_of_the_files() -> None:
    """Whatever becomes of the others, each file has its result."""
    done = UploadResult(outcome=Outcome.DONE, upload_id="a", transport="tiktok")

    results = driven(done, SourceChangedError("clip.mp4 has grown"), None, done)

    assert [str(result.outcome) for result in results] == ["done", "failed", "failed", "done"]
    assert [result.code for result in results[1:3]] == ["source_changed", "source"]
    assert exit_of(results) is Exit.FAILED


def test_a_crash_of_the_uploader_promises_nothing() -> None:
    """It may have come after the request that posts: unknown, and the text of it is kept back."""
    (result,) = driven(KeyError("act.secret"))

    assert result.outcome is Outcome.UNKNOWN
    assert "the uploader itself failed (KeyError)" in str(result.error)
    assert "secret" not in str(result.to_dict())
