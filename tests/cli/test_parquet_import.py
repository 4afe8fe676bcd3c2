"""Parquet files through the commands: real files, types, row groups, what is missing."""

import datetime
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from services.cli.endpoints import Endpoints
from services.dataset.parquet_file import ParquetFile
from services.dataset.table_file import TableFileError
from tests.cli.harken_process import ROOT, harken
from tests.cli.scripted_suite import ScriptedSuite


@pytest.fixture
def suite() -> ScriptedSuite:
    return ScriptedSuite()


def write(path: Path, columns: dict[str, Any], group: int = 1000) -> None:
    arrow = pytest.importorskip("pyarrow", reason="pyarrow (extra `eval`) is not installed")
    parquet = pytest.importorskip("pyarrow.parquet")
    parquet.write_table(arrow.table(columns), path, row_group_size=group)


async def test_events_items_and_users_are_imported(
    suite: ScriptedSuite, endpoints: Endpoints, tmp_path: Path
) -> None:
    arrow = pytest.importorskip("pyarrow", reason="pyarrow (extra `eval`) is not installed")
    rows = 4_321
    start = datetime.datetime(2024, 5, 1, tzinfo=datetime.UTC)
    nanoseconds = [int(start.timestamp()) * 10**9 + n * 10**9 + 1 for n in range(rows)]
    write(
        tmp_path / "events.parquet",
        {
            "User": [f"u{n % 7}" for n in range(rows)],
            "item": arrow.array([n % 11 for n in range(rows)], arrow.int32()),
            "timestamp": arrow.array(nanoseconds, arrow.timestamp("ns", "UTC")),
            "event": arrow.array(["view"] * rows).dictionary_encode(),
            "value": [None if n % 2 else float(n) for n in range(rows)],
        },
    )
    done = await harken("import", "events", "events.parquet", folder=tmp_path, endpoints=endpoints)
    assert done.code == 0, done.errors
    events = list(suite.events.values())
    assert len(events) == rows
    assert [one.item_id for one in events[:12]] == [str(n % 11) for n in range(12)]
    assert events[2].event_time.seconds == int(start.timestamp()) + 2
    assert events[2].value == 2.0
    assert not events[3].HasField("value")

    write(
        tmp_path / "items.pq",
        {"item": [1, 2], "title": ["One", "Two"], "genres": [["a", "b"], []], "year": [1999, None]},
    )
    done = await harken("import", "items", "items.pq", folder=tmp_path, endpoints=endpoints)
    assert done.code == 0, done.errors
    assert list(suite.items["1"].categories) == ["a", "b"]
    assert dict(suite.items["1"].numbers) == {"year": 1999.0}

    write(
        tmp_path / "users.parquet",
        {"user": ["ann"], "age": [24], "since": [datetime.date(2020, 1, 2)], "vip": [True]},
    )
    done = await harken("import", "users", "users.parquet", folder=tmp_path, endpoints=endpoints)
    assert done.code == 0, done.errors
    assert dict(suite.profiles["ann"].attributes) == {
        "age": 24.0, "since": "2020-01-02", "vip": True,
    }  # fmt: skip


def test_a_file_is_read_group_by_group(tmp_path: Path) -> None:
    """Memory: no more than a group is there at once."""
    arrow = pytest.importorskip("pyarrow", reason="pyarrow (extra `eval`) is not installed")
    write(tmp_path / "big.parquet", {"user": [f"u{n}" for n in range(300_000)]}, group=3_000)
    file = ParquetFile(tmp_path / "big.parquet")
    assert file.count_rows() == 300_000
    before = arrow.total_allocated_bytes()
    rows = file.rows()
    assert next(rows).cells == {"user": "u0"}
    # The column takes 3.2 MB as a whole.
    assert arrow.total_allocated_bytes() - before < 1_000_000
    assert [row.number for row in rows] == list(range(2, 300_001))


def test_a_damaged_file_is_a_clear_failure(tmp_path: Path) -> None:
    write(tmp_path / "events.parquet", {"user": ["a"]})
    content = (tmp_path / "events.parquet").read_bytes()
    (tmp_path / "events.parquet").write_bytes(content[:-6])
    with pytest.raises(TableFileError, match=r"events\.parquet"):
        ParquetFile(tmp_path / "events.parquet")


def test_without_pyarrow_the_message_names_the_extra(tmp_path: Path) -> None:
    (tmp_path / "events.parquet").write_bytes(b"PAR1")
    done = subprocess.run(
        [sys.executable, "-c", (
            "import sys; sys.modules['pyarrow'] = None\n"
            "from services.cli.app import app\n"
            f"app(['import', 'events', r'{tmp_path / 'events.parquet'}',"
            " '--feedback', 'localhost:1', '--profile', 'localhost:1', '--ranker', 'localhost:1'])"
        )],
        cwd=ROOT, env={"PYTHONPATH": f"{ROOT}:{ROOT / 'protos/gen'}", "COLUMNS": "200"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "pip install 'harken[eval]'" in done.stderr
