"""Entries on the wire: an event that comes alone is a row, and says what columns of one say."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harken.internal.feed.v1 import entries_pb2 as pb
from services.feed.entries import Entries, EventColumns, EventRow, ShownSlate, TenantEntries
from services.feed.entries_codec import RefusedEntriesError, decode, encode

AFTER, ACCEPTED_US = 40, 1_700_000_000_000_000
KINDS = ("<i8", "<i8", "<i8", "<f8", "<i8", "<i8", "<f4", "<i8")


def rows(**changed: st.SearchStrategy[float]) -> st.SearchStrategy[EventRow]:
    found: dict[str, st.SearchStrategy[float]] = {
        "user": st.just(0),
        "item": st.just(0),
        "type": st.just(0),
        "value": st.just(math.nan) | st.floats(allow_infinity=False),
        "time_us": st.integers(-(10**15), 10**16),
        "sequence": st.integers(AFTER + 1, AFTER + 3),
        "weight": st.floats(allow_nan=False, allow_infinity=False, width=32),
        "accepted_us": st.integers(1, 10**16),
        **changed,
    }
    return st.builds(EventRow, **found)


def columns(*events: EventRow) -> EventColumns:
    return EventColumns(
        *(np.array(c, k) for c, k in zip(zip(*events, strict=True), KINDS, strict=True))
    )


def stretch(events: EventColumns, through: int = AFTER + 3) -> Entries:
    own = TenantEntries("t", ["item"], [b"u:1"], ["view"], events)
    return Entries(2, AFTER, through, ACCEPTED_US, [own])


@given(rows())
def test_a_row_and_columns_of_one_are_the_same_bytes_and_come_back(row: EventRow) -> None:
    wire = encode(stretch(EventColumns.of_one(row))).SerializeToString()
    assert wire == encode(stretch(columns(row))).SerializeToString()
    (own,) = decode(pb.Entries.FromString(wire)).tenants
    assert own.events.alone is not None
    # NaN is not itself, its text is.
    assert str(own.events.alone) == str(row)
    assert list(map(str, own.events.rows())) == list(map(str, columns(row).rows())) == [str(row)]
    assert own.events.acceptances() == ((row.accepted_us,), (row.sequence,))
    assert len(own.events) == 1
    for name, value, kind in zip(EventRow._fields, row, KINDS, strict=True):
        plural = {"type": "types", "time_us": "times_us", "accepted_us": "accepted_us"}
        made = getattr(own.events, plural.get(name, f"{name}s"))
        assert made.dtype == np.dtype(kind)
        np.testing.assert_array_equal(made, np.array([value], kind))


@given(st.lists(rows(), min_size=2, max_size=5))
def test_several_come_back_as_columns(events: list[EventRow]) -> None:
    numbered = [row._replace(sequence=AFTER + 1 + place) for place, row in enumerate(events)]
    sent = stretch(columns(*numbered), AFTER + 9)
    (own,) = decode(pb.Entries.FromString(encode(sent).SerializeToString())).tenants
    assert own.events.alone is None
    assert list(map(str, own.events.rows())) == list(map(str, numbered))


def refused(message: pb.Entries) -> bool:
    try:
        decode(message)
    except RefusedEntriesError:
        return True
    return False


RIGHT = EventRow(0, 0, 0, 1.0, ACCEPTED_US, AFTER + 1, 1.0, ACCEPTED_US)
WRONG: dict[str, list[Any]] = {
    "user": [1, 2**32 - 1],
    "item": [1],
    "type": [1],
    "value": [math.inf, -math.inf],
    "time_us": [-(10**17), 10**18, 2**62 + 2 * ACCEPTED_US],
    "sequence": [AFTER, AFTER + 4, 0],
    "weight": [math.nan, -math.inf],
    "accepted_us": [2**62 + 2 * ACCEPTED_US, -(2**62)],
}


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, wrong in WRONG.items() for value in wrong]
)
def test_what_is_wrong_with_a_row_is_wrong_with_columns(name: str, value: Any) -> None:
    """Truth 7. Columns of two: a right event, and the wrong one later."""
    wrong = RIGHT._replace(**{name: value})
    later = RIGHT._replace(sequence=AFTER + 2)._replace(**{name: value})
    for told in ([RIGHT], [RIGHT, RIGHT._replace(sequence=AFTER + 2)]):
        assert not refused(encode(stretch(columns(*told))))
    assert refused(encode(stretch(columns(wrong))))
    assert refused(encode(stretch(columns(RIGHT, later))))


@pytest.mark.parametrize(
    "damage",
    [
        "items", "types", "time_offsets_us", "sequence_offsets", "accepted_offsets_us", "weights",
        "values",
    ],
)  # fmt: skip
def test_a_column_of_another_length_is_refused(damage: str) -> None:
    for change in ("longer", "shorter"):
        message = encode(stretch(EventColumns.of_one(RIGHT)))
        assert not refused(message)
        wire = message.tenants[0].events
        column = getattr(wire, damage)
        if isinstance(column, bytes):
            setattr(wire, damage, column + column[:4] if change == "longer" else column[1:])
        elif change == "longer":
            column.append(0)
        else:
            del column[:]
        assert refused(message)


def test_an_event_taken_back_is_an_earlier_one() -> None:
    for sequence, wrong in ((AFTER, False), (AFTER + 1, True)):
        message = encode(stretch(EventColumns.of_one(EventRow(0, 0, 0, 1.0, 5, sequence, 1.0, 5))))
        own = message.tenants[0]
        own.retracted.CopyFrom(own.events)
        own.ClearField("events")
        assert refused(message) == wrong


@pytest.mark.parametrize(
    ("changed", "wrong"),
    [
        ({}, False), ({"items": []}, False), ({"items": [1]}, True), ({"items": [0, 0]}, True),
        ({"user_key": b""}, True), ({"slate_id": ""}, True), ({"slate_id": "a\0"}, True),
    ],
)  # fmt: skip
def test_slates_that_were_shown_name_items_that_are_there(
    changed: dict[str, Any], wrong: bool
) -> None:
    """Truth 7."""
    own = TenantEntries("t", ["item"], shown=[ShownSlate("s", b"u:1", "home", [0])])
    message = encode(Entries(2, AFTER, AFTER + 1, ACCEPTED_US, [own]))
    (back,) = decode(pb.Entries.FromString(message.SerializeToString())).tenants
    assert back.shown == own.shown
    for name, value in changed.items():
        if name == "items":
            message.tenants[0].shown[0].items[:] = value
        else:
            setattr(message.tenants[0].shown[0], name, value)
    assert refused(message) == wrong


def test_only_columns_are_made_when_asked_for() -> None:
    events = EventColumns.of_one(EventRow(0, 0, 0, 1.0, 5, 1, 1.0, 5))
    with pytest.raises(AttributeError):
        events.nothing  # type: ignore[attr-defined]  # noqa: B018
    kept = events.picked(np.array([False]))
    assert (len(kept), len(events.picked(np.array([True])))) == (0, 1)
