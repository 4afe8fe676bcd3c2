"""Delimited text: each line is accounted for, with its number, whatever it holds."""

from pathlib import Path

import pytest

from services.dataset.faults import ColumnError, SourceError
from services.dataset.table.options import Quoting, delimiter_of
from tests.dataset.tables import faults_of, notes_of, places_of, rows_of, table_of, written

ROWS = [{"user": "a", "item": "1"}, {"user": "b", "item": "2"}]
WRONG = "WRONG_NUMBER_OF_CELLS"


@pytest.mark.parametrize(
    "text",
    [
        "user,item\na,1\nb,2\n",
        "user,item\na,1\nb,2",
        "user,item\r\na,1\r\nb,2\r\n",
        "user,item\r\na,1\r\nb,2",
        "user,item\ra,1\rb,2\r",
        "user,item\ra,1\rb,2",
        "user,item\n\na,1\n  \n\t\nb,2\n\n\n",
        "\n\nuser,item\na,1\nb,2\n",
        "USER , Item\na,1\nb,2\n",
        "user\titem\na\t1\nb\t2\n",
        "user;item\na;1\nb;2\n",
        "user|item\na|1\nb|2\n",
        "user::item\na::1\nb::2\n",
        "user\x01item\na\x011\nb\x012\n",
        'user,item\n"a","1"\n"b",2\n',
        '"user","item"\na,1\nb,2\n',
        "\ufeffuser:token,item:token\na,1\nb,2\n",
    ],
)
def test_one_table_in_many_forms(tmp_path: Path, text: str) -> None:
    assert rows_of(written(tmp_path / "e.csv", text)) == ROWS


def test_cells_keep_what_they_hold(tmp_path: Path) -> None:
    text = 'user,item\n007, x \n0x1F,1e5\n"a ""b"", c",\n,"tab\there"\nNULL,ünï\n'
    assert [tuple(row.values()) for row in rows_of(written(tmp_path / "e.csv", text))] == [
        ("007", " x "), ("0x1F", "1e5"), ('a "b", c', ""), ("", "tab\there"), ("NULL", "ünï"),
    ]  # fmt: skip


def test_lines_of_another_width_are_rejected_one_by_one(tmp_path: Path) -> None:
    path = written(tmp_path / "e.csv", "user,item\na,1\nb\n\nc,3,x\nd,4\n")
    assert places_of(path) == [(1, 2, ""), (2, 3, WRONG), (3, 5, WRONG), (4, 6, "")]
    first, second = faults_of(path)
    assert first.fault.detail == "the row has 1 cells, the columns are 2"
    assert (second.fault.value, second.cells) == ("c,3,x", {"line": "c,3,x"})


def test_the_empty_end_of_each_line_is_no_row_of_its_own(tmp_path: Path) -> None:
    path = written(tmp_path / "e.csv", "user\na\n\n \nb\n")
    assert places_of(path) == [(1, 2, ""), (2, 5, "")]


WIDE = "user,item,title\n"


@pytest.mark.parametrize(
    ("lines", "cells", "note"),
    [
        # A mark that does not close: the line stands as it is, and so do all others.
        (['a,1,"open', "b,2,fine"], [["a", "1", '"open'], ["b", "2", "fine"]], True),
        (['"a,1,x', "b,2,y", "c,3,z"], [['"a', "1", "x"], ["b", "2", "y"], ["c", "3", "z"]], True),
        # Two marks that have nothing to do with each other.
        (['a,1,"one', 'b,2,two"', "c,3,z"], [["a", "1", '"one'], ["b", "2", 'two"'],
                                             ["c", "3", "z"]], True),
        # Marks inside a cell, as inches and nicknames have them.
        (['a,1,12" disc', 'b,2,"Dr" No'], [["a", "1", '12" disc'], ["b", "2", '"Dr" No']], True),
        (['a,1,say "hi"'], [["a", "1", 'say "hi"']], False),
        (['a,1,"'], [["a", "1", '"']], True),
        (['a,1,""'], [["a", "1", ""]], False),
        (['a,1,"x""y"'], [["a", "1", 'x"y']], False),
    ],
)  # fmt: skip
def test_stray_quotation_marks_lose_no_row(
    tmp_path: Path, lines: list[str], cells: list[list[str]], note: bool
) -> None:
    path = written(tmp_path / "e.csv", WIDE + "\n".join(lines) + "\n")
    assert [list(row.values()) for row in rows_of(path)] == cells
    assert not faults_of(path)
    assert [("taken as text" in one) for one in notes_of(path)] == [True] * note


def test_one_stray_mark_in_a_long_file_costs_nothing(tmp_path: Path) -> None:
    """Not even when another one comes far below."""
    lines = [f"u{n},i{n},t{n}" for n in range(5_000)]
    lines[3] = 'u3,i3,"t3'
    lines[4_000] = 'u4000,i4000,t"4000'
    path = written(tmp_path / "e.csv", WIDE + "\n".join(lines))
    found = rows_of(path)
    assert [row["user"] for row in found] == [f"u{n}" for n in range(5_000)]
    assert (found[3]["title"], found[4_000]["title"]) == ('"t3', 't"4000')
    assert [place[:2] for place in places_of(path)] == [(n + 1, n + 2) for n in range(5_000)]


def test_cells_in_quotes_may_hold_line_breaks(tmp_path: Path) -> None:
    text = WIDE + 'a,1,"one\ntwo, ""three""\n\nfour"\nb,2,"x\r\ny"\nc,3,z\n'
    path = written(tmp_path / "e.csv", text)
    titles = [row["title"] for row in rows_of(path)]
    assert titles[0] == 'one\ntwo, "three"\n\nfour'
    assert titles[2] == "z"
    assert str(titles[1]).splitlines() == ["x", "y"]
    assert places_of(path) == [(1, 2, ""), (2, 6, ""), (3, 8, "")]
    assert any("hold line breaks, first in line 2" in note for note in notes_of(path))


def test_quoting_as_the_caller_says(tmp_path: Path) -> None:
    path = written(tmp_path / "e.csv", WIDE + 'a,1,"open\nb,2,"x"\nc,3,12" disc\nd,4,"e" f\n')
    assert [row["title"] for row in rows_of(path, quoting=Quoting.NONE)] == [
        '"open', '"x"', '12" disc', '"e" f',
    ]  # fmt: skip
    places = places_of(path, quoting=Quoting.RFC4180)
    assert places == [
        (1, 2, "INVALID_QUOTE"), (2, 3, ""), (3, 4, ""), (4, 5, "INVALID_QUOTE"),
    ]  # fmt: skip
    strict = written(tmp_path / "s.csv", WIDE + 'a,1,"p,q\nb,2,r,s"\nc,3,"d\ne,f,g"\n')
    # What is sound by RFC 4180 is a cell, though each line might be a row.
    assert [row["title"] for row in rows_of(strict, quoting=Quoting.RFC4180)] == [
        "p,q\nb,2,r,s", "d\ne,f,g",
    ]  # fmt: skip
    with pytest.raises(SourceError, match="--quoting none"):
        rows_of(written(path, "a::b\n1::2\n"), quoting=Quoting.RFC4180)


def test_two_columns_of_one_name_are_refused_when_they_are_asked_for(tmp_path: Path) -> None:
    path = written(tmp_path / "e.csv", "user,Title,item,title\na,x,1,y\n")
    with table_of(path) as table:
        table.check_once("user")
        with pytest.raises(ColumnError, match="two columns are called 'title'"):
            table.check_once("title")
        assert next(table.blocks()).column("item") == ("1",)


def test_files_without_header(tmp_path: Path) -> None:
    path = written(tmp_path / "u.data", "196\t242\t3\t881250949\n186\t302\t3\t891717742\n")
    with table_of(path) as table:
        assert table.headless == ["196", "242", "3", "881250949"]
    names = ("user", "item", "value", "timestamp")
    with table_of(path, columns=names) as table:
        assert table.headless is None
    found = rows_of(path, columns=names)
    assert [row["user"] for row in found] == ["196", "186"]
    assert places_of(path, columns=names) == [(1, 1, ""), (2, 2, "")]
    # The delimiter is the one that makes as many cells as there are names.
    odd = written(tmp_path / "odd.dat", "1::A, B: C::x|y\n")
    assert rows_of(odd, columns=("item", "title", "tags")) == [
        {"item": "1", "title": "A, B: C", "tags": "x|y"}
    ]
    assert rows_of(written(tmp_path / "none.dat", ""), columns=names) == []


def test_delimiters_that_are_given(tmp_path: Path) -> None:
    path = written(tmp_path / "e.csv", "user~~item\na~~1\nb~~2\n")
    assert rows_of(path, delimiter="~~") == ROWS
    assert rows_of(written(path, "user item\na 1\nb 2\n"), delimiter=" ") == ROWS
    assert (delimiter_of("\\t"), delimiter_of("TAB"), delimiter_of("::")) == ("\t", "\t", "::")
    assert delimiter_of(None) is None
    for wrong in ("", "\n", '"', "a\r"):
        with pytest.raises(SourceError, match="cannot be a delimiter"):
            delimiter_of(wrong)


def test_words_that_mean_nothing(tmp_path: Path) -> None:
    path = written(tmp_path / "e.csv", "user,item\nNULL,1\n \\N ,2\nnull,3\n")
    assert [row["user"] for row in rows_of(path, nulls=frozenset({"NULL", "\\N"}))] == [
        None, None, "null",
    ]  # fmt: skip


def test_bytes_that_are_no_utf_8_stay_in_their_row(tmp_path: Path) -> None:
    path = written(tmp_path / "e.csv", b"user,item\na,1\nb\xff,2\nc,caf\xe9\n")
    assert [row["user"] for row in rows_of(path)] == ["a", "b\udcff", "c"]
    with table_of(path) as table:
        assert [block.suspect for block in table.blocks()] == [True]


def test_a_zero_byte_is_a_matter_of_its_row(tmp_path: Path) -> None:
    path = written(tmp_path / "e.csv", "user,item\na,1\nb\x00,2\nc,3\n")
    assert [row["user"] for row in rows_of(path)] == ["a", "b\x00", "c"]


def test_a_cell_in_quotes_may_be_long(tmp_path: Path) -> None:
    long = "x, y" * 100_000
    path = written(tmp_path / "e.csv", f'{WIDE}a,1,"{long}"\nb,2,z\n')
    assert [row["title"] for row in rows_of(path)] == [long, "z"]
