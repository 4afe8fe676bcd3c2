"""Recent items at a ranker stand by event time, as profile has them (truths 3 and 8)."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from services.common.ranking.recent import RECENT, RECENT_LENGTH
from services.profile.domain.behaviour import recent_of
from services.profile.domain.changes import UserEvent
from services.profile.domain.history_codec import records_of, tail_history
from services.ranker.domain.seen_items import SEEN
from services.ranker.domain.user_state import UserState

FIRST_US = 1_700_000_000_000_000


def told(sequence: int, time_us: int) -> UserEvent:
    return UserEvent(
        item_id=str(sequence), type="view", weight=0.5, value=float("nan"),
        time_us=FIRST_US + time_us, sequence=sequence,
    )  # fmt: skip


def rows(events: list[UserEvent]) -> np.ndarray:
    return np.array([(int(e.item_id), e.weight, e.time_us / 1e6) for e in events], RECENT)


def answered(events: list[UserEvent]) -> np.ndarray:
    """What profile answers after events, oldest first."""
    found = reversed(recent_of(tail_history(records_of(events, {"view": 0})), ["view"]))
    return rows(list(found))


times = st.one_of(
    st.lists(st.integers(0, 9), min_size=1, max_size=12),
    st.lists(st.integers(0, 1000), min_size=RECENT_LENGTH - 5, max_size=RECENT_LENGTH + 40),
)


@given(times, st.integers(0, 200), st.integers(1, 30))
def test_a_replica_that_asked_at_any_moment_ends_as_profile(
    times_us: list[int], asked_after: int, at_once: int
) -> None:
    events = [told(sequence, time_us) for sequence, time_us in enumerate(times_us, 1)]
    cut = asked_after % (len(events) + 1)
    state = UserState(1, answered(events[:cut]))
    for begin in range(cut, len(events), at_once):
        part = events[begin : min(len(events), begin + at_once)]
        state.add(rows(part), np.empty(0, SEEN), part[-1].sequence)
    # The oracle is a sorted list, and profile must say the same.
    newest = sorted(events, key=lambda one: (one.time_us, one.sequence))[-RECENT_LENGTH:]
    assert state.recent.tolist() == rows(newest).tolist()
    assert state.recent.tolist() == answered(events).tolist()
