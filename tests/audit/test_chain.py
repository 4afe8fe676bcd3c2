"""What a chain of hashes shows, whatever is done to its rows."""

import hashlib
import json
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.common.audit.chain import ChainCheck, Fault, Head, Link, origin
from services.common.audit.refusal_rate import RefusalRate

SCHEMA = "feedback"


def made(entries: list[str], schema: str = SCHEMA) -> list[Link]:
    """Return rows, hashed as the page on the audit log says, without the code under test."""
    before, rows = hashlib.sha256(b"harken audit " + schema.encode()).digest(), []
    for number, entry in enumerate(entries, 1):
        at_us = 1_700_000_000_000_000 + number
        before = hashlib.sha256(
            before + struct.pack(">qq", number, at_us) + entry.encode()
        ).digest()
        rows.append(Link(number, at_us, entry, before))
    return rows


def first_fault(rows: list[Link], *known: Head) -> Fault | None:
    check = ChainCheck(SCHEMA, known)
    return next(check.faults(rows), None) or check.fault_at_end()


def head_of(rows: list[Link]) -> Head:
    return Head(rows[-1].sequence, rows[-1].hash) if rows else origin(SCHEMA)


entries = st.lists(st.text(alphabet=st.characters(codec="utf-8"), max_size=20), max_size=12)
some_entries = st.lists(st.sampled_from(["{}", '{"code":"OK"}', "é"]), min_size=1, max_size=12)


@given(entries)
def test_what_was_not_touched_is_right(texts: list[str]) -> None:
    rows = made(texts)
    assert first_fault(rows, head_of(rows), *(Head(row.sequence, row.hash) for row in rows)) is None


@given(some_entries, st.data())
def test_a_change_is_found_at_its_row(texts: list[str], data: st.DataObject) -> None:
    rows = made(texts)
    at = data.draw(st.integers(0, len(rows) - 1))
    old = rows[at]
    field = data.draw(st.sampled_from(["at_us", "entry", "hash"]))
    byte = data.draw(st.integers(0, 31))
    changed = {
        "at_us": Link(old.sequence, old.at_us + 1, old.entry, old.hash),
        "entry": Link(old.sequence, old.at_us, f"{old.entry} ", old.hash),
        "hash": Link(old.sequence, old.at_us, old.entry, bytes(
            one ^ (n == byte) for n, one in enumerate(old.hash))),
    }[field]  # fmt: skip
    found = first_fault([*rows[:at], changed, *rows[at + 1 :]])
    assert found is not None
    assert found.sequence == at + 1


@given(some_entries, st.data())
def test_a_row_taken_away_or_put_in_between_is_found(texts: list[str], data: st.DataObject) -> None:
    rows = made(texts)
    at = data.draw(st.integers(0, len(rows) - 1))
    without = [*rows[:at], *rows[at + 1 :]]
    found = first_fault(without, head_of(rows))
    assert found is not None
    assert found.sequence == at + 1
    if at + 1 < len(rows):
        assert first_fault(without) == found, "it shows without a head, too"
    twice = first_fault([*rows[: at + 1], *rows[at:]])
    assert twice is not None
    assert twice.sequence == at + 1
    one_more = Link(at + 1, rows[at].at_us, "{}x", rows[at].hash)
    moved = [Link(row.sequence + 1, row.at_us, row.entry, row.hash) for row in rows[at:]]
    found = first_fault([*rows[:at], one_more, *moved])
    assert found is not None
    assert found.sequence == at + 1


@given(some_entries, st.data())
def test_what_was_written_anew_shows_against_a_head_that_was_kept(
    texts: list[str], data: st.DataObject
) -> None:
    rows = made(texts)
    at = data.draw(st.integers(0, len(rows) - 1))
    anew = made([*texts[:at], "anew", *texts[at + 1 :]])
    assert first_fault(anew) is None, "its hashes are right"
    found = first_fault(anew, head_of(rows))
    assert found is not None
    assert found.sequence == len(rows)
    assert first_fault(anew, head_of(rows[:at])) is None, "a head before it says nothing of it"


def test_a_log_that_was_cut_or_emptied_shows_against_a_head() -> None:
    rows = made(["a", "b", "c"])
    assert first_fault(rows[:2]) is None
    for left in (2, 0):
        found = first_fault(rows[:left], head_of(rows))
        assert found is not None
        assert found.sequence == left + 1
        assert "cut" in found.what


def test_a_log_is_not_that_of_another_owner() -> None:
    assert first_fault(made(["a"], "profile")) is not None


def test_entries_cannot_be_moved_into_each_other() -> None:
    """The number and the time have a fixed length, so a row says one thing only."""
    (row,) = made([json.dumps({"code": "OK"})])
    shifted = Link(1, row.at_us, row.entry + "\x00", row.hash)
    assert first_fault([shifted]) is not None


def test_refusals_beyond_a_rate_are_counted_only() -> None:
    now = 0.0
    rate = RefusalRate(lambda: now)
    assert [rate.take() for _ in range(60)] == [0] * 60
    assert [rate.take() for _ in range(5)] == [None] * 5
    now = 0.5
    assert rate.take() == 5
    assert rate.take() is None
    now = 1000.0
    assert rate.take() == 1
    assert rate.take() == pytest.approx(0)
