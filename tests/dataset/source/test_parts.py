"""Folders, patterns, Hive partitions and standard input."""

import gzip
import io
import os
import sys
import types
from pathlib import Path

import pytest

from services.dataset.faults import SourceError
from services.dataset.source.parts import fingerprint_of, parts_of
from tests.dataset.tables import places_of, rows_of, table_of, written


def a(text: str) -> str:
    return f"user,item\n{text}\n"


def users(*files: Path | str) -> list[object]:
    return [row["user"] for row in rows_of(*files)]


def test_a_folder_is_its_files_in_order_without_what_is_hidden(tmp_path: Path) -> None:
    for name, text in (("b.csv", "2,x"), ("a/z.csv", "1,x"), ("c.csv", "3,x")):
        written(tmp_path / name, a(text))
    for name in ("_SUCCESS", ".b.csv.crc", "_temporary/d.csv", ".git/e.csv"):
        written(tmp_path / name, b"\0\0\0")
    assert users(tmp_path) == ["1", "2", "3"]
    # Rows are numbered through, lines by file.
    assert places_of(tmp_path) == [(1, 2, ""), (2, 2, ""), (3, 2, "")]


def test_patterns_and_several_files(tmp_path: Path) -> None:
    for name in ("e1.csv", "e2.csv", "deep/e3.csv", "f.csv", "[odd].csv"):
        written(tmp_path / name, a(f"{name},x"))
    assert users(f"{tmp_path}/e?.csv") == ["e1.csv", "e2.csv"]
    assert users(f"{tmp_path}/**/e*.csv") == ["deep/e3.csv", "e1.csv", "e2.csv"]
    assert users(tmp_path / "f.csv", tmp_path / "e1.csv") == ["f.csv", "e1.csv"]
    # A name that is there is that file, whatever it looks like.
    assert users(tmp_path / "[odd].csv") == ["[odd].csv"]


def test_files_of_a_folder_may_differ_in_columns_and_format(tmp_path: Path) -> None:
    written(tmp_path / "a.csv", "user;item\nu;1\n")
    written(tmp_path / "b.jsonl", '{"item": 2, "more": "m"}\n')
    written(tmp_path / "c.tsv.gz", gzip.compress(b"ITEM\tuser\n3\tw\n"))
    with table_of(tmp_path) as table:
        assert list(table.columns) == ["user", "item", "more"]
    assert rows_of(tmp_path) == [
        {"user": "u", "item": "1"}, {"item": 2, "more": "m"}, {"item": "3", "user": "w"},
    ]  # fmt: skip


def test_hive_partitions_are_columns(tmp_path: Path) -> None:
    for folder, text in (
        ("day=2023-10-01/Country=de", "1,x"),
        ("day=2023-10-02/Country=a%2Fb%3Dc", "2,x"),
        ("day=__HIVE_DEFAULT_PARTITION__/Country=", "3,x"),
    ):
        written(tmp_path / folder / "part-0.csv", a(text))
    found = [(row["user"], row["day"], row["country"]) for row in rows_of(tmp_path)]
    assert found == [("1", "2023-10-01", "de"), ("2", "2023-10-02", "a/b=c"), ("3", None, "")]


def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    for name, says in (("none.csv", "there is no file"), ("x*.csv", "there is no file")):
        with pytest.raises(SourceError, match=says):
            rows_of(tmp_path / name)
    with pytest.raises(SourceError, match="no file in the folder"):
        rows_of(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(SourceError, match="standard input"):
        rows_of(tmp_path / "pipe")


def test_standard_input_can_be_read_again_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    for content in (a("1,x").encode(), gzip.compress(a("1,x").encode())):
        stdin = types.SimpleNamespace(buffer=io.BytesIO(content))
        monkeypatch.setattr(sys, "stdin", stdin)
        with table_of("-") as table:
            for _ in range(2):
                assert [block.row(0) for block in table.blocks()] == [{"user": "1", "item": "x"}]
            kept = table.fingerprint
        stdin.buffer.seek(0)
        with table_of("-") as table:
            assert table.fingerprint == kept


def test_a_fingerprint_is_that_of_the_content(tmp_path: Path) -> None:
    for name, text in (("a.csv", "1,2"), ("b.csv", "1,2"), ("c.csv", "1,3")):
        written(tmp_path / name, a(text))
    prints = []
    for name in ("a.csv", "b.csv", "c.csv"):
        with parts_of([str(tmp_path / name)]) as parts:
            prints.append(fingerprint_of(parts))
    assert prints[0] == prints[1] != prints[2]
