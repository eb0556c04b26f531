"""The synchronous face, for Django views, Celery tasks and scripts.

Rule: thread-safe, installs no signal handlers, never needs the caller to have a loop.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Self, TypeVar

from uploader.api.handle import UploadHandle
from uploader.api.shared import Face, Pair, refused
from uploader.errors import ConfigurationError, UploaderError
from uploader.model import Session, UploadResult, UploadSpec
from uploader.pacing import PollPolicy
from uploader.source import SourceInput
from uploader.transport import Destination, Flow

T = TypeVar("T")


class Uploader(Face):
    """Upload files to destinations.

    Use it as a context manager, or keep one for the life of the process and `close` it. Errors that
    are the caller's fault (`ConfigurationError`, `PlanError`, `SourceError`) are raised; what the
    destination said is in the result, and `result.raise_for_outcome()` turns it into an exception.
    """

    def check(self, source: SourceInput, destination: Destination) -> UploadSpec:
        """Return size, media type and cut of the source, as `upload` would send it.

        Raises what `upload` would, and sends nothing.
        """
        return self._prepare(source, destination).spec

    def upload(
        self,
        source: SourceInput,
        destination: Destination,
        *,
        wait: bool = True,
        poll: PollPolicy | None = None,
    ) -> UploadResult:
        """Upload one file and return how it ended.

        With `wait=False` it returns PROCESSING once every byte is confirmed. An exception thrown
        into the waiting thread stops the upload and is passed on.
        """
        return self.submit(source, destination, wait=wait, poll=poll).wait()

    def submit(
        self,
        source: SourceInput,
        destination: Destination,
        *,
        wait: bool = True,
        poll: PollPolicy | None = None,
        session: Session | None = None,
        part_size: int | None = None,
    ) -> UploadHandle:
        """Start an upload and return a handle at once; bad input is raised here.

        `session` goes on with an upload that was opened elsewhere, cut by `part_size` bytes.
        """
        prepared = self._prepare(source, destination, session, part_size)
        return self._start(prepared, wait=wait, poll=poll)

    def upload_many(
        self, pairs: Iterable[Pair], *, concurrency: int = 8, wait: bool = True
    ) -> list[UploadResult]:
        """Upload several files, `concurrency` at once.

        Returns one result per input, in order; a refused input has its error in its result.
        """
        if concurrency < 1:
            raise ConfigurationError(f"concurrency is {concurrency}, at least 1 is needed")
        inputs = list(pairs)
        results: list[UploadResult | None] = [None] * len(inputs)
        running: deque[tuple[int, UploadHandle]] = deque()
        try:
            for index, (source, destination) in enumerate(inputs):
                while len(running) >= concurrency:
                    self._collect_one(running, inputs, results)
                try:
                    handle = self.submit(source, destination, wait=wait)
                except UploaderError as error:
                    results[index] = refused(error, destination)
                else:
                    running.append((index, handle))
            while running:
                self._collect_one(running, inputs, results)
        except BaseException:
            for _, handle in running:
                handle.cancel()
            raise
        return [result for result in results if result is not None]

    def call(
        self,
        destination: Destination,
        operation: str,
        flow: Callable[[], Flow[T]],
        *,
        repeatable: bool = True,
    ) -> T:
        """Drive one of a destination's small flows, signed and retried, and return its value.

        `operation` names it in errors. One that is not `repeatable` is tried again only when its
        failure proves that the server did nothing.
        """
        return self._call(destination, operation, flow, repeatable=repeatable)

    def close(self, grace: float = 2.0) -> None:
        """Stop what runs within `grace` seconds and give everything back."""
        self._thread.close(grace)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    @staticmethod
    def _collect_one(
        running: deque[tuple[int, UploadHandle]],
        inputs: list[Pair],
        results: list[UploadResult | None],
    ) -> None:
        """Wait for whichever upload ends first."""
        import concurrent.futures

        concurrent.futures.wait(
            [handle.future for _, handle in running],
            return_when=concurrent.futures.FIRST_COMPLETED,
        )
        for item in [item for item in running if item[1].done()]:
            running.remove(item)
            index, handle = item
            try:
                results[index] = handle.result()
            except UploaderError as error:
                results[index] = refused(error, inputs[index][1])
