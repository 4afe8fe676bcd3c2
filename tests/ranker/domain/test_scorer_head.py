"""The head on top of a scorer: at its start it changes no bit, later it changes the order."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from services.feed.parameters import HeadParameters
from services.ranker.domain.outcome_blend import blend, probabilities
from services.ranker.domain.scorer_head import ScorerHead


def _start(outcomes: int, columns: int) -> np.ndarray:
    parameters = np.zeros((outcomes, columns + 3))
    parameters[:, 0] = 1.0
    return parameters


@given(st.integers(1, 4), st.integers(1, 12), st.integers(1, 50), st.integers(0, 2**32 - 1))
def test_an_untrained_head_leaves_scores_and_order_as_they_are(
    outcomes: int, columns: int, count: int, seed: int
) -> None:
    chance = np.random.default_rng(seed)
    scores = (chance.standard_normal((count, outcomes)) * 9).astype(np.float32)
    features = (chance.standard_normal((count, columns)) * 20).astype(np.float32)
    head = ScorerHead("g", _start(outcomes, columns))
    logits = head.logits(scores, features)
    assert (logits == scores.astype(np.float64)).all()
    weights = chance.standard_normal(outcomes)
    assert (blend(logits, weights) == blend(scores, weights)).all()


def test_what_was_learned_turns_the_order_and_the_place_does_not() -> None:
    parameters = _start(1, 2)
    parameters[0] = [1.0, 0.0, 3.0, -0.5, -1.0]
    head = ScorerHead("g", parameters)
    scores = np.array([[2.0], [1.0], [0.0]], np.float32)
    features = np.array([[5, 0], [5, 1], [5, 2]], np.float32)
    logits = head.logits(scores, features)
    assert logits[:, 0].tolist() == [1.5, 3.5, 5.5]
    assert np.argsort(-blend(logits, np.ones(1))).tolist() == [2, 1, 0]
    shown = head.at_places(logits[[2, 1, 0]])
    expected = [5.5, 3.5 - 1.0, 1.5 - np.log2(3.0)]
    np.testing.assert_allclose(shown[:, 0], expected)
    assert probabilities(shown).shape == (3, 1)


def test_a_slope_makes_logits_flatter_and_leaves_level_place_and_order() -> None:
    parameters = np.array([[1.0, 0.5, 3.0, -0.5, -1.0]])
    scores = np.array([[2.0], [1.0], [0.0]], np.float32)
    features = np.array([[5, 0], [5, 1], [5, 2]], np.float32)
    learned = HeadParameters("g", ("click",), parameters, np.array([0.5]))
    head = ScorerHead.of(learned)
    logits = head.logits(scores, features)
    assert logits[:, 0].tolist() == [4.5 / 2 - 0.5, 6.5 / 2 - 0.5, 8.5 / 2 - 0.5]
    plain = ScorerHead("g", parameters).logits(scores, features)
    assert np.argsort(logits[:, 0]).tolist() == np.argsort(plain[:, 0]).tolist()
    moved = head.at_places(logits) - logits
    np.testing.assert_allclose(moved[:, 0], -np.log2(1.0 + np.arange(3)))
    assert (learned.parameters == parameters).all()
