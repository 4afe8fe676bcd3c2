"""Tie groups: complete, in order of time, and scored before anything of them is revealed."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.evaluation.comparison import ALL, KNOWN_USERS, NEW_ITEMS, NEW_USERS, Comparison
from services.evaluation.group_scorer import GroupScorer
from services.evaluation.tie_groups import TieGroup, tie_groups
from services.system.history import HistoryEvent, split_history, start_row

events = st.lists(
    st.builds(
        HistoryEvent,
        user=st.sampled_from("uvw"),
        item=st.sampled_from("abcdef"),
        second=st.integers(0, 6),
        row=st.integers(0, 1000),
    )
)


@given(events)
def test_groups_hold_every_event_once_in_order_of_time(history: list[HistoryEvent]) -> None:
    ordered = sorted(history, key=lambda event: event.second)
    groups = list(tie_groups(ordered))

    assert Counter(e for group in groups for e in group.events) == Counter(history)
    assert [group.second for group in groups] == sorted(group.second for group in groups)
    keys = [(group.user, group.second) for group in groups]
    assert len(keys) == len(set(keys))
    for group in groups:
        same = [e for e in ordered if (e.user, e.second) == (group.user, group.second)]
        assert list(group.events) == same


def test_a_history_that_goes_back_is_refused() -> None:
    with pytest.raises(ValueError, match="goes back"):
        list(tie_groups([HistoryEvent("u", "a", 2), HistoryEvent("u", "b", 1)]))


@given(events, st.integers(0, 40))
def test_a_split_loses_nothing_and_cuts_no_second(history: list[HistoryEvent], start: int) -> None:
    split = split_history(history, start)
    assert [*split.before, *split.after] == sorted(history, key=lambda event: event.second)
    assert len(split.before) >= min(start, len(history))
    assert not {e.second for e in split.before} & {e.second for e in split.after}
    assert split.users_before == {e.user for e in split.before}
    assert split.items_before == {e.item for e in split.before}


def test_start_is_a_fraction_or_a_row() -> None:
    assert start_row(0.8, 100) == 80
    assert start_row(0, 100) == 0
    assert start_row(30, 100) == 30
    assert start_row(300, 100) == 100
    for wrong in (-1.0, float("nan")):
        with pytest.raises(ValueError, match="start"):
            start_row(wrong, 100)


def group(user: str, second: int, *names: str) -> TieGroup:
    return TieGroup(user, second, [HistoryEvent(user, name, second) for name in names])


def test_a_group_is_scored_as_a_whole_in_the_slates_asked_before_it() -> None:
    comparison = Comparison(frozenset("u"), frozenset("abcd"), curve_every=2)
    asked: list[str] = []

    def frozen(user: str) -> list[str]:
        asked.append(user)
        return ["a", "b", "c", "d"]

    scorer = GroupScorer(comparison, {"u": {"d"}}, frozen)

    scorer.score(group("u", 1, "b", "c"), ["c", "b"])
    # b and c at ranks 2 and 3: seeing b has not moved c up.
    found = comparison.pair(ALL)
    assert found.full.mrr == pytest.approx((1 / 2 + 1) / 2)
    assert found.frozen_state.mrr == pytest.approx((1 / 2 + 1 / 3) / 2)

    scorer.score(group("u", 2, "a", "b", "a", "d"), ["x"])
    # a is the only one not seen before.
    assert scorer.repeats == 3
    assert comparison.pair(ALL).full.events == 3
    assert comparison.pair(ALL).frozen_state.mrr == pytest.approx((1 / 2 + 1 / 3 + 1) / 3)

    scorer.score(group("v", 3, "e"), ["e"])
    assert comparison.pair(NEW_USERS).full.events == 1
    assert comparison.pair(NEW_ITEMS).full.hit_rate == 1.0
    assert comparison.pair(KNOWN_USERS).full.events == 3
    assert asked == ["u", "v"]
    assert [point.events for point in comparison.curve] == [2, 4]


@given(events, st.integers(0, 20))
def test_scoring_agrees_with_a_slow_oracle(history: list[HistoryEvent], start: int) -> None:
    """The oracle ranks with lists, keeping all that was seen per user in plain dictionaries."""
    split = split_history(history, start)
    slate = list("fedcba")
    seen: dict[str, set[str]] = {}
    for event in split.before:
        seen.setdefault(event.user, set()).add(event.item)
    oracle_seen = {user: set(found) for user, found in seen.items()}
    comparison = Comparison(split.users_before, split.items_before)
    scorer = GroupScorer(comparison, seen, lambda _: slate)

    reciprocal: list[float] = []
    for one in tie_groups(split.after):
        left = [c for c in slate if c not in oracle_seen.get(one.user, set())]
        scorer.score(one, left)
        fresh = dict.fromkeys(e.item for e in one.events if e.item in left)
        reciprocal += [1 / (left.index(name) + 1) for name in fresh]
        oracle_seen.setdefault(one.user, set()).update(fresh)

    expected = sum(reciprocal) / max(len(reciprocal), 1)
    pair = comparison.pair(ALL)
    assert pair.full.events == pair.frozen_state.events == len(reciprocal)
    assert pair.full.mrr == pytest.approx(expected)
    assert pair.frozen_state.mrr == pytest.approx(expected)
