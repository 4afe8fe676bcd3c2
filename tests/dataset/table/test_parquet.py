"""Parquet: every logical type, row groups, and the same events as of all other formats."""

import csv
import datetime
import json
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from services.dataset.faults import SourceError
from services.dataset.values.cells import Moment
from tests.cli.harken_process import ROOT
from tests.dataset.tables import batches_of, places_of, rows_of, table_of

arrow = pytest.importorskip("pyarrow", reason="pyarrow (extra `eval`) is not installed")
parquet = pytest.importorskip("pyarrow.parquet")

MORNING = datetime.datetime(2023, 10, 1, 10, 30)
MICROS = 1_696_156_200_000_000


def write(path: Path, columns: dict[str, Any], group: int = 1000, **options: Any) -> Path:
    parquet.write_table(arrow.table(columns), path, row_group_size=group, **options)
    return path


def typed(values: list[Any], kind: Any) -> Any:
    return arrow.array(values, kind)


LOGICAL = {
    "string": (typed(["a"], arrow.string()), "a"),
    "large_string": (typed(["a"], arrow.large_string()), "a"),
    "binary": (typed([b"a"], arrow.binary()), "a"),
    "fixed": (typed([b"ab"], arrow.binary(2)), "ab"),
    "dictionary": (arrow.array(["a"]).dictionary_encode(), "a"),
    "int8": (typed([7], arrow.int8()), 7),
    "uint64": (typed([2**64 - 1], arrow.uint64()), 2**64 - 1),
    "float32": (typed([0.5], arrow.float32()), 0.5),
    "double": (typed([0.1], arrow.float64()), 0.1),
    "nan": (typed([float("nan")], arrow.float64()), None),
    "null": (typed([None], arrow.null()), None),
    "bool": (typed([True], arrow.bool_()), True),
    "decimal": (typed([Decimal("12.50")], arrow.decimal128(10, 2)), 12.5),
    "decimal id": (typed([Decimal(10**30)], arrow.decimal128(38, 0)), 10**30),
    "date": (typed([MORNING.date()], arrow.date32()), "2023-10-01"),
    "date64": (typed([MORNING.date()], arrow.date64()), "2023-10-01"),
    "time": (typed([MORNING.time()], arrow.time64("us")), "10:30:00"),
    "time of day": (typed([MORNING.time()], arrow.time32("ms")), "10:30:00"),
    "ms": (typed([MORNING], arrow.timestamp("ms")), Moment(MICROS, aware=False)),
    "us": (typed([MORNING], arrow.timestamp("us", "UTC")), Moment(MICROS, aware=True)),
    "ns": (
        typed([MICROS * 1000 + 999], arrow.timestamp("ns", "UTC")), Moment(MICROS, aware=True),
    ),
    "zone": (typed([MICROS], arrow.timestamp("us", "Asia/Tokyo")), Moment(MICROS, aware=True)),
    "year 30000": (typed([10**18], arrow.timestamp("us")), Moment(10**18, aware=False)),
    "list": (typed([["a", None]], arrow.list_(arrow.string())), ["a", None]),
    "list of times": (
        typed([[MORNING]], arrow.list_(arrow.timestamp("ms"))), [Moment(MICROS, aware=False)],
    ),
    "struct": (typed([{"a": {"b": 1}}], arrow.struct(
        [("a", arrow.struct([("b", arrow.int64())]))])), {"a": {"b": 1}}),
    "map": (typed([[("k", 1)]], arrow.map_(arrow.string(), arrow.int64())), [["k", 1]]),
}  # fmt: skip


@pytest.mark.parametrize("name", LOGICAL)
def test_cells_of_every_logical_type(tmp_path: Path, name: str) -> None:
    column, wanted = LOGICAL[name]
    (row,) = rows_of(write(tmp_path / "e.parquet", {"Cell": column}))
    assert row == {"cell": wanted}


@pytest.mark.parametrize("kind", ["duration", "half float", "int96"])
def test_types_that_few_have(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "e.parquet"
    if kind == "int96":
        write(path, {"t": typed([MORNING], arrow.timestamp("ns"))},
              use_deprecated_int96_timestamps=True)  # fmt: skip
        assert rows_of(path) == [{"t": Moment(MICROS, aware=False)}]
    elif kind == "duration":
        write(path, {"t": typed([datetime.timedelta(seconds=1)], arrow.duration("us"))})
        assert rows_of(path) == [{"t": "0:00:01"}]
    else:
        write(path, {"t": typed([0.5], arrow.float16())})
        assert rows_of(path) == [{"t": 0.5}]


def test_paths_go_into_structs_and_lists_make_rows(tmp_path: Path) -> None:
    kind = arrow.list_(arrow.struct([("id", arrow.int64())]))
    path = write(tmp_path / "e.parquet", {
        "session": ["s", "t"], "events": typed([[{"id": 1}, {"id": 2}], [{"id": 3}]], kind),
    })  # fmt: skip
    with table_of(path, lists="events") as table:
        (block,) = table.blocks()
        assert list(block.column("session")) == ["s", "s", "t"]
        assert list(block.column("events.id")) == [1, 2, 3]


def test_a_table_is_the_same_in_all_formats(tmp_path: Path) -> None:
    rows = [
        {"user": f"u{n % 5}", "item": f"i{n}", "type": "view", "value": n / 4,
         "timestamp": 1_700_000_000 + n}
        for n in range(300)
    ]  # fmt: skip
    rows[7]["item"] = ""
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    write(tmp_path / "e.parquet", columns, group=64)
    with (tmp_path / "e.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(columns))
        writer.writeheader()
        writer.writerows(rows)
    (tmp_path / "e.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (tmp_path / "e.json").write_text(json.dumps(rows, indent=1))
    found = []
    for name in ("e.csv", "e.jsonl", "e.json", "e.parquet"):
        batches = batches_of(tmp_path / name)
        found.append(
            (
                [number for batch in batches for number in batch.numbers],
                [user for batch in batches for user in batch.users],
                [item for batch in batches for item in batch.items],
                [value for batch in batches for value in batch.values.tolist()],
                [time for batch in batches for time in batch.times_us.tolist()],
                [(one.number, one.fault.reason) for batch in batches for one in batch.faults],
            )
        )
    assert found[0] == found[1] == found[2] == found[3]
    assert found[0][0] == [n for n in range(1, 301) if n != 8]
    assert found[0][4][0] == 1_700_000_000_000_000
    assert found[0][5] == [(8, "MISSING_ITEM")]


def test_a_file_is_read_group_by_group(tmp_path: Path) -> None:
    """Memory: no more than a group is there at once."""
    columns = {"user": [f"u{n}" for n in range(300_000)]}
    path = write(tmp_path / "big.parquet", columns, group=3_000)
    with table_of(path) as table:
        before = arrow.total_allocated_bytes()
        blocks = table.blocks()
        assert next(blocks).row(0) == {"user": "u0"}
        # The column takes 3.2 MB as a whole.
        assert arrow.total_allocated_bytes() - before < 1_000_000
        assert sum(block.rows for block in blocks) == 300_000 - 3_000
    assert places_of(path)[-1] == (300_000, 0, "")


def test_a_damaged_file_is_a_clear_failure(tmp_path: Path) -> None:
    path = write(tmp_path / "events.parquet", {"user": ["a" * 50] * 1000})
    content = path.read_bytes()
    path.write_bytes(content[:-6])
    with pytest.raises(SourceError, match=r"events\.parquet is damaged"):
        rows_of(path)
    path.write_bytes(content[:20] + bytes(20) + content[40:])
    with pytest.raises(SourceError, match=r"events\.parquet is damaged"):
        rows_of(path)


def test_without_pyarrow_the_message_names_the_extra(tmp_path: Path) -> None:
    (tmp_path / "events.parquet").write_bytes(b"PAR1")
    done = subprocess.run(
        [sys.executable, "-c", (
            "import sys; sys.modules['pyarrow'] = None\n"
            "from services.cli.app import create_app\n"
            f"create_app()(['import', 'events', r'{tmp_path / 'events.parquet'}',"
            " '--feedback', 'localhost:1', '--profile', 'localhost:1', '--ranker', 'localhost:1'])"
        )],
        cwd=ROOT, env={"PYTHONPATH": f"{ROOT}:{ROOT / 'protos/gen'}", "COLUMNS": "200"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "pip install 'harken[eval]'" in done.stderr
