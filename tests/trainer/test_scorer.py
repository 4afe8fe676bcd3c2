"""The conditional logit and its calibration, on choices whose law is known."""

import numpy as np
import pytest

from services.common.candidate_features import COLUMNS
from services.common.onnx_model import INPUTS, OUTPUTS, SCORER, open_session
from services.feedback.generations.domain.bootstrap_models import ENGAGE, prior_scorer
from services.feedback.generations.domain.preset_outcomes import preset_outcomes
from services.feedback.learner.model.item_allowance import AllowanceConfig
from services.feedback.learner.model.tenant_state import LearningConfig
from services.trainer.presets import outcomes_of, return_window
from services.trainer.scorer import (
    bootstrap_scorer,
    calibrated,
    calibration_error,
    fit_conditional_logit,
    group_quality,
    level,
    scorer_model,
    shown_scores,
    with_learned,
)
from services.trainer.scorer_data import CandidateGroup, collect_groups
from tests.trainer.made import generation_with, tasteful


def chosen(weights: np.ndarray, groups: int, seed: int) -> list[CandidateGroup]:
    """Groups of 30 candidates of which one is drawn by softmax(w . x)."""
    generator = np.random.default_rng(seed)
    made = []
    for event in range(groups):
        features = generator.standard_normal((30, len(weights))).astype(np.float32)
        chance = np.exp(features @ weights)
        row = generator.choice(30, p=chance / chance.sum())
        made.append(
            CandidateGroup(features, np.arange(30), np.array([row]), ("view",), 0, event, 0)
        )
    return made


def law() -> np.ndarray:
    return np.random.default_rng(5).standard_normal(len(COLUMNS)) * 0.5


def test_it_finds_the_weights_that_made_the_choices() -> None:
    found = fit_conditional_logit(chosen(law(), 3000, 1), np.zeros(len(COLUMNS)), ridge=0.1)
    np.testing.assert_allclose(found, law(), atol=0.12)


def test_it_is_where_the_likelihood_is_flat() -> None:
    """The gradient by finite differences of a likelihood written another way is zero there."""
    groups, prior = chosen(law(), 60, 2), np.full(len(COLUMNS), 0.3)
    found = fit_conditional_logit(groups, prior, ridge=2.0)

    def objective(weights: np.ndarray) -> float:
        total = -np.sum((weights - prior) ** 2)
        for group in groups:
            scores = group.features.astype(np.float64) @ weights
            total += scores[group.taken[0]] - np.log(np.sum(np.exp(scores)))
        return float(total)

    for column in range(len(COLUMNS)):
        step = np.zeros(len(COLUMNS))
        step[column] = 1e-4
        slope = (objective(found + step) - objective(found - step)) / 2e-4
        assert abs(slope) < 1e-3


def test_without_data_it_stays_at_the_prior() -> None:
    prior = bootstrap_scorer(ENGAGE).weights
    np.testing.assert_array_equal(fit_conditional_logit([], prior), prior)
    found = fit_conditional_logit(chosen(law(), 5, 3), prior, ridge=1e6)
    np.testing.assert_allclose(found, prior, atol=1e-4)


@pytest.mark.parametrize("outcomes", [ENGAGE, preset_outcomes("shopping")])
def test_the_bootstrap_is_read_back_as_it_is(outcomes: tuple) -> None:
    """The prior comes from the bootstrap's model itself: whatever it scores, this scores."""
    features = np.random.default_rng(1).standard_normal((9, len(COLUMNS))).astype(np.float32)
    own = scorer_model(bootstrap_scorer(outcomes))
    made, wanted = (
        open_session(model).run([OUTPUTS[SCORER]], {INPUTS[SCORER]: features})[0]
        for model in (own, prior_scorer(outcomes))
    )
    np.testing.assert_allclose(made, wanted, atol=1e-5)


def test_the_level_of_a_logistic_law_is_found() -> None:
    generator = np.random.default_rng(2)
    scores = generator.standard_normal(40_000) * 2
    labels = generator.random(40_000) < 1 / (1 + np.exp(-(scores - 3)))
    assert level(scores, labels) == pytest.approx(-3, abs=0.1)


def test_what_a_head_learned_is_added_to_the_logits() -> None:
    """As ScorerHead.logits adds it: scores plus features times what was learned."""
    generator = np.random.default_rng(3)
    features = generator.standard_normal((9, len(COLUMNS))).astype(np.float32)
    learned = generator.standard_normal(len(COLUMNS))
    prior = bootstrap_scorer(ENGAGE)
    before, after = (
        open_session(scorer_model(one)).run([OUTPUTS[SCORER]], {INPUTS[SCORER]: features})[0]
        for one in (prior, with_learned(prior, learned))
    )
    np.testing.assert_allclose(after[:, 0], before[:, 0] + features @ learned, atol=1e-4)


def test_calibrated_levels_come_true_and_slopes_stay() -> None:
    groups = chosen(law(), 1500, 4)
    prior = bootstrap_scorer(ENGAGE)
    before = calibration_error(groups[750:], prior, ENGAGE)["engage"]
    scorer = calibrated(groups[:750], law(), ENGAGE, prior)
    after = calibration_error(groups[750:], scorer, ENGAGE)["engage"]
    assert after < before
    scores, shown = shown_scores(groups[750:], scorer.weights)
    chance = 1 / (1 + np.exp(-(scores * scorer.slopes[0] + scorer.offsets[0])))
    taken = np.mean([np.isin(r, g.taken) for g, r in zip(groups[750:], shown, strict=True)])
    assert chance.mean() == pytest.approx(taken, abs=0.01)
    np.testing.assert_array_equal(scorer.slopes, prior.slopes)


def test_an_outcome_hardly_seen_keeps_its_prior() -> None:
    outcomes = preset_outcomes("shopping")
    prior = bootstrap_scorer(outcomes)
    scorer = calibrated(chosen(law(), 300, 6), law(), outcomes, prior)
    names = [one.name for one in outcomes]
    click, purchase = names.index("click"), names.index("purchase")
    assert scorer.offsets[click] != prior.offsets[click], "views are clicks of this preset"
    assert scorer.offsets[purchase] == prior.offsets[purchase]


def test_a_delayed_outcome_keeps_its_prior() -> None:
    """Every event of the history is of its types, and yet nobody looks who came back."""
    outcomes = outcomes_of("shopping", engage=True, returns=return_window("12-36"))
    prior = bootstrap_scorer(outcomes)
    scorer = calibrated(chosen(law(), 300, 6), law(), outcomes, prior)
    assert scorer.offsets[0] != prior.offsets[0]
    assert scorer.offsets[1] == prior.offsets[1]


@pytest.mark.parametrize(
    ("text", "window"),
    [("12-36", (12.0, 36.0)), ("0.5-1.25", (0.5, 1.25)), ("0-1", None), ("36-36", None),
     ("12", None), ("12-36h", None), ("-1-2", None), ("1-721", None), ("1e1-20", None)],
)  # fmt: skip
def test_windows_are_hours_within_bounds(text: str, window: tuple[float, float] | None) -> None:
    if window is None:
        with pytest.raises(ValueError, match=text):
            return_window(text)
    else:
        read = return_window(text)
        assert (read.after_us / 3.6e9, read.until_us / 3.6e9) == window


def test_what_was_no_candidate_counts_as_missed() -> None:
    features = np.zeros((3, len(COLUMNS)), np.float32)
    group = CandidateGroup(features, np.arange(3), np.array([1]), ("view",), 1, 0, 0)
    quality = group_quality([group], [np.array([0.0, 5.0, 1.0])])
    assert quality.events == 2
    assert quality.hit_rate == 0.5


def test_recorded_candidates_are_those_of_the_ranker() -> None:
    """Each candidate has its own item; what was taken is told by item, through public functions."""
    data = tasteful(events=800)
    generation = generation_with(np.eye(8, dtype=np.float32)[np.arange(40) % 4] * 0.5)
    start = data.validation_start
    # Else events that are held make counts of the learner's own.
    config = LearningConfig(allowance=AllowanceConfig(on=False))
    groups = collect_groups(data, generation, start, len(data.events), 50, config)
    assert len(groups) >= 20
    for group in groups:
        assert group.features.shape == (len(group.items), len(COLUMNS))
        assert len(set(group.items.tolist())) == len(group.items), "an item twice or unknown"
        assert (group.items >= 0).all()
        user = data.events.users[group.event]
        seen = set(data.events.items[: group.event][data.events.users[: group.event] == user])
        assert not seen & set(group.items.tolist()), "an item the user had is a candidate"
        assert data.events.items[group.event] in group.items[group.taken]
        # Which row is which item: a row's count is that of its item, counted here from the events.
        counts = np.bincount(data.events.items[: group.event], minlength=data.n_items)
        found = group.features[:, COLUMNS.index("log_count")]
        np.testing.assert_allclose(found, np.log2(1 + counts[group.items]), atol=1e-5)
