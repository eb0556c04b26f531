"""What becomes of uploads whose handle does not end with a result."""

import signal
import threading
from concurrent.futures import Future
from types import SimpleNamespace

import pytest

from uploader.api import UploadHandle
from uploader.cli.drive import End, Job, drive
from uploader.cli.exits import Exit, exit_of
from uploader.cli.progress import Silent
from uploader.cli.stop import Stop
from uploader.errors import LeaseHeldError, SourceChangedError, SourceError
from uploader.model import Outcome, Plan, Progress, UploadResult

PLAN = Plan(10, 10, 1)


def job(end: UploadResult | BaseException | None) -> Job:
    """Make a job that ends as it is told to; `None` is refused at the start."""

    def begin() -> UploadHandle:
        if end is None:
            raise SourceError("clip.mp4 does not exist")
        future: Future[UploadResult] = Future()
        if isinstance(end, BaseException):
            future.set_exception(end)
        else:
            future.set_result(end)
        return UploadHandle("", SimpleNamespace(progress=Progress()), future, lambda _: None)

    return Job("clip.mp4", "tiktok", None, PLAN, begin)


def driven(*jobs: Job) -> list[End]:
    """Drive these jobs."""
    with Stop() as stop:
        return drive(jobs, display=Silent(), stop=stop)


def test_results_keep_the_order_of_the_files() -> None:
    """Whatever becomes of the others, each file has its result."""
    done = UploadResult(outcome=Outcome.DONE, upload_id="a", transport="tiktok")

    ends = driven(*map(job, (done, SourceChangedError("clip.mp4 has grown"), None, done)))

    results = [end.result for end in ends]
    assert [str(result.outcome) for result in results] == ["done", "failed", "failed", "done"]
    assert [result.code for result in results[1:3]] == ["source_changed", "source"]
    assert [end.refused for end in ends] == [False, False, True, False]
    assert exit_of(results) is Exit.FAILED


def test_a_crash_of_the_uploader_promises_nothing() -> None:
    """It may have come after the request that posts: unknown, and the text of it is kept back."""
    (end,) = driven(job(KeyError("act.secret")))

    assert end.result.outcome is Outcome.UNKNOWN
    assert "the uploader itself failed (KeyError)" in str(end.result.error)
    assert "secret" not in str(end.result.to_dict())


def test_what_this_run_drives_already_is_awaited_not_refused() -> None:
    """A copy of a file that is on its way ends with it; one that others drive is not finished."""
    future: Future[UploadResult] = Future()
    handle = UploadHandle("a1", SimpleNamespace(progress=Progress()), future, lambda _: None)

    def held() -> UploadHandle:
        raise LeaseHeldError("the upload a1 is being driven", holder="us", upload_id="a1")

    def elsewhere() -> UploadHandle:
        future.set_result(UploadResult(outcome=Outcome.DONE, upload_id="a1", transport="tiktok"))
        raise LeaseHeldError("the upload b2 is being driven", holder="them", upload_id="b2")

    ends = driven(
        Job("a.mp4", "tiktok", None, PLAN, lambda: handle),
        Job("copy.mp4", "tiktok", None, PLAN, held),
        Job("b.mp4", "tiktok", None, PLAN, elsewhere),
    )

    assert [str(end.result.outcome) for end in ends] == ["done", "done", "suspended"]
    assert exit_of(end.result for end in ends) is Exit.NOT_FINISHED


def test_a_signal_is_heard_while_a_file_is_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    """What an upload does before it begins may take long: nobody waits for it, and it is told."""
    monkeypatch.setattr("uploader.cli.drive.ANSWERS", 0.05)
    compared = threading.Event()

    def begin() -> UploadHandle:
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
        assert compared.wait(10)
        raise SourceError("clip.mp4 has grown")

    slow = Job("clip.mp4", "tiktok", None, PLAN, begin)
    ends = driven(slow, job(None))
    compared.set()

    assert [str(end.result.outcome) for end in ends] == ["unknown", "cancelled"]
    assert "it did not stop in time" in str(ends[0].result.error)
