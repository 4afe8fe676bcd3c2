"""Rows as items: of each only what its row says."""

import json
from pathlib import Path

import pytest

from services.common.content_features import Content
from services.dataset.faults import FaultyRow
from services.dataset.fields.item_fields import (
    EXPORT_COLUMNS,
    ItemOptions,
    ItemReader,
    ItemRow,
    item_fields,
    read_items,
)
from tests.dataset.tables import notes_of, table_of, written


def read(
    path: Path, text: str | bytes, options: ItemOptions | None = None
) -> list[ItemRow | FaultyRow]:
    with table_of(written(path, text)) as table:
        return list(ItemReader(table, item_fields(table, options or ItemOptions())).rows())


def one(path: Path, text: str, options: ItemOptions | None = None) -> ItemRow:
    (row,) = read(path, text, options)
    assert isinstance(row, ItemRow)
    return row


def test_lists_numbers_truth_and_times(tmp_path: Path) -> None:
    row = one(
        tmp_path / "i.jsonl",
        json.dumps({"id": 7, "title": "T", "genres": "a|b", "tags": ["x"], "year": "1999",
                    "rank": "3", "stock": 0, "published_at": "2023-10-01",
                    "expire_time": 1696156200, "seller": " Bo "}),
    )  # fmt: skip
    assert row.content == Content("7", "T", "", ("a", "b"), ("x",), {"year": 1999.0})
    assert row.available is False
    assert row.publish_time_ns == 1_696_118_400 * 10**9
    assert row.expire_time_ns == 1_696_156_200 * 10**9
    assert row.owner == "Bo"
    assert set(row.given) == {
        "title", "categories", "tags", "available", "publish_time", "expire_time", "numbers.year",
        "owner",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "given"),
    [
        ("id\n7\n", ()),
        ("id,stock\n7,3\n", ("available",)),
        ("id,price,other\n7,,x\n", ("numbers.price",)),
        ("id,title,genres\n7,,\n", ("title", "categories")),
        # Once set, a time of release can be changed, not removed.
        ("id,publish_time,expire_time\n7,,\n", ("expire_time",)),
    ],
)
def test_only_the_columns_that_are_there_are_given(
    tmp_path: Path, text: str, given: tuple[str, ...]
) -> None:
    assert one(tmp_path / "i.csv", text).given == given


def test_in_json_each_line_says_what_it_gives(tmp_path: Path) -> None:
    rows = [{"id": 1, "title": "T"}, {"id": 2, "price": 5}, {"id": 3, "title": None}, {"id": 4}]
    found = read(tmp_path / "i.jsonl", "\n".join(map(json.dumps, rows)))
    assert [row.given for row in found if isinstance(row, ItemRow)] == [
        ("title",), ("numbers.price",), ("title",), (),
    ]  # fmt: skip


def test_faults_have_reason_column_and_value(tmp_path: Path) -> None:
    text = (
        "id,title,available,publish_time,rank\n"
        ",T,,,\n"
        f"{'x' * 129},T,,,\n"
        "1,T,maybe,,\n"
        "2,T,,soon,\n"
        "3,T,,,first\n"
        "short\n"
        "4,T,yes,,2\n"
    )
    found = read(tmp_path / "i.csv", text, ItemOptions(numbers=["rank"]))
    faults = [row for row in found if isinstance(row, FaultyRow)]
    assert [(one.number, one.line, one.fault.reason, one.fault.column) for one in faults] == [
        (1, 2, "MISSING_ITEM", "id"), (2, 3, "INVALID_ID", "id"),
        (3, 4, "INVALID_VALUE", "available"), (4, 5, "INVALID_TIME", "publish_time"),
        (5, 6, "INVALID_VALUE", "rank"), (6, 7, "WRONG_NUMBER_OF_CELLS", ""),
    ]  # fmt: skip
    assert [one.fault.value for one in faults[2:5]] == ["maybe", "soon", "first"]
    assert isinstance(found[-1], ItemRow)
    assert found[-1].content.numbers == {"rank": 2.0}


def test_numbers_that_nobody_asked_for_are_left_out_with_a_note(tmp_path: Path) -> None:
    path = tmp_path / "i.csv"
    with table_of(written(path, "id,year\n1,unknown\n2,1999\n")) as table:
        rows = list(ItemReader(table, item_fields(table, ItemOptions())).rows())
        assert any("'unknown' in row 1" in note for note in table.notes.texts)
    assert [row.content.numbers for row in rows if isinstance(row, ItemRow)] == [
        {}, {"year": 1999.0},
    ]  # fmt: skip
    assert not notes_of(path)


def test_bytes_that_are_no_utf_8_are_a_fault_where_they_are_used(tmp_path: Path) -> None:
    content = b"id,title,note\n1,caf\xe9,x\n2,T,caf\xe9\n\xe9,T,x\n"
    found = read(tmp_path / "i.csv", content)
    assert [row.fault.reason if isinstance(row, FaultyRow) else row.content.item_id
            for row in found] == ["INVALID_UTF8", "2", "INVALID_UTF8"]  # fmt: skip
    found = read(tmp_path / "i.csv", b"id,genres\n1,caf\xe9|b\n2,b\n")
    assert isinstance(found[0], FaultyRow)
    assert (found[0].fault.reason, found[0].fault.column) == ("INVALID_UTF8", "genres")


def test_half_surrogates_that_a_list_in_a_text_writes_are_a_fault(tmp_path: Path) -> None:
    (row,) = read(tmp_path / "i.csv", 'id;tags\n1;["\\ud83d"]\n')
    assert isinstance(row, FaultyRow)
    assert (row.fault.reason, row.fault.column) == ("INVALID_UTF8", "tags")


def test_an_export_is_taken_as_it_is(tmp_path: Path) -> None:
    text = (
        ",".join(EXPORT_COLUMNS)
        + "\n"
        + (
            '" a ", T ,,"[""x|y"", ""z""]",[],"{""price"": 9.5, ""n"": 1}",true,,'
            "2023-10-01T10:30:00.123456789Z, o \n"
        )
    )
    row = one(tmp_path / "i.csv", text)
    assert row.owner == " o "
    assert row.content == Content(" a ", " T ", "", ("x|y", "z"), (), {"price": 9.5, "n": 1.0})
    assert row.publish_time_ns == 1_696_156_200_123_456_789
    assert "numbers" in row.given


def test_an_export_without_owners_is_taken_as_it_is_too(tmp_path: Path) -> None:
    """As versions before owners wrote them: whom items belong to stays as it was."""
    columns = [name for name in EXPORT_COLUMNS if name != "owner"]
    row = one(tmp_path / "i.csv", ",".join(columns) + '\n" a ", T ,,[],[],{},true,,\n')
    assert row.content.item_id == " a "
    assert "numbers" in row.given
    assert "owner" not in row.given


def test_of_rows_of_one_item_the_last_counts_in_what_it_says(tmp_path: Path) -> None:
    path = written(
        tmp_path / "items.csv",
        "movieId,title,genres,year,price\n"
        "1,Toy Story (1995),Animation|Comedy,1995,\n"
        "2,Heat,Crime,unknown,3.5\n"
        ",Nameless,Crime,,\n"
        "1,Toy Story,Animation,1995,2\n"
        "torn\n",
    )
    with table_of(path) as table:
        items = read_items(table)
    assert items.contents == {
        "1": Content("1", "Toy Story", "", ("Animation",), (), {"year": 1995.0, "price": 2.0}),
        "2": Content("2", "Heat", "", ("Crime",), (), {"price": 3.5}),
    }
    assert items.rejected == {"MISSING_ITEM": 1, "WRONG_NUMBER_OF_CELLS": 1}
    lines = '{"id": 5, "genre": "Drama War", "keywords": ["a", "b"]}\n{"id": 5, "price": 2}\n'
    with table_of(written(tmp_path / "items.jsonl", lines)) as table:
        items = read_items(table, ItemOptions(separator=" "))
    assert items.contents == {"5": Content("5", "", "", ("Drama", "War"), ("a", "b"),
                                           {"price": 2.0})}  # fmt: skip


def test_a_year_alone_is_no_unix_time_of_an_item(tmp_path: Path) -> None:
    path = tmp_path / "i.jsonl"
    for cell, expected in (("1995", 788_918_400), (1995, 788_918_400), ("1995-03", 794_016_000)):
        row = one(path, json.dumps({"id": 1, "publish_time": cell}))
        assert row.publish_time_ns == expected * 10**9
