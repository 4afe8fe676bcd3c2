"""One score of several outcomes; the bootstrap's order is that of its prior score."""

import math

import numpy as np
import onnxruntime
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.common.candidate_features import COLUMNS
from services.feedback.events.domain.event_types import PRESETS
from services.feedback.generations.domain.bootstrap_models import prior_scorer
from services.feedback.generations.domain.preset_outcomes import preset_outcomes
from services.ranker.domain.outcome_blend import blend, probabilities, weights_of


@given(st.lists(st.floats(-50, 50), min_size=1, max_size=5))
def test_the_score_is_the_weighted_sum_of_probabilities(logits: list[float]) -> None:
    weights = [1.5, -2.0, 0.0, 3.0, 0.25][: len(logits)]
    wanted = sum(
        weight / (1 + math.exp(-logit)) for weight, logit in zip(weights, logits, strict=True)
    )
    found = blend(np.array([logits, logits]), np.array(weights))
    assert found == pytest.approx([wanted, wanted])


def test_extremes_and_what_is_not_a_number() -> None:
    assert probabilities(np.array([[-1e9, 1e9]])).tolist() == [[0.0, 1.0]]
    assert math.isnan(blend(np.array([[math.nan, 1.0]]), np.ones(2))[0])


def test_a_surface_may_weigh_outcomes_otherwise() -> None:
    found = weights_of(("click", "buy", "hide"), (1.0, 5.0, -10.0), {"buy": 2.0, "other": 9.0})
    assert found.tolist() == [1.0, 2.0, -10.0]


@pytest.mark.parametrize("preset", PRESETS)
def test_slates_of_a_bootstrap_are_in_the_order_of_the_prior_score(preset: str) -> None:
    """Whatever the outcomes: the prior score decides, as without them."""
    outcomes = preset_outcomes(preset)
    chance = np.random.default_rng(4)
    features = chance.normal(0, 3, (2000, len(COLUMNS))).astype(np.float32)
    session = onnxruntime.InferenceSession(prior_scorer(outcomes))
    (logits,) = session.run(None, {"features": features})
    scores = blend(logits, np.array([one.weight for one in outcomes]))
    column = {name: features[:, place].astype(np.float64) for place, name in enumerate(COLUMNS)}
    prior = column["vector_z"] + column["rules_z"] + 0.1 * column["popularity_z"]
    prior += 0.3 * column["position_z"] - 0.2 * column["position_zd"]
    prior += 0.1 * column["session_z"] - 0.1 * column["session_zd"]
    order = np.argsort(-scores, kind="stable")
    # Neighbours in the order may only differ by the rounding of float32.
    assert (np.diff(prior[order]) < 1e-5).all()
