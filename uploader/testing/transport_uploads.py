"""A transport's uploads: every size, every interruption, every end.

Rule: what was uploaded is what the peer says it holds.
"""

from __future__ import annotations

import pytest

from uploader import Outcome
from uploader.errors import AuthenticationError, SessionExpiredError
from uploader.http import Request
from uploader.model import MIB
from uploader.testing.faulty_proxy import Fault, LoseAnswer, Stall
from uploader.testing.transport_frame import Stage, TransportFrame, cut
from uploader.testing.transport_tape import Take, Tape, taped

LARGEST = 160 * MIB
"""The largest boundary that the long form uploads, in bytes."""


def boundaries(stage: Stage) -> list[int]:
    """Return the sizes at which a plan of these limits changes, and their neighbours."""
    limits = stage.limits
    part, step = limits.part_size, limits.alignment
    edges = {part, 2 * part, 3 * part, 2 * limits.min_part, step, part + step, limits.max_single}
    near = {1, *(edge + off for edge in edges for off in (-1, 0, 1))}
    return sorted(size for size in near if 0 < size <= LARGEST and cut(size, limits))


def steps(tape: Tape) -> list[Take]:
    """Return the take that each request of a recorded upload was for, in the order they went."""
    return [take for take, _ in tape.asked]


class UploadContract(TransportFrame):
    """What an upload comes to."""

    def test_sizes_around_a_part(self, stage: Stage) -> None:
        """One byte, a part less one byte, a part, a part and one byte, three: all arrive whole."""
        part = stage.limits.part_size
        sizes = {1, part - 1, part, part + 1, stage.long} & {*boundaries(stage), stage.long}
        assert len(sizes) >= 2
        self._upload_each(stage, sorted(sizes))

    @pytest.mark.slow
    @pytest.mark.timeout(600)
    def test_sizes_around_every_boundary(self, stage: Stage) -> None:
        """Alignments, double parts, the largest that goes as one: all arrive whole."""
        self._upload_each(stage, boundaries(stage))

    def _upload_each(self, stage: Stage, sizes: list[int]) -> None:
        for size in sizes:
            stage.name = f"size-{size}"
            film = stage.film(size)
            stage.check_done(film, stage.upload(film))
            film.unlink()

    def test_is_done_once(self, stage: Stage) -> None:
        """The same upload again is answered from the journal; no request goes out."""
        film = stage.film()
        first = stage.upload(film, journal=stage.journal)
        stage.proxy.clear()

        again = stage.upload(film, journal=stage.journal)

        stage.check_done(film, again)
        assert again.upload_id == first.upload_id
        assert stage.proxy.exchanges == []

    def test_goes_on_after_each_part(self, stage: Stage) -> None:
        """Suspended while each part is on its way, another uploader sends what is missing."""
        film, plain = stage.film(), Tape()
        stage.check_done(film, stage.upload(film, tape=plain))
        numbers = [n for n, take in enumerate(steps(plain), 1) if take.name == "put_part"]
        lengths = [length_of(request) for _, request in plain.asked if request.body is not None]
        for number in numbers:
            stage.name, rest = f"resumed-{number}", Tape()
            self._interrupt_at(stage, number)

            journal = stage.folder / f"{stage.name}.db"
            result = stage.upload(film, journal=journal, tape=rest)

            stage.check_done(film, result)
            # What is confirmed before the interrupted part is not sent again; of parts that go
            # side by side as many may be lost as there are lanes.
            saved = max(0, number - numbers[0] - (stage.limits.max_lanes - 1))
            again = sum(length_of(request) for _, request in rest.asked)
            assert again <= sum(lengths) - sum(sorted(lengths)[:saved])

    def _interrupt_at(self, stage: Stage, number: int) -> None:
        """Suspend an upload while a request of it stands still."""
        stage.proxy.clear()
        stage.proxy.script(Fault(number=number, act=Stall(0)))
        with stage.uploader(journal=stage.folder / f"{stage.name}.db") as uploader:
            handle = uploader.submit(stage.film(), stage.destination())
            stage.proxy.wait_for(lambda: stage.proxy.stalls == 1 or handle.done())
            handle.suspend()
            # Of an irreversible request that is out, nobody knows until the peer is asked.
            assert handle.result(20).outcome in (Outcome.SUSPENDED, Outcome.UNKNOWN)
        stage.proxy.wait_for(lambda: stage.proxy.stalls == 0)
        stage.proxy.clear()

    def test_a_part_that_comes_twice_counts_once(self, stage: Stage) -> None:
        """The answer to each part is lost after the peer took it; what it holds is the film."""
        film, tape = stage.film(), Tape()
        stage.upload(film, tape=tape)
        for number, take in enumerate(steps(tape), 1):
            if take.name == "put_part":
                stage.name = f"twice-{number}"
                stage.proxy.clear()
                stage.proxy.script(Fault(number=number, act=LoseAnswer()))
                result = stage.upload(film)
                assert result.outcome in (Outcome.DONE, Outcome.UNKNOWN), result
                stage.check_held(film, result)

    def test_cancelled_leaves_nothing(self, stage: Stage) -> None:
        """Cancelled while a part is on its way: nothing is held, and what can be is dropped."""
        film, tape = stage.film(), Tape()
        stage.upload(film, tape=tape)
        sending = [n for n, take in enumerate(steps(tape), 1) if take.name in ("put_part", "put")]
        stage.proxy.clear()
        stage.name, tape = "cancelled", Tape()
        stage.proxy.script(Fault(number=sending[0], act=Stall(0)))
        with stage.uploader() as uploader:
            handle = uploader.submit(film, taped(stage.destination(), tape))
            stage.proxy.wait_for(lambda: stage.proxy.stalls == 1)
            handle.cancel()
            result = handle.result(20)

        assert result.outcome is Outcome.CANCELLED, result
        assert stage.peer.held(stage.name) == []
        if hasattr(stage.destination().transport(), "abort"):
            assert len(tape.of("abort")) == 1
            assert not stage.peer.unfinished(stage.name)

    def test_an_expired_session_starts_anew(self, stage: Stage) -> None:
        """It is a `SessionExpiredError` or healed at once; the next call ends with one object."""
        if stage.peer.expired is None:
            assert stage.limits.session_lifetime is None, "sessions expire: say how in `expired`"
            return
        film, tape = stage.film(), Tape()
        stage.upload(film, tape=tape)
        parts = [n for n, take in enumerate(steps(tape), 1) if take.name == "put_part"]
        for number in (parts[0], parts[len(parts) // 2]):
            stage.name = f"expired-{number}"
            stage.proxy.clear()
            stage.proxy.script(Fault(number=number, act=stage.peer.expired))
            journal = stage.folder / f"{stage.name}.db"
            result = stage.upload(film, journal=journal)
            if result.outcome is not Outcome.DONE:
                assert isinstance(result.error, SessionExpiredError), result
                assert stage.peer.held(stage.name) == []
                result = stage.upload(film, journal=journal)
            stage.check_done(film, result)

    def test_a_wrong_credential_is_told(self, stage: Stage) -> None:
        """As an `AuthenticationError`; nothing is held."""
        if stage.peer.wrong_token is None:
            assert stage.peer.token is None, "say in `wrong_token` which token the peer refuses"
            return
        film = stage.film(1)
        destination = stage.rebuilt(stage.destination(), stage.peer.wrong_token)
        with stage.uploader() as uploader:
            result = uploader.upload(film, destination)

        assert result.outcome is Outcome.FAILED, result
        assert isinstance(result.error, AuthenticationError), result.error
        assert stage.peer.held(stage.name) == []


def length_of(request: Request) -> int:
    """Return how many bytes of the film a request carries."""
    return 0 if request.body is None else len(request.body)
