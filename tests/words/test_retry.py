"""When it is tried again, after how long, and when no more."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from uploader.errors import NetworkError, RateLimitedError, ServerError, TransportError
from uploader.retry import RetryBudget, RetryPolicy

STEADY = settings(deadline=None, derandomize=True, database=None)
draws = st.floats(0, 1, exclude_max=True)


def waits(
    policy: RetryPolicy, error: TransportError, draw: float = 0.5, most: int = 1000
) -> list[float]:
    """Fail again and again on a clock that moves by the waits alone; return the waits."""
    budget, now, found = RetryBudget(policy, started=0.0), 0.0, list[float]()
    while len(found) < most and (wait := budget.next_wait(error, now, draw)) is not None:
        found.append(wait)
        now += wait
    return found


def test_three_attempts_are_the_default() -> None:
    """The first try and two more: two waits, then no more."""
    assert len(waits(RetryPolicy(), ServerError("x"))) == 2


@pytest.mark.parametrize("attempts", [1, 2, 5, 40])
def test_attempts_are_counted(attempts: int) -> None:
    """There is one wait less than there are attempts."""
    policy = RetryPolicy(attempts=attempts, total=1e9)
    assert len(waits(policy, NetworkError("x"))) == attempts - 1


@pytest.mark.parametrize("attempts", [0, -1])
def test_no_attempt_at_all_is_no_policy(attempts: int) -> None:
    """A policy that never tries is refused."""
    with pytest.raises(ValueError, match="at least 1"):
        RetryPolicy(attempts=attempts)


@STEADY
@given(draw=draws, number=st.integers(1, 60))
def test_waits_grow_under_full_jitter(draw: float, number: int) -> None:
    """Wait n is between 0 and base * 2**n, never over the cap, and proportional to the draw."""
    policy = RetryPolicy(attempts=1000, base=0.5, cap=30.0, total=1e9)
    budget = RetryBudget(policy, started=0.0, attempts=number - 1)
    wait = budget.next_wait(ServerError("x"), 0.0, draw)
    top = min(30.0, 0.5 * 2 ** (number - 1))
    assert wait == pytest.approx(draw * top)


@STEADY
@given(draw=draws, retry_after=st.floats(0, 1000))
def test_retry_after_wins(draw: float, retry_after: float) -> None:
    """What the server asks for is waited, whatever our own schedule says."""
    policy = RetryPolicy(total=1e9, rate_limit=1e9)
    for error in (
        ServerError("x", retry_after=retry_after),
        RateLimitedError("x", retry_after=retry_after),
    ):
        assert RetryBudget(policy, 0.0).next_wait(error, 0.0, draw) == retry_after


@STEADY
@given(draw=draws, total=st.floats(0, 100))
def test_the_total_time_ends_it(draw: float, total: float) -> None:
    """No wait begins that would end after the total time."""
    policy = RetryPolicy(attempts=100_000, base=1.0, cap=5.0, total=total)
    assert sum(waits(policy, ServerError("x"), max(draw, 0.01), most=20_000)) <= total + 1e-9


def test_a_retry_after_beyond_the_total_ends_it() -> None:
    """An hour is not waited for within fifteen minutes."""
    assert waits(RetryPolicy(), ServerError("x", retry_after=3600)) == []


def test_confirmed_bytes_refund_the_budget() -> None:
    """After a refund attempts, waits and time begin anew."""
    budget = RetryBudget(RetryPolicy(attempts=2, total=10.0), started=0.0)
    assert budget.next_wait(ServerError("x"), 0.0, 0.5) is not None
    assert budget.next_wait(ServerError("x"), 0.0, 0.5) is None
    budget.refund(1000.0)
    assert budget.next_wait(ServerError("x"), 1000.0, 0.5) is not None


def test_rate_limits_are_waited_out_without_costing_attempts() -> None:
    """Many answers of 429 are waited out, and the attempts for other failures are all there."""
    budget = RetryBudget(RetryPolicy(attempts=2), started=0.0)
    for _ in range(5):
        assert budget.next_wait(RateLimitedError("x", retry_after=1.0), 0.0, 0.5) == 1.0
    assert budget.next_wait(ServerError("x"), 0.0, 0.5) is not None


@STEADY
@given(draw=draws, rate_limit=st.floats(0, 1000))
def test_rate_limits_are_waited_out_for_so_long(draw: float, rate_limit: float) -> None:
    """All waits for 429 together stay within `rate_limit` seconds, and none is under the base."""
    policy = RetryPolicy(rate_base=5.0, rate_limit=rate_limit)
    found = waits(policy, RateLimitedError("x"), draw)
    assert sum(found) <= rate_limit
    assert all(wait >= 5.0 for wait in found)


def test_a_server_that_says_at_once_for_ever_is_not_asked_for_ever() -> None:
    """`Retry-After: 0` again and again neither loops without end nor without a pause."""
    policy = RetryPolicy(rate_limit=60.0)
    found = waits(policy, RateLimitedError("x", retry_after=0.0), most=10_000)
    assert len(found) < 200  # 60 s by halves
    assert found[:2] == [0.0, 0.5]
