"""An init that never left this machine is safe to send again."""

import socket
from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.faults.case import ONCE, TWICE
from tests.faults.clock import SteppedClock
from tests.faults.scene import Films
from transports.tiktok import DirectPost
from transports.tiktok.sandbox import Sandbox, SandboxClock
from uploader import (
    NetworkError,
    Outcome,
    RetriesExhaustedError,
    Timeouts,
    Uploader,
    UploadResult,
)


@pytest.fixture
def deaf() -> Iterator[socket.socket]:
    """Hold a port on which nobody listens."""
    with closing(socket.socket()) as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound


def post(port: int) -> DirectPost:
    """Return a post to whoever has this port."""
    return DirectPost(
        privacy_level="SELF_ONLY", access_token="t", base_url=f"http://127.0.0.1:{port}"
    )


def gave_up(result: UploadResult) -> NetworkError:
    """Return the failure that ended an upload of which nothing left this machine."""
    assert result.outcome is Outcome.SUSPENDED
    assert isinstance(result.error, RetriesExhaustedError)
    assert result.error.attempts == 3
    failure = result.error.last
    assert isinstance(failure, NetworkError)
    assert (failure.operation, failure.status, failure.ambiguous) == ("init", None, False)
    return failure


def test_refused(films: Films, deaf: socket.socket) -> None:
    """Refused three times, the upload can be resumed, and nobody need wonder about a post."""
    clock = SteppedClock(SandboxClock())
    with Uploader(clock=clock, metrics=False) as uploader:
        failure = gave_up(uploader.upload(films.small, post(deaf.getsockname()[1])))

    assert "refused" in failure.message.lower()
    assert clock.waits == list(TWICE)


def test_nobody_accepts(films: Films) -> None:
    """A host that swallows SYNs ends at the limit for connecting."""
    with closing(socket.socket()) as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        address = full.getsockname()
        # The queue of a listener with a backlog of 0 holds one: the next SYN is not answered.
        waiting = [socket.socket() for _ in range(3)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(address)
        clock = SteppedClock(SandboxClock())
        try:
            with Uploader(clock=clock, metrics=False, timeouts=Timeouts(connect=0.1)) as uploader:
                failure = gave_up(uploader.upload(films.small, post(address[1])))
        finally:
            for one in waiting:
                one.close()

    assert "0.1 s" in failure.message


def test_the_server_comes_back(films: Films, deaf: socket.socket) -> None:
    """Refused, and a moment later somebody is there: one init, one post."""
    port = deaf.getsockname()[1]
    sandbox = Sandbox(port=port)

    def serve() -> None:
        deaf.close()
        sandbox.start()

    clock = SteppedClock(sandbox.clock, on_wait=serve)
    destination = DirectPost(
        privacy_level="SELF_ONLY",
        access_token=sandbox.access_token,
        base_url=f"http://127.0.0.1:{port}",
    )
    with Uploader(clock=clock, metrics=False) as uploader:
        result = uploader.upload(films.small, destination)
        sandbox.stop()

    assert (result.outcome, result.retries, clock.waits) == (Outcome.DONE, 1, list(ONCE))
    sandbox.assert_posted_once(films.small)
    sandbox.assert_no_violations()
