"""Ids that are made: the same for the same history, whatever it lies in, for ever."""

from collections.abc import Sequence

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from services.dataset.history.event_batch import NO_TIME, EventBatch
from services.dataset.history.event_ids import EventIds

Said = tuple[str, str, str, int | None, float | None]
"""Subject with its kind, item, type, microseconds, value."""


def batch_of(rows: Sequence[Said], own: Sequence[str] | None = None) -> EventBatch:
    count = len(rows)
    return EventBatch(
        files=[""] * count,
        numbers=range(1, count + 1),
        lines=[0] * count,
        users=[row[0][2:] if row[0].startswith("u:") else "" for row in rows],
        sessions=[row[0][2:] if row[0].startswith("s:") else "" for row in rows],
        items=[row[1] for row in rows],
        types=[row[2] for row in rows],
        values=np.array([np.nan if row[4] is None else row[4] for row in rows], np.float64),
        times_us=np.array([NO_TIME if row[3] is None else row[3] for row in rows], np.int64),
        event_ids=own,
    )


NOW = 1_700_000_000_000_000
LATER = NOW + 1_500_000
FIRST = ("u:ann", "i1", "view", NOW, None)


def test_ids_stay_as_they_are() -> None:
    """A file that was imported once is known when it comes again, to a later release too.

    0x60a24181e4000 is NOW; the sixteen digits behind it are of the hash that was the whole id
    before ids began with the time.
    """
    rows: list[Said] = [
        FIRST, FIRST, FIRST,
        ("s:s1", "i1", "view", NOW, None),
        ("u:ann", "i2", "rating", LATER, 4.0),
        ("u:ann", "i2", "rating", LATER, 4.5),
        ("u:bü", "i2", "view", None, None),
    ]  # fmt: skip
    assert EventIds().of(batch_of(rows)) == [
        "80060a24181e4000a9fcd0242bbf850b",
        "80060a24181e40000a1e0272f1db8e01",
        "80060a24181e40006943065bcbcf267a",
        "80060a24181e40007f605cb8072443bd",
        "80060a24183523605283541f1a2e7075",
        "80060a2418352360885cdb1b53f7466a",
        "ef77d448494e028434c6812ee4f21c7b",
    ]


@given(times=st.lists(st.integers(-(10**17), 10**17), min_size=2, max_size=5))
def test_ids_ascend_with_time(times: list[int]) -> None:
    """Before 1970 too."""
    ids = EventIds().of(batch_of([("u:u", "i", "view", time, None) for time in times]))
    assert [one[:16] for one in sorted(ids)] == [
        one[:16] for _, one in sorted(zip(times, ids, strict=True))
    ]


said = st.tuples(
    st.sampled_from(["u:u", "s:u"]), st.sampled_from("ab"), st.just("view"), st.integers(0, 2),
    st.sampled_from([None, 1.0]),
)  # fmt: skip


@given(history=st.lists(said), cut=st.integers(0, 20))
def test_ids_depend_on_content_and_occurrence_only(history: list[Said], cut: int) -> None:
    """Truth 2 at the edge: a repeated import sends the same ids, and distinct events never share.

    The oracle numbers equal events with a list.
    """
    ordered = sorted(history, key=lambda row: row[3] or 0)
    made = EventIds().of(batch_of(ordered))
    assert len(set(made)) == len(history)
    names = {(one, ordered[: n + 1].count(one)): made[n] for n, one in enumerate(ordered)}
    # In another order of events of one time, and in batches that end elsewhere.
    turned = history[::-1]
    other = sorted(turned, key=lambda row: row[3] or 0)
    ids = EventIds()
    again = [*ids.of(batch_of(other[:cut])), *ids.of(batch_of(other[cut:]))]
    assert again == [names[(one, other[: n + 1].count(one))] for n, one in enumerate(other)]


def test_given_ids_are_kept_and_missing_ones_made() -> None:
    second = ("u:ann", "i2", "view", NOW, None)
    assert EventIds().of(batch_of([FIRST, second], ["x", "y"])) == ["x", "y"]
    made = EventIds().of(batch_of([FIRST, second], ["x", ""]))
    assert made == ["x", *EventIds().of(batch_of([second]))]


def test_an_id_that_names_several_lines_is_made_one_of_each() -> None:
    rows: list[Said] = [("u:ann", item, "buy", NOW, None) for item in ("a", "b", "b")]
    ids = EventIds(line_ids=True).of(batch_of(rows, ["order-1"] * 3))
    assert len(set(ids)) == 3
    assert ids == EventIds(line_ids=True).of(batch_of(rows, ["order-1"] * 3))
    # Another order of the same things is another one.
    assert not set(ids) & set(EventIds(line_ids=True).of(batch_of(rows, ["order-2"] * 3)))
    assert not set(ids) & set(EventIds().of(batch_of(rows)))


def test_memory_of_ids_is_bounded() -> None:
    """Of events without times; those in order of time need no more than one time's."""
    ids = EventIds(remembered=2)

    def one(item: str) -> str:
        (made,) = ids.of(batch_of([("u:u", item, "view", None, None)]))
        return made

    first = one("a")
    assert one("a") != first
    one("b")
    one("c")
    assert one("a") == first
