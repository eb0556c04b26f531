"""A credential that is asked for on each request, and what its refusal does at which moment."""

from collections.abc import Callable

import pytest

from tests.faults.case import Case, done, init, put, status
from tests.faults.scene import Films, Scene, check_always, scene
from transports.tiktok.sandbox import Fault
from uploader import (
    AuthenticationError,
    ConfigurationError,
    Outcome,
    OutcomeUnknownError,
    PollPolicy,
    UploadResult,
)

Failing = Callable[[], str]


def refuses() -> str:
    """Fail as a store of tokens may."""
    raise RuntimeError("the store is down")


def misconfigured() -> str:
    """Blame the caller."""
    raise ConfigurationError("there is no such account")


def empty() -> str:
    """Return nothing that could be sent."""
    return ""


FAILING = pytest.mark.parametrize("fail", [refuses, misconfigured, empty])


class Store:
    """Hand out a good token so many times, then fail."""

    def __init__(self, token: str, good: int, fail: Failing) -> None:
        self._token = token
        self._good = good
        self._fail = fail
        self.asked = 0

    def __call__(self, transport: str, account: str | None) -> str:
        self.asked += 1
        return self._token if self.asked <= self._good else self._fail()


def play_with(
    films: Films, *faults: Fault, good: int, fail: Failing, small: bool = True
) -> tuple[Scene, UploadResult]:
    """Upload with a store, and return how it ended."""
    case = Case("credentials", faults, done(), small=small)
    with scene(films, case) as playing:
        store = Store(playing.sandbox.access_token, good, fail)
        playing.post = {"access_token": None, "credentials": store}
        result = playing.uploader.upload(
            playing.film, playing.destination(), poll=PollPolicy(attempts=2)
        )
        check_always(playing, result)
        return playing, result


def test_a_refused_token_is_renewed_once(films: Films) -> None:
    """A store may have a newer one: init is sent again, for it was refused."""
    playing, result = play_with(films, init(status=401), good=99, fail=refuses)
    assert result.outcome is Outcome.DONE
    assert playing.seen("init") == 2


def test_a_token_refused_twice_is_an_answer(films: Films) -> None:
    """Renewing is tried once, not for ever."""
    playing, result = play_with(films, init(status=401, times=2), good=99, fail=refuses)
    assert (result.outcome, type(result.error)) == (Outcome.FAILED, AuthenticationError)
    assert playing.seen("init") == 2
    assert playing.seen("put") == 0


def test_no_token_for_init(films: Films) -> None:
    """Nothing is sent without one."""
    playing, result = play_with(films, good=0, fail=refuses)
    assert (result.outcome, type(result.error)) == (Outcome.FAILED, AuthenticationError)
    assert playing.requests == []


@pytest.mark.parametrize("fail", [misconfigured, empty])
def test_no_token_for_init_by_the_callers_fault(films: Films, fail: Failing) -> None:
    """What the caller can mend is raised."""
    with pytest.raises(ConfigurationError):
        play_with(films, good=0, fail=fail)


@FAILING
def test_no_token_for_the_status_of_a_finished_upload(films: Films, fail: Failing) -> None:
    """Every byte is confirmed: a status that cannot be had is no failure of the post."""
    playing, result = play_with(films, good=1, fail=fail)
    assert result.outcome is Outcome.PROCESSING
    assert result.fields["status_error"]
    playing.sandbox.assert_posted_once(films.small)


@FAILING
def test_no_token_to_ask_about_the_last_part(films: Films, fail: Failing) -> None:
    """The post may be out: UNKNOWN, whoever is to blame for the token."""
    _, result = play_with(films, put(1, lose_answer=True), good=1, fail=fail)
    assert (result.outcome, type(result.error)) == (Outcome.UNKNOWN, OutcomeUnknownError)


def test_no_token_to_ask_about_an_earlier_part(films: Films) -> None:
    """Nothing can have been posted: the failure is just that."""
    playing, result = play_with(films, put(1, lose_answer=True), good=1, fail=refuses, small=False)
    assert (result.outcome, type(result.error)) == (Outcome.FAILED, AuthenticationError)
    assert playing.seen("put") == 1


def test_a_token_that_expires_while_the_bytes_go_out(films: Films) -> None:
    """The upload URL is a credential of its own; the status is asked with the next token."""
    case = Case("renewed", (status(status=401),), done(), small=True)
    with scene(films, case) as playing:
        store = Store(playing.sandbox.access_token, 99, refuses)
        playing.post = {"access_token": None, "credentials": store}
        result = playing.uploader.upload(playing.film, playing.destination())
        check_always(playing, result)
        assert result.outcome is Outcome.DONE
        assert (playing.seen("status"), store.asked) == (2, 3)
        assert playing.clock.waits == []
