"""The order is learned from every event, before it is learned from (truths 4 and 7)."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harken.feedback.v1 import item_pb2
from services.common.candidate_features import COLUMNS
from services.common.compiled_core import CompiledCore, find_core
from services.common.ranking.candidates import POOL, gather
from services.common.ranking.features import features_of
from services.feedback.generations.generation_conversion import features_of_payload
from services.feedback.learner.model.choices.learning import (
    Choice,
    ChoiceChanges,
    ChoiceConfig,
    ChoiceLearning,
)
from services.feedback.learner.model.choices.step import chosen_events
from services.feedback.learner.model.entries import Event, ItemDeleted, ItemUpserted, Kind
from services.feedback.learner.model.outcome_definition import GenerationOutcomes
from services.feedback.learner.model.scorer_head import HeadConfig, ScorerHead
from services.feedback.learner.model.slate_learning import _posterior_is_due
from services.feedback.learner.model.tenant_state import LearningConfig, TenantState
from services.ranker.domain import slate as ranker_slate
from services.ranker.domain.eligibility import ItemFilter, eligible_items
from services.ranker.domain.user_state import UserState
from services.system.generation import bootstrap_generation, engagement
from services.system.learner import TENANT, SystemLearner
from services.system.replica import SystemReplica

ITEMS, USERS, WIDTH = 60, 12, 5
WEIGHTS = np.ones(1)
VECTOR, CONTENT = COLUMNS.index("vector_z"), COLUMNS.index("content_z")
OWN = [place for place, name in enumerate(COLUMNS) if name.startswith("own_")]
T0_US = 1_700_000_000_000_000
CORES = [None, find_core()] if find_core() is not None else [None]


def upserted(number: int, tag: int) -> ItemUpserted:
    """An item with a tag that some others have too."""
    item = item_pb2.Item(item_id=f"i{number}", tags=[str(tag)])
    return ItemUpserted(item.item_id, item.SerializeToString(), {f"tag={tag}": 1.0})


def history(chance: np.random.Generator, events: int, again: float) -> list[Kind]:
    """Items, then events that follow each other; `again`: share on what a user had before."""
    had: dict[int, list[int]] = {user: [] for user in range(USERS)}
    kinds: list[Kind] = [upserted(n, n % 5) for n in range(ITEMS)]
    for number in range(events):
        user = int(chance.integers(USERS))
        own = had[user]
        if number == events // 2:
            # What an item is changes, or it goes and comes back with another content.
            kinds += [upserted(n, 6) for n in range(0, ITEMS, 4)]
            kinds += [ItemDeleted("i1"), upserted(1, 7)]
        if own and chance.random() < again:
            item = own[int(chance.integers(len(own)))]
        else:
            item = (own[-1] + 1) % ITEMS if own and chance.random() < 0.7 else number % ITEMS
            while item in own:
                item = (item + 1) % ITEMS
        own.append(item)
        at = T0_US + number * 60_000_000
        kinds.append(Event(f"u{user}".encode(), f"i{item}", "view", float("nan"), at, 1.0))
    return kinds


def view_of(replica: SystemReplica, event: Event, allow_seen: bool) -> dict[str, np.ndarray]:
    """Return what the ranker makes of a user's candidates just before an event, by item."""
    tenant, generation = replica._replica, replica.generation
    user = tenant.users.get(event.user_key) or UserState(0, unknown=True)
    now = event.time_us / 1e6
    eligible, _ = eligible_items(tenant, user, ItemFilter(allow_seen=allow_seen), now)
    view = ranker_slate.view_of(tenant, generation, user, now)
    found = gather(view.sources, eligible, POOL, 1)
    counts = tenant.popularity.counts(found.ordinals)
    features = features_of(found, view.signals, counts, len(COLUMNS))
    ids = [tenant.catalogue.item_id(ordinal) for ordinal in found.ordinals.tolist()]
    return dict(zip(ids, features, strict=True))


@pytest.mark.parametrize("core", CORES, ids=["numpy", "core"][: len(CORES)])
@pytest.mark.parametrize("again", [0.0, 0.4])
def test_what_is_chosen_from_is_what_a_ranker_would_have_shown(
    core: CompiledCore | None, again: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The oracle is the ranker: the same candidates, and the same features of them."""
    seen: list[Choice] = []
    learn = ChoiceLearning.learn

    def spy(own: ChoiceLearning, choices: Any, head: ScorerHead, weights: Any) -> bool:
        seen.extend(choices)
        return learn(own, choices, head, weights)

    monkeypatch.setattr(ChoiceLearning, "learn", spy)
    generation = bootstrap_generation(16, engagement(["view"]))
    learner = SystemLearner(LearningConfig(core=core, features_of=features_of_payload))
    replica = SystemReplica(generation.ranker, USERS, core=core)
    for step in learner.activate(generation.learner):
        replica.fold(step)
    compared = alike = 0
    had: dict[bytes, set[str]] = {}
    for number, kind in enumerate(history(np.random.default_rng(3), 150, again)):
        expected: dict[str, np.ndarray] = {}
        if isinstance(kind, Event):
            had.setdefault(kind.user_key, set())
            repeated = kind.item_id in had[kind.user_key]
            had[kind.user_key].add(kind.item_id)
            expected = view_of(replica, kind, repeated)
        seen.clear()
        for step in learner.take([kind], T0_US + number * 60_000_000):
            replica.fold(step)
        for choice in seen:
            assert isinstance(kind, Event)
            assert len(choice.features) == len(expected)
            assert all(moved == repeated for moved in choice.moves[OWN].tolist())
            assert all(moved != repeated for moved in np.delete(choice.moves, OWN).tolist())
            ordered = sorted(expected, key=lambda item: int(item[1:]))
            assert ordered[choice.chosen] == kind.item_id
            theirs = np.array([expected[item] for item in ordered])
            # Rankers encode users by a factor that is sent when it has moved by a twentieth.
            exact = ["vector" not in name for name in COLUMNS]
            np.testing.assert_allclose(
                choice.features[:, exact], theirs[:, exact], rtol=1e-4, atol=1e-4
            )
            taste = choice.features[:, VECTOR], theirs[:, VECTOR]
            assert not taste[1].any() or np.corrcoef(*taste)[0, 1] > 0.97
            compared += 1
        alike += any(choice.features[:, CONTENT].any() for choice in seen)
    assert alike > compared - 20 > 60
    state: TenantState = learner._states[TENANT]
    assert state.slates.choices.choices == compared
    own = state.slates.choices.weights[OWN]
    assert bool(own.any()) is (again > 0)


def head_of(columns: int = WIDTH) -> ScorerHead:
    return ScorerHead(GenerationOutcomes("g", engagement(["view"])), columns, HeadConfig())


def choice_of(chance: np.random.Generator, size: int = 20, taste: int = 2) -> Choice:
    """A choice of what is largest in one column; the scorer goes by another one."""
    features = chance.standard_normal((size, WIDTH)).astype(np.float32)
    chosen = int(features[:, taste].argmax())
    moves = np.ones(WIDTH, np.bool_)
    return Choice(features, 0.25 * features[:, :1], chosen, moves)


def loss(choice: Choice, head: ScorerHead, temperature: float) -> float:
    """Return - ln P(chosen), as the docstring of the module has it."""
    own = head.parameters[0]
    order = own[0] * choice.logits[:, 0] + choice.features.astype(np.float64) @ own[1:-2]
    odds = temperature * order
    return float(np.logaddexp.reduce(odds) - odds[choice.chosen])


def test_a_step_is_newtons_on_the_likelihood_beside_the_prior() -> None:
    """The oracle: differences of what is minimised itself, over weights times T, and T."""
    choice = choice_of(np.random.default_rng(1))
    config = ChoiceConfig(memory=1e12, max_step=9.0)
    learning, head = ChoiceLearning(WIDTH, config), head_of()
    prior = np.append(np.full(WIDTH, config.precision), config.temperature_precision)
    start = np.append(np.zeros(WIDTH), config.temperature)

    def minimised(at: np.ndarray) -> float:
        other = head_of()
        other.parameters[0, 1:-2] += at[:-1] / at[-1]
        return loss(choice, other, at[-1]) + float(prior @ (at - start) ** 2) / 2

    size, nudge = WIDTH + 1, 1e-3
    gradient, curvature = np.empty(size), np.empty((size, size))
    nudges = nudge * np.eye(size)
    for one in range(size):
        gradient[one] = minimised(start + nudges[one]) - minimised(start - nudges[one])
        for two in range(size):
            signs = [(1, 1), (1, -1), (-1, 1), (-1, -1)]
            curvature[one, two] = sum(
                a * b * minimised(start + a * nudges[one] + b * nudges[two]) for a, b in signs
            )
    learning.learn([choice], head, WEIGHTS)
    expected = start - np.linalg.solve(curvature / (4 * nudge**2), gradient / (2 * nudge))
    assert learning.temperature == pytest.approx(expected[-1], rel=1e-3)
    np.testing.assert_allclose(learning.weights, expected[:-1] / expected[-1], rtol=2e-3, atol=1e-6)
    # On little evidence slates stay as they are.
    assert np.array_equal(head.parameters, head_of().parameters)


def test_what_choices_told_fades_back_to_the_prior() -> None:
    chance = np.random.default_rng(12)
    learning, head = ChoiceLearning(WIDTH, ChoiceConfig(memory=20.0)), head_of()
    learning.learn([choice_of(chance) for _ in range(200)], head, WEIGHTS)
    told = np.abs(learning.weights).max()
    silent = [replace(one, features=one.features * 0, logits=one.logits * 0)
              for one in (choice_of(chance) for _ in range(400))]  # fmt: skip
    learning.learn(silent, head, WEIGHTS)
    assert np.abs(learning.weights).max() < 0.05 * told
    known = np.diag(learning.precisions)[:-1]
    np.testing.assert_allclose(known, ChoiceConfig().precision, rtol=0.05)


def test_what_one_kind_of_choice_forgets_the_other_forgets_too() -> None:
    """Kinds that teach weights of their own share T: what is known stays that of one likelihood."""
    chance = np.random.default_rng(13)
    learning, head = ChoiceLearning(WIDTH, ChoiceConfig(memory=400.0)), head_of()
    own = np.arange(WIDTH) < 2
    for number in range(3000):
        is_own = number < 1000 or number % 20 == 0
        features = chance.standard_normal((40, WIDTH)).astype(np.float32)
        features[:, :2] *= is_own
        # The scorer says what users go by, and T is right: there is nothing to learn.
        logits = 0.4 * features[:, :1] + 0.1 * features[:, 2:3]
        odds = learning.config.temperature * logits[:, 0] + chance.gumbel(size=40)
        moves = own if is_own else ~own
        learning.learn([Choice(features, logits, int(odds.argmax()), moves)], head, WEIGHTS)
        assert np.linalg.eigvalsh(learning.precisions).min() > 0, number
    assert learning.temperature == pytest.approx(learning.config.temperature, rel=0.5)
    assert np.abs(learning.weights).max() < 0.2


def test_what_users_go_by_is_learned() -> None:
    chance = np.random.default_rng(2)
    learning, head = ChoiceLearning(WIDTH, ChoiceConfig()), head_of()
    placed = []
    for _ in range(600):
        choice = choice_of(chance)
        scores = head.blended(choice.logits, choice.features, WEIGHTS)
        placed.append(int((scores > scores[choice.chosen]).sum()))
        learning.learn([choice], head, WEIGHTS)
    assert np.mean(placed[:20]) > 3
    assert np.mean(placed[-200:]) < 0.2
    assert learning.choices == 600
    assert learning.serves
    assert learning.advantage > 0.2
    np.testing.assert_allclose(head.parameters[0, 1:-2], learning.weights, atol=1e-12)


def test_what_makes_the_order_worse_is_not_served() -> None:
    """Weights that somebody spoiled: places say so, and slates are without them."""
    chance = np.random.default_rng(4)
    learning, head = ChoiceLearning(WIDTH, ChoiceConfig(max_step=0.0)), head_of()
    learning.weights[:] = -1.0
    learning.figures[4] = 1.0
    head.move(np.array([0]), -learning.weights)
    for _ in range(300):
        learning.learn([choice_of(chance, taste=0)], head, WEIGHTS)
    assert not learning.serves
    assert learning.advantage < -0.1
    np.testing.assert_allclose(head.parameters, head_of().parameters, atol=1e-12)


def test_what_slates_teach_stays_beside_what_choices_teach() -> None:
    """Whether or not choices are served, a head keeps what else it has learned."""
    chance = np.random.default_rng(8)
    learning, head = ChoiceLearning(WIDTH, ChoiceConfig()), head_of()
    head.parameters[0, 1:-2] = own = chance.normal(0, 0.1, WIDTH)
    served = set()
    for _ in range(300):
        learning.learn([choice_of(chance)], head, WEIGHTS)
        served.add(learning.serves)
        more = learning.weights if learning.serves else np.zeros(WIDTH)
        np.testing.assert_allclose(head.parameters[0, 1:-2], own + more, atol=1e-9)
    assert served == {False, True}


def test_what_slates_taught_survives_where_both_together_are_beyond_the_bound() -> None:
    learning, head = ChoiceLearning(WIDTH, ChoiceConfig(max_step=0.0)), head_of()
    learning.weights[:], learning.figures[4] = 2.5, 1.0
    head.parameters[0, 1:-2] = 1.0 + learning.weights
    chance = np.random.default_rng(4)
    for _ in range(300):
        learning.learn([choice_of(chance, taste=0)], head, WEIGHTS)
    assert not learning.serves
    np.testing.assert_allclose(head.parameters[0, 1:-2], 1.0, atol=1e-12)


@given(
    st.lists(st.integers(0, 2**31), min_size=1, max_size=9),
    st.sampled_from([1e-3, 1.0, 1e4, 1e30]),
)
def test_whatever_comes_weights_stay_finite_and_bounded(seeds: list[int], scale: float) -> None:
    learning, head = ChoiceLearning(WIDTH, ChoiceConfig()), head_of()
    for seed in seeds:
        choice = choice_of(np.random.default_rng(seed))
        learning.learn(
            [replace(choice, features=choice.features * np.float32(scale))], head, WEIGHTS
        )
    assert np.isfinite(head.parameters).all()
    assert np.abs(learning.weights).max() <= 0.1 * len(seeds) + 1e-9
    assert np.linalg.eigvalsh(learning.precisions).min() > 0


def test_an_order_that_is_far_too_sure_of_itself_is_put_right() -> None:
    """T has bounds: where it would leave them, weights are the best beside the T that there is."""
    chance = np.random.default_rng(0)
    learning, head = ChoiceLearning(WIDTH, ChoiceConfig()), head_of()
    for _ in range(1500):
        one = choice_of(chance, 50)
        odds = 3 * one.features[:, 0] + 3 * one.features[:, 2] + chance.gumbel(size=50)
        choice = replace(one, logits=20 * one.features[:, :1], chosen=int(odds.argmax()))
        learning.learn([choice], head, WEIGHTS)
    assert learning.advantage > 0.08
    # What is left of the order, as near as bounds let it come, weighs no more than what is chosen.
    assert learning.weights[0] == pytest.approx(-3.0)
    assert learning.weights[2] > 2.0


def test_columns_that_say_the_same_for_ever_leave_weights_where_they_are() -> None:
    """Choices that take turns teach nothing; what rounding leaves of their precision neither."""
    chance = np.random.default_rng(9)
    learning, head = ChoiceLearning(len(COLUMNS), ChoiceConfig()), head_of(len(COLUMNS))
    row = 30 * chance.uniform(0.5, 1, len(COLUMNS))
    features = np.stack([row, -row]).astype(np.float32)
    moves, logits = np.ones(len(COLUMNS), np.bool_), np.zeros((2, 1), np.float32)
    for turn in range(4000):
        learning.learn([Choice(features, logits, turn % 2, moves)], head, WEIGHTS)
        assert np.abs(learning.weights).max() < 0.01, turn


def test_what_is_known_of_two_columns_is_the_same_either_way() -> None:
    """Truth 4: frames hold one half of it, so whoever folds them would have another state."""
    chance = np.random.default_rng(10)
    learning, head = ChoiceLearning(WIDTH, ChoiceConfig()), head_of()
    # As wide as it is added up: to float32 nearly all differences are rounded away, but not all.
    learning.precisions = learning.precisions.astype(np.float64)
    learning.learn([choice_of(chance) for _ in range(50)], head, WEIGHTS)
    assert np.array_equal(learning.precisions, learning.precisions.T)


def test_scores_that_are_no_numbers_teach_nothing() -> None:
    choice = choice_of(np.random.default_rng(5))
    learning, head = ChoiceLearning(WIDTH, ChoiceConfig()), head_of()
    spoiled = replace(choice, logits=np.full_like(choice.logits, np.nan))
    assert not learning.learn([spoiled], head, WEIGHTS)
    assert not learning.weights.any()
    assert learning.choices == 0


def test_state_is_restored_whole() -> None:
    chance = np.random.default_rng(6)
    one, head = ChoiceLearning(WIDTH, ChoiceConfig()), head_of()
    one.learn([choice_of(chance) for _ in range(20)], head, WEIGHTS)
    other, other_head = ChoiceLearning(WIDTH, ChoiceConfig()), head_of()
    changes: ChoiceChanges = one.changes()
    other.restore(changes)
    other_head.restore(head.parameters, head.accumulators, head.slopes, None, head.slates)
    more = [choice_of(chance) for _ in range(20)]
    one.learn(more, head, WEIGHTS)
    other.learn(more, other_head, WEIGHTS)
    assert np.array_equal(head.parameters, other_head.parameters)
    assert np.array_equal(one.weights, other.weights)
    assert np.array_equal(one.figures, other.figures)
    assert np.array_equal(one.precisions, other.precisions)


def test_state_without_precisions_keeps_what_was_learned() -> None:
    """As an earlier version wrote it: what is known begins anew with the prior."""
    chance = np.random.default_rng(7)
    one, head = ChoiceLearning(WIDTH, ChoiceConfig()), head_of()
    one.learn([choice_of(chance) for _ in range(20)], head, WEIGHTS)
    other = ChoiceLearning(WIDTH, ChoiceConfig())
    other.restore(replace(one.changes(), precisions=None))
    assert np.array_equal(one.weights, other.weights)
    begun = np.append(np.full(WIDTH, other.config.precision), other.config.temperature_precision)
    assert np.array_equal(other.precisions, np.diag(begun).astype(np.float32))


@given(
    st.integers(0, 2**40),
    st.integers(1, 2000),
    st.integers(0, 5_000_000),
    st.integers(0, 10**9),
)
def test_few_events_are_looked_at(first: int, events: int, items: int, choices: int) -> None:
    """Of a large step a share that its time allows, of a small one one at most."""
    sequences = np.arange(first, first + events)
    chosen = chosen_events(sequences, items, choices)
    assert np.array_equal(chosen, np.unique(chosen))
    assert chosen.size <= min(events, 2 + 2.4 * events / 300)
    if chosen.size:
        assert chosen.max() < events
    assert np.array_equal(chosen, chosen_events(sequences, items, choices))


def test_small_steps_of_small_catalogues_are_all_looked_at() -> None:
    assert all(chosen_events(np.array([n]), 2000, n).size == 1 for n in range(500))
    # Of a million items about one event in forty.
    looked_at = sum(chosen_events(np.array([n]), 1_000_000, 0).size for n in range(20_000))
    assert 300 < looked_at < 700
    # The more there were, the fewer: after 20,000 about one in three.
    looked_at = sum(chosen_events(np.array([n]), 2000, 20_000).size for n in range(20_000))
    assert 5500 < looked_at < 7200


@pytest.mark.parametrize("together", [1, 40])
def test_one_user_teaches_the_order_by_the_first_hundred_events_of_a_day(together: int) -> None:
    """Whether they come one by one or many at once: nobody alone says what the order is for all."""
    chance = np.random.default_rng(5)
    learner = SystemLearner(LearningConfig())
    list(learner.activate(bootstrap_generation(16, engagement(["view"])).learner))
    items: list[Kind] = [ItemUpserted(f"i{n}", b"", {}) for n in range(ITEMS)]
    list(learner.take(items, T0_US))
    events = [
        Event(b"u", f"i{item}", "view", float("nan"), T0_US + number * 1_000_000, 1.0)
        for number, item in enumerate(chance.integers(0, ITEMS, 700).tolist())
    ]

    def choices_after(kinds: list[Event]) -> int:
        for begin in range(0, len(kinds), together):
            list(learner.take(kinds[begin : begin + together], T0_US))
        return learner._states[TENANT].slates.choices.choices

    first = choices_after(events[:100])
    assert first >= (40 if together == 1 else 1)
    assert choices_after(events[100:]) == first
    next_day = [replace(one, time_us=one.time_us + 86_400_000_000) for one in events]
    assert first < choices_after(next_day[:100]) <= first + 100
    assert choices_after(next_day[100:]) <= first + 100


def test_rankers_hear_how_sure_the_order_is_now_and_then() -> None:
    """Truth 7: what is told is what is known, and a checkpoint has it."""
    chance = np.random.default_rng(9)
    learner = SystemLearner(LearningConfig())
    steps = learner.activate(bootstrap_generation(16, engagement(["view"])).learner)
    for kind in history(chance, 400, 0.5):
        steps += learner.take([kind], T0_US)
    slates = learner._states[TENANT].slates
    told = [
        (changes.order_posterior, changes.learner.head_training)
        for one in steps
        for changes in one.frame.tenants
        if changes.HasField("order_posterior")
    ]
    assert slates.choices.choices > 16
    assert 1 <= len(told) <= len(steps)
    for posterior, training in told:
        assert posterior.precisions == training.choice_precisions
        assert posterior.temperature == training.choice_temperature
    head = slates.contents().head
    assert head is not None
    assert head.tell_posterior


@pytest.mark.parametrize(
    ("before", "now", "due"),
    [(0, 1, True), (1, 2, True), (2, 3, False), (3, 4, True), (256, 511, False), (511, 512, True),
     (512, 1023, False), (1023, 1024, True), (600, 1100, True)],
)  # fmt: skip
def test_how_sure_the_order_is_is_told_at_powers_of_two_and_then_regularly(
    before: int, now: int, due: bool
) -> None:
    assert _posterior_is_due(before, now) is due
