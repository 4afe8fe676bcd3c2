"""Rows as events, items and users: columns, times, ids, and faults with reasons."""

import math
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.cli.imports.event_ids import EventIds
from services.cli.imports.event_rows import event_rows
from services.cli.imports.item_rows import item_of
from services.cli.imports.user_rows import profile_of, user_columns
from services.dataset.cells import list_of, microseconds_of, number_of, text_of
from services.dataset.columns import ColumnError
from services.dataset.event_columns import EventOptions, event_columns
from services.dataset.item_columns import ItemOptions, item_columns
from services.dataset.row_fault import RowFaultError
from services.dataset.table_file import Row


def rows_of(*cells: Mapping[str, object]) -> list[Row]:
    return [Row(number, one) for number, one in enumerate(cells, 1)]


@given(
    st.datetimes(datetime(1970, 6, 1), datetime(2200, 1, 1)),
    st.integers(-14, 14),
)
def test_a_moment_is_the_same_in_all_its_forms(naive: datetime, hours: int) -> None:
    moment = naive.replace(tzinfo=UTC)
    micros = round((moment - datetime(1970, 1, 1, tzinfo=UTC)) / timedelta(microseconds=1))
    assert microseconds_of(naive.isoformat()) == micros
    assert microseconds_of(moment.isoformat()) == micros
    zone = timezone(timedelta(hours=hours))
    assert microseconds_of(moment.astimezone(zone).isoformat()) == micros
    seconds = micros // 10**6
    assert microseconds_of(str(seconds)) == seconds * 10**6
    assert microseconds_of(seconds) == seconds * 10**6
    assert microseconds_of(f"{seconds}.0") == seconds * 10**6
    if micros >= 1e14:
        assert microseconds_of(str(micros)) == micros
        assert microseconds_of(str(micros // 1000)) == micros // 1000 * 1000


def test_zulu_times_and_empty_ones() -> None:
    assert microseconds_of("1998-04-22T23:10:38Z") == 893286638 * 10**6
    assert microseconds_of("") is None
    assert microseconds_of(None) is None
    for wrong in ("yesterday", "nan", "inf", "1e30", True, [1]):
        with pytest.raises(RowFaultError):
            microseconds_of(wrong)


def test_cells_of_other_kinds() -> None:
    assert text_of(12.0) == "12"
    assert text_of(1.5) == "1.5"
    assert number_of(" 3.5 ", "v") == 3.5
    assert number_of("", "v") is None
    assert math.isnan(number_of("nan", "v") or 0)
    with pytest.raises(RowFaultError, match="v 'many' is no number"):
        number_of("many", "v")
    assert list_of("a| b ||c", "|") == ["a", "b", "c"]
    assert list_of("a  b\tc", " ") == ["a", "b", "c"]
    assert list_of(["a", 2], "|") == ["a", "2"]


def test_columns_are_found_by_their_common_names_or_as_given() -> None:
    movielens = event_columns(["userid", "movieid", "rating", "timestamp"],
                              EventOptions(constant_type="rating"))  # fmt: skip
    assert (movielens.user, movielens.item, movielens.value) == ("userid", "movieid", "rating")
    given_columns = event_columns(["who", "item", "what"], EventOptions(user="WHO", type="what"))
    assert (given_columns.user, given_columns.type) == ("who", "what")
    with pytest.raises(ColumnError, match="--user-column"):
        event_columns(["who", "item", "event"], EventOptions())
    with pytest.raises(ColumnError, match="--type view"):
        event_columns(["user", "item"], EventOptions())
    with pytest.raises(ColumnError, match="'nope'"):
        event_columns(["user", "item", "event"], EventOptions(value="nope"))


def test_rows_become_events_and_faults_have_reasons() -> None:
    columns = event_columns(
        ["user", "session", "item", "event", "value", "timestamp", "event_id"], EventOptions()
    )
    good = {"user": "u", "item": "i", "event": "view", "value": "2.5", "timestamp": "10"}
    found = list(
        event_rows(
            rows_of(
                good,
                {**good, "user": "", "session": "s", "event_id": "mine"},
                {**good, "user": ""},
                {**good, "item": ""},
                {**good, "event": ""},
                {**good, "value": "many"},
                {**good, "timestamp": "yesterday"},
            ),
            columns,
        )
    )
    first, second = found[0].event, found[1].event
    assert first is not None
    assert second is not None
    assert (first.subject.user_id, first.item_id, first.type, first.value) == (
        "u",
        "i",
        "view",
        2.5,
    )
    assert first.event_time.seconds == 10
    assert (second.subject.session_id, second.event_id) == ("s", "mine")
    assert [row.fault.reason for row in found if row.fault] == [
        "MISSING_SUBJECT", "MISSING_ITEM", "MISSING_TYPE", "INVALID_VALUE", "INVALID_TIME",
    ]  # fmt: skip
    assert all((row.event is None) == (row.fault is not None) for row in found)


said = st.tuples(
    st.sampled_from("uv"), st.sampled_from("ab"), st.integers(0, 2), st.sampled_from([None, 1.0])
)


@given(st.lists(said))
def test_ids_depend_on_content_and_occurrence_only(history: list[tuple]) -> None:
    """Truth 2 at the edge: a repeated import sends the same ids, and distinct events never share.

    The oracle numbers equal events with a list.
    """

    def ids(ordered: list[tuple]) -> list[str]:
        maker = EventIds()
        return [maker.next_id(u, i, "view", t, v) for u, i, t, v in ordered]

    made = ids(history)
    named = [(one, history[: n + 1].count(one)) for n, one in enumerate(history)]
    assert len(set(made)) == len(history)
    by_name = dict(zip(named, made, strict=True))
    shuffled = sorted(history, key=repr)
    for n, one in enumerate(shuffled):
        assert ids(shuffled)[n] == by_name[(one, shuffled[: n + 1].count(one))]


def test_memory_of_ids_is_bounded() -> None:
    maker = EventIds(remembered=2)
    first = maker.next_id("u", "a", "view", 1, None)
    assert maker.next_id("u", "a", "view", 1, None) != first
    for item in "bc":
        maker.next_id("u", item, "view", 1, None)
    assert maker.next_id("u", "a", "view", 1, None) == first


def test_items_with_lists_numbers_and_truth() -> None:
    names = ["id", "title", "genres", "tags", "year", "rank", "available"]
    cells = {"id": 7, "title": "T", "genres": "a|b", "tags": ["x"], "year": "1999", "rank": "3",
             "available": "no"}  # fmt: skip
    item = item_of(Row(1, cells), item_columns(names, ItemOptions()))
    assert (item.item_id, item.title) == ("7", "T")
    assert (list(item.categories), list(item.tags)) == (["a", "b"], ["x"])
    assert dict(item.numbers) == {"year": 1999.0}
    assert item.HasField("available")
    assert not item.available
    odd = {**cells, "year": "unknown", "available": ""}
    item = item_of(Row(1, odd), item_columns(names, ItemOptions()))
    assert not item.numbers
    assert not item.HasField("available")
    strict = item_columns(names, ItemOptions(numbers=["year", "rank"]))
    with pytest.raises(RowFaultError, match="year"):
        item_of(Row(1, odd), strict)
    with pytest.raises(RowFaultError, match="neither true nor false"):
        item_of(Row(1, {**cells, "available": "maybe"}), strict)


def test_attributes_of_users_lose_nothing() -> None:
    columns = user_columns(["user", "age", "zip", "job", "plan"], None, None)
    cells = {"user": "u", "age": "24", "zip": "02139", "job": "nan", "plan": ""}
    assert dict(profile_of(Row(1, cells), columns).attributes) == {
        "age": 24.0, "zip": "02139", "job": "nan",
    }  # fmt: skip
    only = user_columns(["user", "age", "zip"], "user", ["Zip"])
    assert list(only.attributes) == ["zip"]
    big = profile_of(Row(1, {"user": "u", "zip": "9007199254740993"}), only)
    assert dict(big.attributes) == {"zip": "9007199254740993"}
    with pytest.raises(ColumnError, match="'nope'"):
        user_columns(["user"], None, ["nope"])
