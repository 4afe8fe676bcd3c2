"""One user moves what all share by so many events a day, and no more (design.md, section 5)."""

from itertools import pairwise

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from services.feedback.learner.model.daily_cap import DailyCap
from services.feedback.learner.model.entries import (
    Event,
    EventRetracted,
    ItemUpserted,
    Kind,
    LogEntry,
)
from services.feedback.learner.model.tenant_state import LearningConfig, TenantState
from tests.feedback.domain.learning import T0_US, activation, stepped

CAP = 3
DAY_US = 86_400_000_000
CONFIG = LearningConfig(daily_events=CAP)
TENANT = "a"

_events = st.lists(
    st.tuples(st.integers(0, 3), st.integers(-3, 4), st.booleans()), min_size=1, max_size=60
)


_LONG_AGO = [(0, day, True) for day in (-3, -3, -3, -2, -2, -1, -1)]


@example(_LONG_AGO, [])
@given(_events, st.lists(st.integers(1, 59), max_size=6))
def test_it_admits_what_counting_one_by_one_admits(
    events: list[tuple[int, int, bool]], cuts: list[int]
) -> None:
    """Whatever the steps: per user, the first CAP teaching events of his latest day so far."""
    days: dict[int, int] = {}
    counts: dict[int, int] = {}
    wanted = []
    for user, day, teaches in events:
        if teaches and day > days.get(user, -9):
            days[user], counts[user] = day, 0
        if teaches:
            counts[user] += 1
        wanted.append(teaches and counts[user] <= CAP)

    influence = DailyCap(CAP)
    users = np.array([event[0] for event in events])
    times_us = np.array([event[1] * DAY_US + n for n, event in enumerate(events)])
    teach = np.array([event[2] for event in events])
    sequences = np.arange(1, len(events) + 1)
    bounds = [0, *sorted({cut for cut in cuts if cut < len(events)}), len(events)]
    got = np.concatenate([
        influence.admit(users[a:b], times_us[a:b], sequences[a:b], teach[a:b])
        for a, b in pairwise(bounds)
    ])  # fmt: skip
    assert got.tolist() == wanted
    for user, sequence, teaches, admitted in zip(users, sequences, teach, wanted, strict=True):
        if teaches:
            assert influence.admitted(int(user), int(sequence)) == admitted


def test_a_lower_cap_leaves_what_a_higher_one_admitted() -> None:
    def events(influence: DailyCap, day: int, *sequences: int) -> list[bool]:
        own = np.array(sequences)
        rows = np.zeros(own.size, np.int64)
        teach = np.ones(own.size, np.bool_)
        return list(influence.admit(rows, own + day * DAY_US, own, teach))

    before = DailyCap(CAP + 2)
    events(before, 1, *range(1, 8))
    events(before, 2, *range(8, 8 + CAP + 2))
    row = np.zeros(1, np.int64)
    after = DailyCap(CAP)
    after.restore(row, *before.contents(row))
    for stretch in before.beyond(0):
        after.restore_beyond(0, stretch)
    assert not any(events(after, 2, 20, 21))
    assert [n for n in range(1, 22) if not after.admitted(0, n)] == [6, 7, 20, 21]


def _learned(kinds: list[Kind], size: int = 4) -> TenantState:
    opening: list[Kind] = [
        activation(TENANT), *(ItemUpserted(f"i{n}", b"x", {f"c{n}": 1.0}) for n in range(8)),
    ]  # fmt: skip
    log = [
        LogEntry(n, TENANT, T0_US + n, kind) for n, kind in enumerate([*opening, *kinds], start=1)
    ]
    return stepped(log, size, CONFIG)[TENANT]


def _event(user: bytes, item: int, second: int) -> Event:
    return Event(user, f"i{item}", "view", float("nan"), T0_US + second * 1_000_000, 1.0)


def _shared(state: TenantState) -> list[list[float]]:
    rules = state.rules
    return [
        # How many are encoded together shows in their last bits.
        state.space.vectors[:8].round(5).tolist(),
        state.popular.table[:8].tolist(), rules.cols[:8].tolist(), rules.vals[:8].tolist(),
    ]  # fmt: skip


def test_beyond_it_events_move_the_user_and_nobody_else() -> None:
    first: list[Kind] = [_event(b"spammer", n, n) for n in range(CAP)]
    more = [_event(b"spammer", n, n) for n in range(CAP, 8)]
    once, often = _learned(first), _learned([*first, *more])
    assert _shared(often) == _shared(once)
    held = often.users.histories(often.users.rows([b"spammer"])).items[0]
    assert held[:8].tolist() == [7, 6, 5, 4, 3, 2, 1, 0]
    # Another user, and the next day, count.
    other = _learned([*first, *more, _event(b"other", 7, 9)])
    assert other.counts[7] == 1
    tomorrow = _learned([*first, *more, _event(b"spammer", 7, 90_000)])
    assert tomorrow.counts[7] == 1


def test_taking_back_what_was_beyond_it_takes_nothing_from_what_is_shared() -> None:
    events: list[Kind] = [_event(b"spammer", n % 4, n) for n in range(CAP + 2)]
    beyond = events[-1]
    assert isinstance(beyond, Event)
    sequence = 1 + 8 + len(events)
    state = _learned(events)
    taken_back = _learned([*events, EventRetracted(beyond, sequence)])
    assert taken_back.counts[:8].tolist() == state.counts[:8].tolist()
    assert taken_back.levels[:8].tolist() == state.levels[:8].tolist()
    np.testing.assert_allclose(taken_back.rules.vals[:8], state.rules.vals[:8], atol=1e-5)
