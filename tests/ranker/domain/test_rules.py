"""The rules source against its formula, written as loops."""

import math
from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.common.ranking.popularity import Popularity
from services.common.ranking.rule_table import RuleTable
from services.common.ranking.sources.rules import RuleSource

SIZE = 15
CELLS = st.lists(
    st.tuples(
        st.integers(0, SIZE - 1),
        st.integers(0, 6),
        st.integers(0, SIZE - 1),
        st.sampled_from([0.0, 0.25, 1.0, 1.5]),
    ),
    max_size=40,
    unique_by=lambda cell: cell[:2],
)


def table_of(rounds: list[list[tuple[int, int, int, float]]]) -> RuleTable:
    rules = RuleTable()
    rules.grow(SIZE)
    for cells in rounds:
        sources, slots, targets, weights = (
            np.array([cell[place] for cell in cells]) for place in range(4)
        )
        if cells:
            rules.assign(sources, slots, targets, weights.astype(np.float32))
    return rules


@given(
    st.lists(CELLS, max_size=3),
    st.lists(st.tuples(st.integers(0, SIZE - 1), st.integers(0, 3)), max_size=24),
    st.lists(st.integers(0, 9), min_size=SIZE, max_size=SIZE),
    st.lists(st.booleans(), min_size=SIZE, max_size=SIZE),
    st.lists(st.booleans(), min_size=SIZE, max_size=SIZE),
    st.integers(1, SIZE),
)
def test_rules_follow_their_formula(
    rounds: list[list[tuple[int, int, int, float]]],
    history: list[tuple[int, int]],
    counts: list[int],
    eligible: list[bool],
    nameable: list[bool],
    count: int,
) -> None:
    popularity = Popularity(1.0)
    popularity.grow(SIZE)
    everything = np.arange(SIZE)
    popularity.assign(everything, np.zeros(SIZE), np.array(counts, float))
    cell_of: dict[tuple[int, int], tuple[int, float]] = {}
    for cells in rounds:
        cell_of.update({(row, slot): (target, weight) for row, slot, target, weight in cells})

    # Latest first; each step back in time is 0 to 3 seconds, and 0 makes a tie.
    latest = [item for item, _ in history]
    times = [-float(sum(gap for _, gap in history[: place + 1])) for place in range(len(history))]

    truth: dict[int, float] = defaultdict(float)
    last: dict[int, float] = defaultdict(float)
    alike: dict[int, float] = defaultdict(float)
    shares: dict[int, dict[int, float]] = defaultdict(lambda: defaultdict(float))
    # Each item once, where it was last.
    distinct = list(dict.fromkeys(latest))
    when = [times[latest.index(item)] for item in distinct]
    for step, item in enumerate(distinct[:20]):
        tied = [place + 1 for place, time in enumerate(when) if time == when[step]]
        rank = sum(tied) / len(tied)
        for (row, _), (target, weight) in cell_of.items():
            if row == item and weight > 0:
                share = weight / rank / math.sqrt(counts[item] + 5)
                truth[target] += share / math.sqrt(counts[target] + 5)
                if when[step] == when[0]:
                    last[target] += share / math.sqrt(counts[target] + 5)
                alike[target] += weight / math.sqrt((counts[item] + 5) * (counts[target] + 20))
                shares[target][step] += share

    source = RuleSource(
        table_of(rounds), popularity, np.array(latest, dtype=np.int64), np.array(times)
    )
    scores = source.scores_of(everything)
    because = source.because(everything, np.array(nameable))
    of_last = source.scores_of_last(everything)
    assert of_last == pytest.approx([last[item] for item in range(SIZE)], rel=1e-6)
    of_history = source.scores_of_history(everything)
    assert of_history == pytest.approx([alike[item] for item in range(SIZE)], rel=1e-6)
    for item in range(SIZE):
        if item in truth:
            assert math.isclose(scores[item], truth[item], rel_tol=1e-6)
            named = {s: v for s, v in shares[item].items() if nameable[distinct[s]]}
            assert (because[item] == -1) == (not named)
            assert not named or any(
                distinct[step] == because[item]
                for step, share in named.items()
                if math.isclose(share, max(named.values()), rel_tol=1e-6)
            )
        else:
            assert scores[item] == -math.inf
            assert because[item] == -1
    ordinals = source.propose(np.array(eligible), count)
    proposed = scores[ordinals]
    wanted = [item for item in range(SIZE) if item in truth and eligible[item]]
    assert ordinals.size == min(count, len(wanted))
    assert set(ordinals.tolist()) <= set(wanted)
    pairs = list(zip((-proposed).tolist(), ordinals.tolist(), strict=True))
    assert pairs == sorted(pairs)
    left = [scores[item] for item in wanted if item not in ordinals]
    assert not left or max(left) <= proposed.min()
