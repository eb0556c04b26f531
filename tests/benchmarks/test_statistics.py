"""Medians, percentiles and ratios."""

import pytest

from benchmarks.stats import Spread, fairness, pair_ratios, percentile


def test_spread_is_the_median_and_the_extremes() -> None:
    """One lucky run does not move the figure, but it is seen."""
    assert Spread.over([3.0, 1.0, 2.0, 100.0, 2.5]) == Spread(2.5, 1.0, 100.0, 5)


def test_percentiles_are_values_that_were_seen() -> None:
    """Nearest rank: of a hundred samples the 99th is p99 and the last is the maximum."""
    values = [float(number) for number in range(100, 0, -1)]
    assert [percentile(values, point) for point in (50, 99, 99.9, 100)] == [50, 99, 100, 100]
    assert percentile([7.0], 99.9) == 7


def test_ratios_are_taken_run_by_run() -> None:
    """A slow minute of the machine slows both sides of one pair, not the ratio."""
    assert pair_ratios([2.0, 1.0], [1.0, 0.5]) == [2.0, 2.0]


def test_pairs_must_match() -> None:
    """A ratio of runs that were not made in the same round is refused."""
    with pytest.raises(ValueError, match="shorter"):
        pair_ratios([1.0, 2.0], [1.0])


@pytest.mark.parametrize(
    ("rates", "share"), [([5.0, 5.0, 5.0], 1.0), ([1.0, 4.0, 4.0], 1 / 3), ([0.0, 0.0], 0.0)]
)
def test_fairness_is_the_slowest_share_of_the_mean(rates: list[float], share: float) -> None:
    """Uploads that wait for each other are seen, equal ones are 1."""
    assert fairness(rates) == pytest.approx(share)


@pytest.mark.parametrize("figure", [Spread.over, fairness, lambda values: percentile(values, 50)])
def test_nothing_measured_is_not_zero(figure: object) -> None:
    """A figure without a sample is an error."""
    assert callable(figure)
    with pytest.raises(ValueError, match="no "):
        figure([])
