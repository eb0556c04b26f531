"""How fast bytes go out and how often a server is asked."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from uploader.pacing import Pacer, PollPolicy

STEADY = settings(deadline=None, derandomize=True, database=None)
counts = st.lists(st.integers(1, 2_000_000), min_size=1, max_size=60)


@STEADY
@given(counts=counts, rate=st.floats(1e3, 1e9), pause=st.floats(0, 2))
def test_the_rate_is_held(counts: list[int], rate: float, pause: float) -> None:
    """At no moment have more bytes begun than the rate, one burst and one window allow."""
    pacer, now, begun = Pacer(rate), 100.0, 0
    for count in counts:
        now += pacer.reserve(count, now)
        begun += count
        assert begun - count <= (now - 100.0 + pacer.burst) * rate * (1 + 1e-9) + 1e-3
        now += pause


@STEADY
@given(counts=counts, rate=st.floats(1e3, 1e9))
def test_the_rate_is_used(counts: list[int], rate: float) -> None:
    """Who always asks is never kept below the rate."""
    pacer, now = Pacer(rate), 0.0
    for count in counts:
        now += pacer.reserve(count, now)
    assert now <= sum(counts) / rate + 1e-6


def test_idle_time_is_not_saved_up() -> None:
    """After an hour of silence only a burst's worth goes out at once."""
    pacer = Pacer(1000.0, burst=0.5)
    pacer.reserve(1000, 0.0)
    assert pacer.reserve(500, 3600.0) == 0.0
    assert pacer.reserve(1000, 3600.0) == pytest.approx(0.0)
    assert pacer.reserve(1, 3600.0) == pytest.approx(1.0)


def test_who_asks_window_by_window_gets_an_equal_share() -> None:
    """Three uploads that ask in turn have sent the same after any number of turns."""
    pacer, now = Pacer(1_000_000.0), 0.0
    ready = dict.fromkeys("abc", 0.0)
    sent = dict.fromkeys("abc", 0)
    for _ in range(300):
        name = min(ready, key=lambda n: ready[n])
        now = max(now, ready[name])
        ready[name] = now + pacer.reserve(100_000, now)
        sent[name] += 100_000
    assert max(sent.values()) - min(sent.values()) <= 200_000


@pytest.mark.parametrize("rate", [0, -1, -0.5])
def test_a_rate_that_sends_nothing_is_refused(rate: float) -> None:
    """No rate at all would wait for ever."""
    with pytest.raises(ValueError, match="sends nothing"):
        Pacer(rate)


def test_polls_become_slower_up_to_a_bound() -> None:
    """The waits grow by the factor and then stay at the slowest."""
    found = list(PollPolicy(first=1, factor=2, slowest=5, limit=20).waits())
    assert found == [1, 2, 4, 5, 5]


@STEADY
@given(
    first=st.floats(0.1, 10),
    factor=st.floats(1, 3),
    slowest=st.floats(1, 30),
    limit=st.floats(0, 500),
)
def test_polls_end_at_the_limit(first: float, factor: float, slowest: float, limit: float) -> None:
    """All waits together never pass the limit."""
    found = list(PollPolicy(first=first, factor=factor, slowest=slowest, limit=limit).waits())
    assert sum(found) <= limit + 1e-6


@pytest.mark.parametrize(("attempts", "expected"), [(1, 0), (2, 1), (60, 59), (0, 0)])
def test_polls_are_counted(attempts: int, expected: int) -> None:
    """There is one wait less than there are questions."""
    policy = PollPolicy(first=5, factor=1, slowest=5, limit=float("inf"), attempts=attempts)
    assert len(list(policy.waits())) == expected


@pytest.mark.parametrize(
    "waits",
    [{"first": 0}, {"slowest": 0}, {"factor": 0}, {"first": -1}, {"first": -1, "attempts": 3}],
)
def test_a_policy_that_would_ask_without_a_pause_for_ever_is_refused(waits: dict[str, Any]) -> None:
    """No wait needs a number of attempts, and no wait is below nothing."""
    with pytest.raises(ValueError, match="wait"):
        PollPolicy(**waits)


def test_no_wait_with_a_number_of_attempts_is_fine() -> None:
    """Who counts the questions may ask them at once."""
    assert list(PollPolicy(first=0, attempts=3).waits()) == [0, 0]
