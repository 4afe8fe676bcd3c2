"""Files as rows: the same rows from every format, and no damage is silent."""

import csv
import gzip
import io
import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.dataset.table_file import TableFile, TableFileError

texts = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=12).map(
    lambda text: text.strip() or "x"
)


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.fixed_dictionaries({"user": texts, "item": texts}), min_size=1, max_size=8))
def test_csv_and_json_lines_plain_and_gzipped_give_the_same_rows(
    tmp_path: Path, rows: list[dict[str, str]]
) -> None:
    text = io.StringIO()
    writer = csv.DictWriter(text, ["user", "item"])
    writer.writeheader()
    writer.writerows(rows)
    lines = "\n".join(json.dumps(row) for row in rows)
    contents = {"a.csv": text.getvalue().encode(), "a.jsonl": lines.encode()}
    for name, content in list(contents.items()):
        contents[f"{name}.gz"] = gzip.compress(content)
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
        table = TableFile(tmp_path / name, "," if ".csv" in name else None)
        found = list(table.rows())
        assert [row.cells for row in found] == rows, name
        assert [row.number for row in found] == list(range(1, len(rows) + 1))
        assert sorted(table.columns) == ["item", "user"]
        assert table.count_rows() == len(rows)


def test_typed_headers_tabs_blank_lines_and_a_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "ml.inter"
    path.write_bytes(b"\xef\xbb\xbfuser_id:token\titem_id:token\n1\t2\n\n3\t4\n")
    table = TableFile(path)
    assert table.columns == ["user_id", "item_id"]
    assert [dict(row.cells) for row in table.rows()] == [
        {"user_id": "1", "item_id": "2"},
        {"user_id": "3", "item_id": "4"},
    ]


def test_unreadable_rows_keep_their_place_and_say_why(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"user,item\n1,2\n1,2,3\n\xff,4\n5,6\n")
    found = list(TableFile(path).rows())
    reasons = [row.fault.reason if row.fault else None for row in found]
    assert reasons == [None, "WRONG_NUMBER_OF_CELLS", "INVALID_UTF8", None]
    path = tmp_path / "a.jsonl"
    path.write_text('{"user": 1, "item": 2}\n{"user": 1\n[1]\n{"user": 3, "item": 4}\n')
    found = list(TableFile(path).rows())
    reasons = [row.fault.reason if row.fault else None for row in found]
    assert reasons == [None, "INVALID_JSON", "INVALID_JSON", None]


def test_damaged_files_are_refused_with_their_name(tmp_path: Path) -> None:
    with pytest.raises(TableFileError, match="there is no file"):
        TableFile(tmp_path / "missing.csv")
    (tmp_path / "empty.csv").write_text("\n")
    with pytest.raises(TableFileError, match="name the columns"):
        TableFile(tmp_path / "empty.csv")
    whole = gzip.compress(b"user,item\n" + b"1,2\n" * 20_000)
    (tmp_path / "cut.csv.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(TableFileError, match=r"cut\.csv\.gz"):
        list(TableFile(tmp_path / "cut.csv.gz").rows())
    (tmp_path / "no.csv.gz").write_text("user,item\n")
    with pytest.raises(TableFileError, match=r"no\.csv\.gz"):
        TableFile(tmp_path / "no.csv.gz")


def test_the_fingerprint_is_that_of_the_content(tmp_path: Path) -> None:
    for name, content in (("a.csv", "u,i\n1,2\n"), ("b.csv", "u,i\n1,2\n"), ("c.csv", "u,i\n")):
        (tmp_path / name).write_text(content)
    prints = [TableFile(tmp_path / name).fingerprint() for name in ("a.csv", "b.csv", "c.csv")]
    assert prints[0] == prints[1] != prints[2]
