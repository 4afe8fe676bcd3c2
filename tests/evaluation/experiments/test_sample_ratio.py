"""Sample-ratio mismatch, looked at after every user."""

import itertools
import math

import numpy as np
import pytest

from services.evaluation.experiments.sample_ratio import Period, sample_ratio


def likelihood_ratio(order: tuple[int, ...], shares: tuple[float, ...]) -> float:
    """Polya's urn: the chance of one order of users, over that by the shares."""
    counts, ratio = [0] * len(shares), 1.0
    for seen, variant in enumerate(order):
        ratio *= (1000 * shares[variant] + counts[variant]) / (1000 + seen) / shares[variant]
        counts[variant] += 1
    return ratio


def test_it_is_the_likelihood_ratio_and_one_on_average() -> None:
    shares = (0.25, 0.75)
    average = 0.0
    for order in itertools.product((0, 1), repeat=6):
        expected = likelihood_ratio(order, shares)
        found = sample_ratio([Period((order.count(0), order.count(1)), shares)])
        assert math.exp(found.log_evidence) == pytest.approx(expected, rel=1e-9)
        average += expected * math.prod(shares[variant] for variant in order)
    assert average == pytest.approx(1)


def test_equal_shares_looked_at_after_each_hundred_are_left_alone() -> None:
    rng = np.random.default_rng(1)
    alarms = 0
    for _ in range(100):
        first = rng.binomial(100, 0.5, 100).cumsum().tolist()
        looks = [Period((n, 100 * (i + 1) - n), (0.5, 0.5)) for i, n in enumerate(first)]
        alarms += any(sample_ratio([look], alpha=0.05).mismatched for look in looks)
    assert alarms <= 10


def test_one_lost_user_of_twenty_is_found() -> None:
    assert sample_ratio([Period((50_000, 47_500), (0.5, 0.5))]).mismatched
    assert not sample_ratio([Period((50_000, 49_900), (0.5, 0.5))]).mismatched


def test_periods_of_other_shares_add_up() -> None:
    one, two = Period((900, 100), (0.9, 0.1)), Period((500, 500), (0.5, 0.5))
    both = sample_ratio([one, two])
    alone = sample_ratio([one]).log_evidence + sample_ratio([two]).log_evidence
    assert both.log_evidence == pytest.approx(alone)
    assert not both.mismatched
    assert sample_ratio([Period((1400, 600), (0.5, 0.5))]).mismatched


@pytest.mark.parametrize(
    ("counts", "shares"), [((1,), (0.5, 0.5)), ((-1, 1), (0.5, 0.5)), ((1, 1), (0.5, 0.4))]
)
def test_what_cannot_be_is_refused(counts: tuple[int, ...], shares: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="counts"):
        Period(counts, shares)
