"""Slates are full, hold nothing twice, and keep all rules but those that are said to be lost."""

from collections import Counter
from math import ceil

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ranker.domain.selection.plan import (
    AtLeast,
    AtMost,
    Boost,
    Cap,
    Diversity,
    Exploration,
    Pin,
    Plan,
    Sort,
)
from services.ranker.domain.selection.policies import GREEDY, PlackettLuce, Policy
from services.ranker.domain.selection.pool import LOWEST, Pool
from services.ranker.domain.selection.select import select
from services.ranker.domain.selection.selection import Selection
from tests.ranker.domain.selection.logged import bit
from tests.ranker.domain.selection.plans import SEED, caps, masks, pools, pools_and_plans

COUNT = st.integers(0, 8)


def values_of(cap: Cap, item: int) -> list[int]:
    if cap.starts is None:
        codes = [int(cap.codes[item])]
    else:
        codes = cap.codes[cap.starts[item] : cap.starts[item + 1]].tolist()
    return [code for code in codes if code >= 0]


def broken(plan: Plan, slate: list[int], places: int) -> set[str]:
    """Return the rules that a slate does not keep."""
    found = set()
    for pin in plan.pins:
        if not any(pin.place == place and pin.items[item] for place, item in enumerate(slate)):
            found.add(pin.rule)
    for most in plan.at_most:
        if sum(most.items[slate]) > most.count:
            found.add(most.rule)
    for cap in plan.caps:
        shown = Counter(value for item in slate for value in values_of(cap, item))
        if any(cap.used.get(value, 0) + count > cap.most for value, count in shown.items()):
            found.add(cap.rule)
    for least in plan.at_least:
        if sum(least.items[slate]) < max(least.count, ceil(round(least.share * places, 6))):
            found.add(least.rule)
    return found


@given(pools_and_plans(), COUNT, SEED)
def test_a_slate_is_full_and_keeps_all_rules_but_the_lost(
    given_: tuple[Pool, Plan], count: int, seed: int
) -> None:
    pool, plan = given_
    selection = select(pool, plan, count, seed)
    slate = selection.places.tolist()
    assert len(slate) == min(count, pool.size)
    assert len(set(slate)) == len(slate)
    lost = [one.rule for one in selection.lost]
    assert len(set(lost)) == len(lost)
    # All rules of numbers of a slate without places are kept or have lost their places.
    assert broken(plan, slate, len(slate)) <= set(lost)
    # A rule that lost is broken, so that nobody looks for what is not there.
    assert set(lost) <= broken(plan, slate, len(slate)) | {"diversity", "exploration"}


@given(pools_and_plans(), COUNT, SEED)
def test_what_could_not_stand_at_a_place_is_told(
    given_: tuple[Pool, Plan], count: int, seed: int
) -> None:
    pool, plan = given_
    plan = Plan(plan.boosts, plan.pins, plan.at_most, plan.caps, plan.at_least)
    selection = select(pool, plan, count, seed)
    slate = selection.places.tolist()
    for place, item in enumerate(slate):
        barred = bytes(selection.barred[place])
        assert len(barred) == ceil(pool.size / 8)
        assert not bit(barred, item)
        assert all(bit(barred, above) for above in slate[:place])
        assert all(not bit(barred, number) for number in range(pool.size, len(barred) * 8))


@given(pools_and_plans(), COUNT, SEED)
def test_the_same_seed_gives_the_same_slate(
    given_: tuple[Pool, Plan], count: int, seed: int
) -> None:
    first, second = (select(*given_, count, seed) for _ in range(2))
    assert first.places.tolist() == second.places.tolist()
    assert first.propensities.tolist() == second.propensities.tolist()
    assert (first.applied, first.lost) == (second.applied, second.lost)
    assert first.barred.tobytes() == second.barred.tobytes()


@given(pools(), COUNT, SEED)
def test_without_rules_and_chance_the_best_come_first(pool: Pool, count: int, seed: int) -> None:
    """Also with the knobs of diversity and exploration at nothing."""
    keys = [-1e9 if u != u else max(-1e3, min(1e3, float(np.float32(u))))
            for u in pool.utilities.tolist()]  # fmt: skip
    expected = sorted(range(pool.size), key=lambda item: -keys[item])[:count]
    off = Plan(diversity=Diversity(0.0), exploration=Exploration(GREEDY, 0.0))
    for plan in (Plan(), off):
        selection = select(pool, plan, count, seed)
        assert selection.places.tolist() == expected
        assert selection.propensities.tolist() == [1.0] * len(expected)
        assert selection.applied == ((),) * len(expected)
        assert selection.lost == ()


def of(*utilities: float) -> Pool:
    return Pool(np.array(utilities, dtype=np.float64))


def some(size: int, *items: int) -> np.ndarray:
    mask = np.zeros(size, dtype=np.bool_)
    mask[list(items)] = True
    return mask


def words(selection: Selection) -> list[list[str]]:
    return [[f"{rule}: {effect}" for rule, effect in place] for place in selection.applied]


def lost(selection: Selection) -> list[str]:
    return [f"{rule}: {why}" for rule, why in selection.lost]


def test_a_boost_multiplies_odds() -> None:
    boosts = (Boost("up", some(3, 2), 3.0), Boost("down", some(3, 0, 2), 0.5))
    selection = select(of(1.0, 0.9, 0.55), Plan(boosts), 3)
    assert selection.places.tolist() == [2, 1, 0]
    assert words(selection) == [["up: boosted x3", "down: buried x0.5"], [], ["down: buried x0.5"]]
    expected = [1.0 + np.log(0.5), 0.9, 0.55 + np.log(1.5)]
    assert selection.utilities.tolist() == pytest.approx(expected, rel=1e-6)


def test_a_pin_takes_the_best_of_its_items_and_waits_for_its_place() -> None:
    selection = select(of(5, 4, 3, 2, 1), Plan(pins=(Pin("p", some(5, 0, 3), 2),)), 4)
    assert selection.places.tolist() == [1, 2, 0, 3]
    assert words(selection) == [[], [], ["p: pinned"], []]
    assert selection.propensities.tolist() == [1.0] * 4


def test_pins_that_cannot_be() -> None:
    pins = (
        Pin("first", some(3, 1), 0),
        Pin("same slot", some(3, 2), 0),
        Pin("same item", some(3, 1), 1),
        Pin("nothing", some(3), 1),
        Pin("beyond", some(3, 0), 3),
    )
    selection = select(of(3, 2, 1), Plan(pins=pins), 10)
    assert selection.places.tolist() == [1, 0, 2]
    assert lost(selection) == [
        "same slot: the slot is that of first",
        "same item: its items are pinned to other slots",
        "nothing: none of its items may be shown",
        "beyond: the slate ends at slot 3",
    ]


def test_a_cap_counts_pins_below_and_the_last_slates() -> None:
    owners = np.array([0, 0, 1, 1, 2, -1, -1], dtype=np.int32)
    plan = Plan(pins=(Pin("p", some(7, 1), 2),), caps=(Cap("owner", owners, 1, used={2: 1, 9: 5}),))
    selection = select(of(7, 6, 5, 4, 3, 2, 1), plan, 4)
    assert selection.places.tolist() == [2, 5, 1, 6]
    assert words(selection) == [
        ["owner: capped out 1 above"],
        ["owner: capped out 3 above"],
        ["p: pinned"],
        ["owner: capped out 3 above"],
    ]
    assert lost(selection) == []
    # Nothing else is left then, so it yields, to the best.
    selection = select(of(7, 6, 5, 4, 3, 2, 1), plan, 5)
    assert selection.places.tolist() == [2, 5, 1, 6, 0]
    assert lost(selection) == ["owner: nothing else was left"]


def test_a_pin_goes_before_a_limit() -> None:
    plan = Plan(pins=(Pin("p", some(3, 2), 0),), at_most=(AtMost("none", some(3, 1, 2)),))
    selection = select(of(3, 2, 1), plan, 2)
    assert selection.places.tolist() == [2, 0]
    assert lost(selection) == ["none: a pin goes first"]


def test_limits_yield_the_last_named_first() -> None:
    rules = (AtMost("a", some(3, 0)), AtMost("b", some(3, 1)), AtMost("c", some(3, 2)))
    assert select(of(3, 2, 1), Plan(at_most=rules), 1).places.tolist() == [2]
    assert select(of(3, 2, 1), Plan(at_most=rules[::-1]), 1).places.tolist() == [0]
    assert lost(select(of(3, 2, 1), Plan(at_most=rules), 1)) == ["c: nothing else was left"]


def test_a_place_is_kept_only_when_the_rest_is_needed() -> None:
    plan = Plan(at_least=(AtLeast("new", some(6, 4, 5), 1), AtLeast("own", some(6, 3), share=0.1)))
    selection = select(of(6, 5, 4, 3, 2, 1), plan, 4)
    assert selection.places.tolist() == [0, 1, 3, 4]
    assert words(selection) == [[], [], ["own: lifted above better ones"],
                                ["new: lifted above better ones"]]  # fmt: skip
    selection = select(of(6, 5, 4, 3, 2, 1), plan, 1)
    assert selection.places.tolist() == [4]
    assert lost(selection) == ["own: 0 of 1: there were too few items or slots"]


def test_an_item_may_count_for_several() -> None:
    least = (AtLeast("a", some(4, 2, 3), 1), AtLeast("b", some(4, 3), 1))
    selection = select(of(4, 3, 2, 1), Plan(at_least=least), 2)
    assert selection.places.tolist() == [0, 3]
    assert lost(selection) == []


@given(st.data())
def test_one_limit_yields_only_if_no_slate_keeps_it(data: st.DataObject) -> None:
    pool = data.draw(pools(8))
    cap = data.draw(caps("cap", pool.size).filter(lambda cap: cap.starts is None))
    count = data.draw(COUNT)
    room = {
        value: max(cap.most - cap.used.get(value, 0), 0) if value >= 0 else pool.size
        for value in cap.codes.tolist()
    }
    held = Counter(cap.codes.tolist())
    most = sum(min(room[value], number) for value, number in held.items())
    selection = select(pool, Plan(caps=(cap,)), count)
    assert bool(selection.lost) == (most < min(count, pool.size))


@given(st.data())
def test_minimums_of_items_apart_are_all_kept_if_they_fit(data: st.DataObject) -> None:
    pool = data.draw(pools(10))
    of_rule = np.array(
        data.draw(st.lists(st.integers(0, 2), min_size=pool.size, max_size=pool.size)), dtype=int
    )
    wanted = [data.draw(st.integers(0, int((of_rule == rule).sum()))) for rule in range(3)]
    least = tuple(AtLeast(f"{rule}", of_rule == rule, wanted[rule]) for rule in range(3))
    count = data.draw(COUNT)
    policies: list[Policy] = [GREEDY, PlackettLuce(5.0)]
    exploration = Exploration(data.draw(st.sampled_from(policies)))
    plan = Plan(at_least=least, exploration=exploration)
    selection = select(pool, plan, count, data.draw(SEED))
    assert bool(selection.lost) == (sum(wanted) > min(count, pool.size))


@given(st.data(), SEED)
def test_a_sort_moves_what_was_chosen_but_pins(data: st.DataObject, seed: int) -> None:
    pool = data.draw(pools())
    count = data.draw(COUNT)
    values = np.array(
        data.draw(st.lists(st.integers(-2, 2), min_size=pool.size, max_size=pool.size)), float
    )
    present = data.draw(masks(pool.size))
    ascending = data.draw(st.booleans())
    pins = (Pin("p", data.draw(masks(pool.size)), data.draw(st.integers(0, 4))),)
    plain = select(pool, Plan(pins=pins), count)
    plan = Plan(pins=pins, sorts=(Sort("s", values, present, ascending),))
    slate = select(pool, plan, count, seed).places.tolist()
    assert sorted(slate) == sorted(plain.places.tolist())
    place = None if plain.lost or not slate else pins[0].place
    if place is not None:
        assert slate[place] == plain.places[place]

    def key(item: int) -> tuple[bool, float, float]:
        worth = float(plain.utilities[item])
        if not present[item]:
            return (True, 0.0, -worth)
        return (False, float(values[item] if ascending else -values[item]), -worth)

    keys = [key(item) for at, item in enumerate(slate) if at != place]
    assert keys == sorted(keys)


def test_a_sort_goes_before_exploration_and_says_what_moved() -> None:
    sort = Sort("cheap", np.array([3.0, 1.0, 2.0]), some(3, 0, 1, 2), ascending=True)
    plan = Plan(sorts=(sort,), exploration=Exploration(PlackettLuce(5.0)))
    for seed in range(20):
        selection = select(of(3, 2, 1), plan, 3, seed)
        assert selection.places.tolist() == [1, 2, 0]
        assert selection.propensities.tolist() == [1.0] * 3
    assert words(selection) == [[f"cheap: sorted from slot {n}"] for n in (2, 3, 1)]
    assert lost(selection) == ["exploration: cheap says what stands where"]


def test_what_has_no_utility_comes_last_whatever_it_is_worth_to_others() -> None:
    selection = select(of(float("nan"), -999, float("-inf"), float("inf")), Plan(), 4)
    assert selection.places.tolist() == [3, 1, 2, 0]
    assert selection.utilities[0] == LOWEST


def test_a_cap_is_not_used_up_by_others_while_a_promise_needs_it() -> None:
    """Two items of a seller are promised, who may have two; the seller's others are better."""
    sellers = np.array([0, 0, 0, 1, 0, 0], dtype=np.int32)
    plan = Plan(
        caps=(Cap("seller", sellers, 2),), at_least=(AtLeast("promised", some(6, 4, 5), 2),)
    )
    selection = select(of(6, 5, 4, 3, 2, 1), plan, 3)
    assert selection.places.tolist() == [3, 4, 5]
    assert words(selection)[0] == []
    assert lost(selection) == []


@given(st.data(), SEED)
def test_a_promise_is_kept_under_a_cap_if_a_slate_keeps_both(
    data: st.DataObject, seed: int
) -> None:
    pool = data.draw(pools(10))
    cap = data.draw(caps("cap", pool.size).filter(lambda cap: cap.starts is None))
    items = data.draw(masks(pool.size))
    room = {
        value: max(cap.most - cap.used.get(value, 0), 0) if value >= 0 else pool.size
        for value in cap.codes.tolist()
    }
    held = Counter(cap.codes[items].tolist())
    most = sum(min(room[value], number) for value, number in held.items())
    count = data.draw(COUNT)
    wanted = data.draw(st.integers(0, min(most, count)))
    plan = Plan(
        caps=(cap,),
        at_least=(AtLeast("promised", items, wanted),),
        exploration=Exploration(PlackettLuce(data.draw(st.sampled_from([0.1, 5.0])))),
    )
    assert "promised" not in [one.rule for one in select(pool, plan, count, seed).lost]
