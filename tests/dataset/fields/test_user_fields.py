"""Rows as attributes of users: of one type in all rows, and nothing lost."""

import json
from pathlib import Path

import pytest

from services.dataset.faults import ColumnError, FaultyRow
from services.dataset.fields.user_fields import UserReader, UserRow, user_fields
from tests.dataset.tables import table_of, written


def read(
    path: Path, text: str | bytes, user: str | None = None, attributes: list[str] | None = None
) -> list[UserRow | FaultyRow]:
    with table_of(written(path, text)) as table:
        return list(UserReader(table, user_fields(table, user, attributes)).rows())


def said(rows: list[UserRow | FaultyRow]) -> dict[str, dict[str, object]]:
    return {row.user: dict(row.attributes) for row in rows if isinstance(row, UserRow)}


def test_attributes_lose_nothing(tmp_path: Path) -> None:
    text = "user,age,zip,job,plan,big\nu,24,02139,nan,,9007199254740993\nv,,10115,cook,x,1\n"
    found = read(tmp_path / "u.csv", text)
    assert said(found) == {
        "u": {"age": 24.0, "zip": "02139", "job": "nan", "plan": None, "big": "9007199254740993"},
        "v": {"age": None, "zip": "10115", "job": "cook", "plan": "x", "big": "1"},
    }
    only = read(tmp_path / "u.csv", text, "user", ["Zip"])
    assert said(only)["u"] == {"zip": "02139"}
    assert [row.given for row in only if isinstance(row, UserRow)] == [("zip",), ("zip",)]
    with pytest.raises(ColumnError, match="'nope'"):
        read(tmp_path / "u.csv", text, None, ["nope"])


def test_a_column_is_of_one_type_in_all_blocks(tmp_path: Path) -> None:
    """Also when what makes it text comes last, far below."""
    lines = [f"u{n},{n}" for n in range(200_000)]
    text = "user,code\n" + "\n".join(lines) + "\nlast,007\n"
    found = read(tmp_path / "u.csv", text)
    assert all(isinstance(row, UserRow) and isinstance(row.attributes["code"], str)
               for row in found)  # fmt: skip


def test_json_says_what_it_has(tmp_path: Path) -> None:
    rows = [
        {"user": 1, "vip": True, "tags": ["a"], "mixed": 1, "deep": {"a": None}},
        {"user": 2, "vip": None, "mixed": "x"},
        {"user": 3, "mixed": True},
        {"vip": True},
        {"user": [1]},
    ]
    found = read(tmp_path / "u.jsonl", "\n".join(map(json.dumps, rows)))
    assert said(found) == {
        "1": {"vip": True, "tags": ["a"], "mixed": "1", "deep": {"a": None}},
        "2": {"vip": None, "mixed": "x"},
        "3": {"mixed": "true"},
    }
    faults = [row for row in found if isinstance(row, FaultyRow)]
    assert [(one.number, one.fault.reason) for one in faults] == [
        (4, "MISSING_SUBJECT"), (5, "INVALID_VALUE"),
    ]  # fmt: skip


def test_faults_have_reason_column_and_value(tmp_path: Path) -> None:
    content = b"user,city\n,x\n" + b"u" * 129 + b",x\nu,caf\xe9\n\xe9,x\nshort\nv,y\n"
    found = read(tmp_path / "u.csv", content)
    faults = [row for row in found if isinstance(row, FaultyRow)]
    assert [(one.number, one.line, one.fault.reason, one.fault.column) for one in faults] == [
        (1, 2, "MISSING_SUBJECT", "user"), (2, 3, "INVALID_ID", "user"),
        (3, 4, "INVALID_UTF8", "city"), (4, 5, "INVALID_UTF8", "user"),
        (5, 6, "WRONG_NUMBER_OF_CELLS", ""),
    ]  # fmt: skip
    assert said(found) == {"v": {"city": "y"}}


def test_an_export_is_taken_as_it_is(tmp_path: Path) -> None:
    text = 'user,session,attributes\n u ,,"{""a"": [1, null]}"\n,s,{}\nv,,[]\n'
    found = read(tmp_path / "u.csv", text)
    first, second, third = found
    assert isinstance(first, UserRow)
    assert (first.user, dict(first.attributes), first.given) == (" u ", {"a": [1, None]}, None)
    assert isinstance(second, UserRow)
    assert (second.user, second.session) == ("", "s")
    assert isinstance(third, FaultyRow)
    assert (third.fault.reason, third.fault.column) == ("INVALID_VALUE", "attributes")
