"""The moving window, and rates as data."""

from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st

from uploader.errors import ConfigurationError
from uploader.limits import MARGIN, MovingWindow, Rate, RateChanges

RATE = Rate(name="init", operation="init", amount=6, noun="posts")
amounts = st.integers(1, 8)
spans = st.floats(0.5, 100)


def rate_of(amount: int, window: float) -> Rate:
    """Return a rate of these numbers."""
    return Rate(name="r", operation="o", amount=amount, window=window)


@given(
    amount=amounts,
    window=spans,
    steps=st.lists(st.tuples(st.floats(0, 50), st.floats(0, 20)), max_size=60),
)
def test_no_window_ever_holds_more_than_the_amount(
    amount: int, window: float, steps: list[tuple[float, float]]
) -> None:
    """Whenever the server counts: earlier ones late, and the one that would be too many early."""
    rate, counted, now = rate_of(amount, window), MovingWindow(), 0.0
    sent: list[float] = []
    answered: list[float] = []
    for pause, takes in steps:
        now += pause
        if counted.wait(rate, now) > 0:
            continue
        counted.hold()
        sent.append(now)
        now += takes
        answered.append(now)
        counted.stamp(now)
    for last, beyond in zip(answered, sent[amount:], strict=False):
        assert beyond - last >= window


@given(amount=amounts, window=spans, ahead=st.integers(0, 30), gap=st.floats(0, 30))
def test_the_wait_is_what_the_queue_will_take(
    amount: int, window: float, ahead: int, gap: float
) -> None:
    """Who asks behind others is told the very moment at which he gets through, answers at once."""
    rate, counted, now = rate_of(amount, window), MovingWindow(), 100.0
    for index in range(amount):
        counted.hold()
        counted.stamp(now + index * gap / amount)
    now += gap
    told = counted.wait(rate, now, ahead)
    moment = now
    for _ in range(ahead + 1):
        moment += counted.wait(rate, moment)
        moment += counted.wait(rate, moment)  # what rounding left
        assert counted.wait(rate, moment) <= 1e-9
        counted.hold()
        counted.stamp(moment)
    assert moment - now == pytest.approx(told, abs=1e-6)


def test_a_request_under_way_counts_until_it_is_answered() -> None:
    """Six that hang leave no room, however long."""
    counted = MovingWindow()
    for _ in range(6):
        counted.hold()
    assert counted.wait(RATE, 1e6) == pytest.approx(60 + MARGIN)


def test_what_was_given_back_does_not_count() -> None:
    """A permit that was not used leaves no trace."""
    counted = MovingWindow(deque([0.0] * 5))
    counted.hold()
    assert counted.wait(RATE, 1.0) > 0
    counted.give_back()
    assert counted.wait(RATE, 1.0) == 0.0
    assert not counted.is_empty(RATE, 1.0)
    assert counted.is_empty(RATE, 100.0)


@pytest.mark.parametrize(
    ("window", "words"),
    [
        (60.0, "6 posts a minute"),
        (3600.0, "6 posts an hour"),
        (86_400.0, "6 posts a day"),
        (7.5, "6 posts in 7.5 s"),
    ],
)
def test_a_rate_has_words_for_people(window: float, words: str) -> None:
    """They are what the command says that it waits for."""
    assert Rate(name="n", operation="o", amount=6, window=window, noun="posts").words == words


def test_a_deployment_changes_rates_by_name() -> None:
    """Another amount, another window, none; what is not named stays."""
    changes = RateChanges.read("tiktok.init=60, tiktok.status=3/2.5,other.init=1, tiktok.day=off")
    rates = [RATE, *(Rate(name=name, operation=name, amount=9) for name in ("status", "day", "x"))]
    found = {rate.name: (rate.amount, rate.window) for rate in changes.of("tiktok", rates)}
    assert found == {"init": (60, 60.0), "status": (3, 2.5), "x": (9, 60.0)}
    assert RateChanges.read("off").of("tiktok", rates) == ()
    assert RateChanges.read("").of("tiktok", rates) == tuple(rates)


@pytest.mark.parametrize("text", ["init", "tiktok.init=many", "=6", "tiktok.init=6/long"])
def test_what_is_no_rate_is_refused(text: str) -> None:
    """With the words that it was written in."""
    with pytest.raises(ConfigurationError, match="is no rate"):
        RateChanges.read(text)


def test_a_rate_that_lets_nothing_through_is_refused() -> None:
    """0 is not a way to say that there is no limit."""
    with pytest.raises(ConfigurationError, match="lets nothing through"):
        RateChanges.read("tiktok.init=0").of("tiktok", [RATE])
