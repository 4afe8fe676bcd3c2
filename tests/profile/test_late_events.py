"""Recent events stand by event time, whatever order they come in (truth 3)."""

import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from harken.profile.v1 import profile_pb2
from services.profile.domain.behaviour import MAX_RECENT
from services.profile.domain.frame_changes import UserEvent
from services.profile.recent_events import with_events, without


def event(sequence: int, second: int) -> UserEvent:
    return UserEvent(
        item_id=f"i{sequence}", type="view", weight=0.5, value=float("nan"),
        time_us=second * 1_000_000, sequence=sequence,
    )  # fmt: skip


def stored(events: list[UserEvent], cuts: list[int]) -> tuple[bytes, bytes]:
    """Return what is stored after events, applied in parts."""
    recent, sequences, latest = b"", b"", None
    edges = sorted({0, len(events), *(cut % (len(events) + 1) for cut in cuts)})
    for begin, end in itertools.pairwise(edges):
        part = events[begin:end]
        recent, sequences = with_events(recent, sequences, part, latest)
        latest = max([one.time_us for one in events[:end]])
    return recent, sequences


def items_of(recent: bytes) -> list[str]:
    return [one.item_id for one in profile_pb2.UserState.FromString(recent).recent]


def newest(events: list[UserEvent]) -> list[str]:
    """The oracle."""
    ordered = sorted(events, key=lambda one: (one.time_us, one.sequence), reverse=True)
    return [one.item_id for one in ordered[:MAX_RECENT]]


times = st.one_of(
    st.lists(st.integers(0, 9), max_size=12), st.lists(st.integers(0, 150), min_size=95)
)


@given(times, st.lists(st.integers(0, 200), max_size=4))
def test_any_order_and_any_parts_give_the_newest_by_time(
    seconds: list[int], cuts: list[int]
) -> None:
    events = [event(sequence, second) for sequence, second in enumerate(seconds, 1)]
    recent, sequences = stored(events, cuts)
    assert items_of(recent) == newest(events)
    assert [f"i{n}" for n in np.frombuffer(sequences, "<i8").tolist()] == newest(events)


@given(st.lists(st.integers(0, 9), min_size=1, max_size=12), st.data())
def test_a_late_event_can_be_taken_back(seconds: list[int], data: st.DataObject) -> None:
    events = [event(sequence, second) for sequence, second in enumerate(seconds, 1)]
    recent, sequences = stored(events, [1, 2, 3])
    gone = data.draw(st.sampled_from(events))
    recent, _ = without(recent, sequences, [gone])
    assert items_of(recent) == newest([one for one in events if one is not gone])


def test_events_from_before_sequences_were_stored_keep_their_place() -> None:
    old = [event(1, 10), event(2, 20), event(3, 30)]
    recent, _ = stored(old, [])
    # An earlier release stored no sequences for them.
    recent, sequences = with_events(recent, b"", [event(9, 25)], 30_000_000)
    assert items_of(recent) == ["i3", "i9", "i2", "i1"]
    recent, sequences = without(recent, sequences, [old[1]])
    assert items_of(recent) == ["i3", "i9", "i1"]
    recent, _ = without(recent, sequences, [event(9, 25)])
    assert items_of(recent) == ["i3", "i1"]
