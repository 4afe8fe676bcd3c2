"""Utilities of candidates: log odds of scores, also where some outcomes are unwanted."""

import math

import numpy as np
import pytest

from services.ranker.domain.surface.weighing import log_odds

WANTED = np.array([1.0, 3.0])
BOTH = np.array([1.0, 3.0, -10.0])


def odds(score: float) -> float:
    return math.log(score / (4.0 - score))


def test_without_unwanted_outcomes_a_score_is_a_share_of_the_most() -> None:
    scores = np.array([0.4, 2.0, 3.9])
    assert log_odds(scores, None, WANTED).tolist() == pytest.approx([odds(s) for s in scores])


def test_what_is_turned_down_as_often_as_most_is_worth_what_is_wanted_of_it() -> None:
    """So a boost, a temperature and a strength mean the same, whatever the unwanted weighs."""
    wanted, penalties = np.array([0.4, 2.0, 3.9]), np.full(3, 0.7)
    found = log_odds(wanted - penalties, penalties, BOTH)
    assert found.tolist() == pytest.approx([odds(s) for s in wanted])


def test_what_is_turned_down_more_is_worth_less_and_the_order_is_that_of_scores() -> None:
    chance = np.random.default_rng(1)
    wanted = chance.uniform(0, 4, 500)
    penalties = chance.beta(0.5, 20, 500) * 10
    scores = wanted - penalties
    found = log_odds(scores, penalties, BOTH)
    assert np.isfinite(found).all()
    assert (np.argsort(found, kind="stable") == np.argsort(scores, kind="stable")).all()
    assert (np.diff(np.sort(found)) > 0).all()
    assert found.min() > -60


def test_scores_that_are_no_numbers_stay_so_and_are_not_counted() -> None:
    scores, penalties = np.array([1.0, np.nan, 2.0]), np.array([0.2, np.nan, 0.2])
    found = log_odds(scores, penalties, BOTH)
    assert np.isnan(found[1])
    assert found[[0, 2]].tolist() == pytest.approx([odds(1.2), odds(2.2)])


def test_where_nothing_is_wanted_scores_are_utilities() -> None:
    scores = np.array([-3.0, -0.5, np.nan])
    found = log_odds(scores, -scores, np.array([-10.0]))
    np.testing.assert_array_equal(found, scores)
