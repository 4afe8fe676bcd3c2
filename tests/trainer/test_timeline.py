"""Histories, tie groups and ranks against a plain walk through the events."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from services.trainer.fold_in_model import FoldIn, FoldInOptions
from services.trainer.ranking import quality_of, ranks_of
from services.trainer.sequences import examples_of
from services.trainer.timeline import NO_ITEM, Timeline
from tests.trainer.made import tasteful

EVENTS = st.lists(
    st.tuples(
        st.integers(0, 2), st.integers(0, 4), st.integers(0, 1), st.sampled_from([1.0, -1.0])
    ),
    min_size=1,
    max_size=30,
)


def timeline_of(rows: list[tuple[int, int, int, float]]) -> tuple[Timeline, list]:
    """`rows`: user, item, seconds since the event before, weight."""
    seconds = np.cumsum([row[2] for row in rows])
    users, items, _, weights = zip(*rows, strict=True)
    events = list(zip(users, items, seconds.tolist(), weights, strict=True))
    made = Timeline(np.array(users), np.array(items), seconds * 1_000_000, np.array(weights), 5)
    return made, events


@given(rows=EVENTS, length=st.integers(1, 6))
def test_a_group_sees_what_was_before_its_second(
    rows: list[tuple[int, int, int, float]], length: int
) -> None:
    """Ties must not leak: nothing of the same user and second is in a group's history."""
    timeline, events = timeline_of(rows)
    groups = timeline.groups()
    found = timeline.histories(groups.first, length)
    for number, first in enumerate(groups.first.tolist()):
        user, second = int(timeline.users[first]), int(timeline.times_s[first])
        # The last `length` events, each item at its latest place.
        before = [e for e in events if e[0] == user and e[2] < second and e[3] > 0][::-1][:length]
        wanted = list(dict.fromkeys(item for _, item, _, _ in before))
        own = found.items[number]
        assert own[own != NO_ITEM].tolist() == wanted
        assert (own[len(wanted) :] == NO_ITEM).all()
        members = timeline.items[first : groups.last[number]].tolist()
        assert members == [e[1] for e in events if e[0] == user and e[2] == second and e[3] > 0]


@given(rows=EVENTS)
def test_examples_predict_the_next_second_from_the_last_event_of_one(
    rows: list[tuple[int, int, int, float]],
) -> None:
    timeline, _ = timeline_of(rows)
    found = examples_of(timeline, len(rows), length=4)
    predicted = []
    for place, first, last in zip(
        found.places.ravel(), found.first.ravel(), found.last.ravel(), strict=True
    ):
        if first == last:
            continue
        assert place >= 0
        assert timeline.users[place] == timeline.users[first]
        assert timeline.times_s[place] < timeline.times_s[first]
        assert place + 1 == first, "something happened in between"
        assert len(set(timeline.times_s[first:last].tolist())) == 1
        predicted.append((int(first), int(last)))
    groups = timeline.groups()
    wanted = [
        (a, b)
        for a, b in zip(groups.first.tolist(), groups.last.tolist(), strict=True)
        if a > 0 and timeline.users[a - 1] == timeline.users[a]
    ]
    assert sorted(predicted) == sorted(wanted), "each group with a history once"


def test_ranks_are_among_unseen_items_with_ties_at_their_mean() -> None:
    # One user: item 0 first, then 1 and 2 in one second. All scores are equal.
    timeline, _ = timeline_of([(0, 0, 0, 1.0), (0, 1, 1, 1.0), (0, 2, 0, 1.0)])
    groups = timeline.groups(begin=1)
    flat = np.ones((5, 2), np.float32)
    ranks = ranks_of(timeline, groups, 3, lambda h: np.ones((len(h.items), 2), np.float32), flat)
    assert ranks.tolist() == [2.5, 2.5], "four items are unseen: their mean rank"
    assert quality_of(ranks).hit_rate == 1.0


def test_an_item_seen_before_is_not_scored() -> None:
    timeline, _ = timeline_of([(0, 0, 0, 1.0), (0, 0, 1, 1.0), (0, 3, 0, 1.0)])
    eye = np.eye(5, dtype=np.float32)
    ranks = ranks_of(timeline, timeline.groups(begin=1), 3, lambda h: eye[h.items[:, 0]], eye)
    assert len(ranks) == 1


def test_fold_in_finds_tastes() -> None:
    data = tasteful()
    timeline = data.timeline()
    kinds = np.eye(4, dtype=np.float32)[np.arange(40) % 4]
    groups = timeline.groups(data.validation_start)
    options = FoldInOptions()
    told = ranks_of(timeline, groups, options.length, FoldIn(kinds, options), kinds)
    blind = ranks_of(timeline, groups, 5, lambda h: np.zeros((len(h.items), 4), np.float32), kinds)
    assert told.mean() < 0.7 * blind.mean()
