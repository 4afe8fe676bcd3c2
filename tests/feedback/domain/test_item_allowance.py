"""What goes to one item in a while is bounded by who else supports it (design.md, section 5)."""

from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from services.feed.parameters import Ints
from services.feedback.learner.model.entries import EventRetracted, LogEntry
from services.feedback.learner.model.held_events import HeldEvents
from services.feedback.learner.model.item_allowance import AllowanceConfig, ItemAllowance
from services.feedback.learner.model.tenant_state import LearningConfig, TenantState
from services.feedback.learner.model.user_table import NO_ITEM, Histories
from tests.feedback.domain.learning import T0_US, TIGHT, stepped
from tests.feedback.domain.test_retraction import _events, _log, rules_of

ITEMS, LENGTH = 200, 31
_OTHERS = 1_000
"""Items of histories that no event of a test is on."""


def histories(counts: Ints) -> Histories:
    """Return histories of so many other items each."""
    places = np.arange(LENGTH)
    items = np.where(places < counts[:, np.newaxis], _OTHERS + places, NO_ITEM)
    return Histories(items, (items != NO_ITEM).astype(np.float32), np.zeros_like(items))


def taken(allowance: ItemAllowance, items: Ints, counts: Ints, weight: float = 1.0) -> Ints:
    """Return which of the events, of subjects with so many items before, pass, as 0 and 1."""
    weights = np.full(items.size, weight, np.float32)
    wanted = np.ones(items.size, np.bool_)
    return allowance.admit(items, weights, histories(counts), wanted).astype(np.int64)


def settled(config: AllowanceConfig | None = None, steps: int = 40) -> ItemAllowance:
    """Return what follows usual traffic: ITEMS items alike, a tenth of the events by newcomers."""
    allowance = ItemAllowance(config or AllowanceConfig())
    chance = np.random.default_rng(1)
    for _ in range(steps):
        items = chance.integers(0, ITEMS, 500)
        counts = np.where(chance.random(500) < 0.1, 0, 20)
        assert taken(allowance, items, counts).mean() > 0.99
    return allowance


@given(st.integers(1, 400), st.integers(1, 400), st.sampled_from([0, 1, 20]), st.booleans())
def test_a_flood_is_bounded_however_large_it_is(
    size: int, more: int, count: int, weigh: bool
) -> None:
    """What passes of a flood on one item grows no more with it, and never beyond what is said."""
    passed = []
    for number in (size, size + more):
        allowance = settled(steps=6)
        weight = 2.0 if weigh else 1.0
        own = taken(allowance, np.zeros(number, np.int64), np.full(number, count), weight)
        passed.append(int(own.sum()))
    assert passed[0] <= passed[1] <= max(passed[0], 12 * 30)
    if count == 0:
        # Ten newcomers in a hundred events: with as many supporters a handful is usual.
        assert passed[1] <= 60


@given(st.integers(0, 60), st.integers(1, 60))
def test_more_support_lets_no_less_through(support: int, more: int) -> None:
    """Newcomers' events on an item: those who support it first only help them."""
    config = replace(AllowanceConfig(), floor=1.0, proportion=2.0, hotter=1e9)
    passed = []
    for number in (support, support + more):
        allowance = settled(config, steps=6)
        taken(allowance, np.full(number, 3), np.full(number, 20))
        passed.append(int(taken(allowance, np.full(300, 3), np.zeros(300, np.int64)).sum()))
    assert passed[0] <= passed[1]


def test_a_tenant_of_newcomers_alone_is_no_exception() -> None:
    """Everybody is new: with nobody to agree, nothing rides on anything, and all of it passes."""
    allowance, chance = ItemAllowance(AllowanceConfig()), np.random.default_rng(2)
    passed = [
        taken(allowance, chance.integers(0, ITEMS, 500), np.zeros(500, np.int64)).mean()
        for _ in range(20)
    ]
    assert min(passed) == 1.0


def test_one_by_one_and_all_at_once_pass_alike_where_nothing_is_held() -> None:
    chance = np.random.default_rng(3)
    items, counts = chance.integers(0, ITEMS, 300), chance.integers(0, 20, 300)
    whole, single = settled(steps=10), settled(steps=10)
    at_once = taken(whole, items, counts)
    alone = [taken(single, items[n : n + 1], counts[n : n + 1])[0] for n in range(300)]
    assert at_once.tolist() == alone == [1] * 300


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 5)), max_size=30), st.integers(1, 31))
def test_what_was_held_is_in_no_history(held: list[tuple[int, int]], asked: int) -> None:
    """Of users 0..3: items held before a sequence are gone, the others stay in their order."""
    known = HeldEvents()
    for sequence, (user, item) in enumerate(held, start=1):
        known.add(user, sequence, item)
        assert known.holds(user, sequence)
    items = np.array([[4, 2, 0, 5, 1, 3, NO_ITEM]] * 4)
    before = Histories(items, (items + 1).astype(np.float32), items * 10)
    found = known.without(np.arange(4), np.full(4, asked), before)
    for user in range(4):
        gone = {item for n, (own, item) in enumerate(held, 1) if own == user and n < asked}
        left = [item for item in (4, 2, 0, 5, 1, 3) if item not in gone]
        assert [one for one in found.items[user].tolist() if one != NO_ITEM] == left
        assert found.items[user, : len(left)].tolist() == left
        assert found.weights[user, : len(left)].tolist() == [item + 1 for item in left]


def learned(log: list[LogEntry], size: int, config: LearningConfig) -> TenantState:
    return stepped(log, size, config)["a"]


@given(_events, st.integers(1, 9))
def test_taking_everything_back_leaves_nothing(
    events: list[tuple[int, int, float, int]], size: int
) -> None:
    """What was held gave nothing, so nothing is taken for it: counts and rules end at zero."""
    log = _log(events)
    gone = [
        LogEntry(
            len(log) + n, "a", T0_US + len(log) + n,
            EventRetracted(entry.kind, entry.sequence),  # type: ignore[arg-type]
        )
        for n, entry in enumerate(log[7:], start=1)
    ]  # fmt: skip
    state = learned([*log, *gone], size, LearningConfig(allowance=TIGHT))
    assert not state.counts[: len(state.items)].any()
    assert not np.isfinite(state.levels[: len(state.items)]).any()
    assert all(value < 1e-3 for value in rules_of(state).values())
