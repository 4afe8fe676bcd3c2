"""How sure the order is, as the learner tells rankers, and the draws of it (truth 7)."""

import numpy as np
import pytest

from services.feed.parameters import PosteriorParameters
from services.ranker.domain.order_posterior import DRAWS, OrderPosterior

PRECISIONS = np.array([[6.0, 1.0, 0.5], [1.0, 4.0, -0.25], [0.5, -0.25, 30.0]], np.float32)
TEMPERATURE, SCALE = 2.0, 3.0
FEATURES = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, -1.0], [0.0, 0.0]], np.float32)


def posterior() -> OrderPosterior:
    found = OrderPosterior.of(PosteriorParameters("g1", PRECISIONS, TEMPERATURE))
    assert found is not None
    return found


def test_draws_are_spread_as_what_is_known_of_the_weights_says() -> None:
    """Against the block of the inverse by Schur's complement."""
    known = PRECISIONS + np.diag(PRECISIONS.diagonal()) * 1e-3
    block, beside, last = known[:2, :2], known[:2, 2:], known[2, 2]
    of_weights = np.linalg.inv(block - beside @ beside.T / last) / TEMPERATURE**2
    wanted = SCALE**2 * FEATURES @ of_weights @ FEATURES.T
    drawn = np.concatenate([posterior().draws(FEATURES, SCALE, seed) for seed in range(2000)])
    count = len(drawn)
    assert count == 2000 * DRAWS
    errors = np.sqrt(wanted.diagonal() / count)
    assert (np.abs(drawn.mean(axis=0)) <= 4 * errors).all()
    found = drawn.T @ drawn / count
    widths = np.sqrt((wanted**2 + np.outer(wanted.diagonal(), wanted.diagonal())) / count)
    assert (np.abs(found - wanted) <= 4 * widths + 1e-6).all()


def test_draws_are_those_of_the_seed_and_fit_into_a_log() -> None:
    first = posterior().draws(FEATURES, SCALE, 7)
    assert (first == posterior().draws(FEATURES, SCALE, 7)).all()
    assert (first == first.astype("<f2").astype(np.float64)).all()
    assert (first != posterior().draws(FEATURES, SCALE, 8)).any()
    assert (first[:, 3] == 0).all()


def test_features_that_are_no_numbers_make_draws_that_are() -> None:
    features = np.array([[np.nan, 0.0], [np.inf, 0.0], [1e30, 1.0]], np.float32)
    assert np.isfinite(posterior().draws(features, SCALE, 7)).all()


@pytest.mark.parametrize(
    "precisions", [np.zeros((3, 3), np.float32), np.diag([1.0, -1.0, 1.0]).astype(np.float32)]
)
def test_what_is_no_precision_says_nothing(precisions: np.ndarray) -> None:
    """It must not keep a replica from all else that a frame says (truth 7)."""
    assert OrderPosterior.of(PosteriorParameters("g1", precisions, TEMPERATURE)) is None
