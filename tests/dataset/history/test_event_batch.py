"""Rows as events: what is taken, and the fault, column and value of what is not."""

import json
import math
from pathlib import Path

import pytest

from services.dataset.fields.event_fields import EXPORT_COLUMNS, EventOptions
from services.dataset.history.event_batch import NO_TIME, EventBatch, joined
from tests.dataset.tables import batches_of, written

HEAD = "user,session,item,event,value,timestamp,event_id\n"


def read(
    path: Path, text: str | bytes, options: EventOptions | None = None, **how: object
) -> EventBatch:
    (batch,) = batches_of(written(path, text), options, **how)
    return batch


def test_rows_become_events(tmp_path: Path) -> None:
    batch = read(
        tmp_path / "e.csv",
        HEAD + " u , s ,i,view, 2.5 ,10,\n,s,i,view,,11,mine\nu,,j, buy ,nan,12.5,\n",
    )
    assert not batch.faults
    assert (list(batch.numbers), list(batch.lines)) == ([1, 2, 3], [2, 3, 4])
    assert list(batch.files) == ["e.csv"] * 3
    # Where a user is given, the session is of no interest.
    assert (list(batch.users), list(batch.sessions)) == (["u", "", "u"], ["", "s", ""])
    assert (list(batch.items), list(batch.types)) == (["i", "i", "j"], ["view", "view", "buy"])
    assert batch.values[0] == 2.5
    assert all(map(math.isnan, batch.values[1:]))
    assert batch.times_us.tolist() == [10_000_000, 11_000_000, 12_500_000]
    assert list(batch.event_ids or ()) == ["", "mine", ""]
    assert batch.slate_ids is None
    assert batch.contexts is None


FAULTS = {
    ",,i,view,,1,": ("MISSING_SUBJECT", "user", ""),
    "u,,,view,,1,": ("MISSING_ITEM", "item", ""),
    "u,,i, ,,1,": ("MISSING_TYPE", "event", " "),
    "u,,i,view,many,1,": ("INVALID_VALUE", "value", "many"),
    "u,,i,view,inf,1,": ("INVALID_VALUE", "value", "inf"),
    "u,,i,view,,yesterday,": ("INVALID_TIME", "timestamp", "yesterday"),
    "u,,i,view,,10/01/2023,": ("INVALID_TIME", "timestamp", "10/01/2023"),
    "u,,i,view,,,": ("MISSING_TIME", "timestamp", ""),
    f"{'u' * 129},,i,view,,1,": ("INVALID_ID", "user", "u" * 129),
    f"u,,{'é' * 65},view,,1,": ("INVALID_ID", "item", "é" * 65),
    "u,,a\x01b,view,,1,": ("INVALID_ID", "item", "a\x01b"),
    f",{'s' * 129},i,view,,1,": ("INVALID_ID", "session", "s" * 129),
    f"u,,i,view,,1,{'e' * 129}": ("INVALID_ID", "event_id", "e" * 129),
}


@pytest.mark.parametrize("row", FAULTS)
def test_a_fault_has_its_reason_column_and_value(tmp_path: Path, row: str) -> None:
    batch = read(tmp_path / "e.csv", f"{HEAD}u,,i,view,,1,\n{row}\nu,,i,view,,1,\n")
    assert list(batch.numbers) == [1, 3]
    (faulty,) = batch.faults
    fault = faulty.fault
    assert (fault.reason, fault.column, fault.value) == FAULTS[row]
    assert fault.detail
    assert (faulty.number, faulty.line, faulty.file) == (2, 3, "e.csv")
    assert list(faulty.cells.values()) == row.split(",")


def test_every_row_is_accounted_for(tmp_path: Path) -> None:
    text = HEAD + "\n".join([*FAULTS, "short", "u,,i,view,,1,"]) + "\n"
    batch = read(tmp_path / "e.csv", text)
    places = [*batch.numbers, *(faulty.number for faulty in batch.faults)]
    assert sorted(places) == list(range(1, len(FAULTS) + 3))
    assert [faulty.number for faulty in batch.faults] == list(range(1, len(FAULTS) + 2))


def test_bytes_that_are_no_utf_8_are_a_fault_where_they_are_used(tmp_path: Path) -> None:
    content = b"user,item,note,timestamp\na\xff,i,n,1\na,i,caf\xe9,2\na,\xe9,n,3\nb,i,n,4\n"
    batch = read(tmp_path / "e.csv", content)
    assert batch.times_us.tolist() == [2_000_000, 4_000_000]
    assert [(one.fault.reason, one.fault.column) for one in batch.faults] == [
        ("INVALID_UTF8", "user"), ("INVALID_UTF8", "item"),
    ]  # fmt: skip
    assert [one.fault.value for one in batch.faults] == ["a\\udcff", "\\udce9"]


def test_cells_of_json_of_the_wrong_kind(tmp_path: Path) -> None:
    good = {"user": 7, "item": 12.0, "type": "view", "timestamp": 1_700_000_000_123}
    rows = [
        good, {**good, "user": [1]}, {**good, "item": {"a": 1}}, {**good, "type": True},
        {**good, "value": "x"}, {**good, "timestamp": []}, {**good, "user": None},
        {**good, "user": "\ud83d"}, {"item": "i"},
    ]  # fmt: skip
    batch = read(tmp_path / "e.jsonl", "\n".join(map(json.dumps, rows)))
    assert (list(batch.users), list(batch.items)) == (["7"], ["12"])
    assert [(one.number, one.fault.reason, one.fault.column) for one in batch.faults] == [
        (2, "INVALID_VALUE", "user"), (3, "INVALID_VALUE", "item"), (4, "INVALID_VALUE", "type"),
        (5, "INVALID_VALUE", "value"), (6, "INVALID_VALUE", "timestamp"),
        (7, "MISSING_SUBJECT", "user"), (8, "INVALID_UTF8", "user"),
        (9, "MISSING_SUBJECT", "user"),
    ]  # fmt: skip
    assert batch.faults[0].fault.value == "[1]"


def test_half_surrogates_that_a_text_of_json_writes_are_a_fault(tmp_path: Path) -> None:
    text = 'user|props|event\nu|{"id": "\\ud83d"}|view\nu|{"id": "a"}|view\n'
    batch = read(tmp_path / "e.csv", text, EventOptions(item="props.id"))
    assert list(batch.items) == ["a"]
    assert [(one.fault.reason, one.fault.column) for one in batch.faults] == [
        ("INVALID_UTF8", "props.id")
    ]


def test_types_are_mapped_or_constant(tmp_path: Path) -> None:
    text = "user,item,event\nu,i,addtocart\nu,i,view\nu,i,\n"
    mapped = read(tmp_path / "e.csv", text, EventOptions(type_map={"addtocart": "cart"}))
    assert list(mapped.types) == ["cart", "view"]
    assert [one.fault.reason for one in mapped.faults] == ["MISSING_TYPE"]
    constant = read(tmp_path / "e.csv", text, EventOptions(constant_type="play"))
    assert list(constant.types) == ["play"] * 3


def test_a_table_without_times_has_none(tmp_path: Path) -> None:
    batch = read(tmp_path / "e.csv", "user,item\nu,i\n")
    assert batch.times_us.tolist() == [NO_TIME]
    assert batch.event_ids is None


def test_an_export_is_taken_as_it_is(tmp_path: Path) -> None:
    """Ids may begin and end with spaces; contexts are objects of texts."""
    rows = [
        'e1, u ,,i,view,,5,slate,"{""page"": ""home""}"', "e2,,s, i,view,1,6,,",
        'e3,u,,i,view,,7,,"{""n"": 1}"', "e4,u,,i,view,,8,,[]", f"e5,u,,i,view,,9,{'s' * 65},",
        "e6,u,,i,view,,9,,{no", 'e7,u,,i,view,,9,,"{""k"": ""\\ud83d""}"',
    ]  # fmt: skip
    batch = read(tmp_path / "e.csv", ",".join(EXPORT_COLUMNS) + "\n" + "\n".join(rows) + "\n")
    assert (list(batch.users), list(batch.sessions)) == ([" u ", ""], ["", "s"])
    assert list(batch.items) == ["i", " i"]
    assert list(batch.slate_ids or ()) == ["slate", ""]
    assert list(batch.contexts or ()) == [{"page": "home"}, {}]
    assert [(one.number, one.fault.reason, one.fault.column) for one in batch.faults] == [
        (3, "INVALID_VALUE", "context"), (4, "INVALID_VALUE", "context"),
        (5, "INVALID_ID", "slate_id"), (6, "INVALID_VALUE", "context"),
        (7, "INVALID_UTF8", "context"),
    ]  # fmt: skip


def test_batches_are_joined_in_order(tmp_path: Path) -> None:
    parts = [
        read(tmp_path / "a.csv", "user,item\nu,1\nu,\n"),
        read(tmp_path / "b.csv", "user,item,event_id\nv,2,mine\n"),
    ]
    whole = joined(parts)
    assert (list(whole.items), list(whole.event_ids or ())) == (["1", "2"], ["", "mine"])
    assert list(whole.files) == ["a.csv", "b.csv"]
    assert not whole.faults
    assert len(joined([])) == 0
