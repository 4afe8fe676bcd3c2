"""Parquet that is odd or packed once more: the place is named and the rest is read."""

import bz2
import gzip
import lzma
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import zstandard

from services.dataset.faults import SourceError
from services.dataset.fields.event_fields import EventOptions
from services.dataset.fields.item_fields import ItemOptions, ItemReader, ItemRow, item_fields
from tests.dataset.tables import batches_of, events_of, reasons_of, rows_of, table_of, written

pa = pytest.importorskip("pyarrow", reason="pyarrow (extra `eval`) is not installed")
parquet = pytest.importorskip("pyarrow.parquet")

TEXTS = {"user": ["a", "b", "c"], "item": ["1", "2", "3"]}
FAR = pa.array([0, 10**7, -(10**7)], pa.int32()).cast(pa.date32())
NOT_UTF8 = pa.Array.from_buffers(
    pa.string(),
    3,
    [None, pa.array([0, 1, 3, 4], pa.int32()).buffers()[1], pa.py_buffer(b"a\xff\xfec")],
)


def parquet_of(path: Path, **columns: object) -> Path:
    parquet.write_table(pa.table(columns), path)
    return path


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.compress, lzma.compress, bz2.compress])
def test_parquet_that_is_packed_once_more(tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    plain = parquet_of(tmp_path / "e.parquet", **TEXTS).read_bytes()
    packed = written(tmp_path / "e.packed", pack(plain))
    assert [row["user"] for row in rows_of(packed)] == TEXTS["user"]
    cut = written(tmp_path / "e.cut", pack(plain)[:-20])
    with pytest.raises(SourceError, match="is damaged"):
        rows_of(cut)


def test_days_that_python_does_not_have_are_rejects(tmp_path: Path) -> None:
    file = parquet_of(tmp_path / "e.parquet", **TEXTS, timestamp=FAR)
    batches = batches_of(file)
    assert events_of(batches) == [("a", "1")]
    assert reasons_of(batches) == [(n, "INVALID_TIME", "timestamp") for n in (2, 3)]


def test_a_column_that_is_not_asked_for_spoils_no_reject(tmp_path: Path) -> None:
    odd = pa.array([1, 2, 3], pa.int64())
    file = parquet_of(
        tmp_path / "e.parquet", user=["a", "b", None], item=["1", "2", "3"], day=FAR, name=NOT_UTF8,
        time=odd.cast(pa.time64("ns")), span=odd.cast(pa.duration("ns")), timestamp=odd,
    )  # fmt: skip
    batches = batches_of(file)
    assert events_of(batches) == [("a", "1"), ("b", "2")]
    assert reasons_of(batches) == [(3, "MISSING_SUBJECT", "user")]


def test_nanoseconds_and_far_times_inside_of_structs(tmp_path: Path) -> None:
    times = pa.array([1_700_000_000_123_456_789, None, 5], pa.int64())
    inside = pa.StructArray.from_arrays(
        [times.cast(pa.timestamp("ns")), pa.array([1, 2**62, 3]).cast(pa.timestamp("us"))],
        ["near", "far"],
    )
    file = parquet_of(tmp_path / "e.parquet", **TEXTS, at=inside)
    near = batches_of(file, EventOptions(timestamp="at.near"))
    assert near[0].times_us.tolist() == [1_700_000_000_123_456, 0]
    assert reasons_of(near) == [(2, "MISSING_TIME", "at.near")]
    far = batches_of(file, EventOptions(timestamp="at.far"))
    assert far[0].times_us.tolist() == [1, 3]
    assert reasons_of(far) == [(2, "INVALID_TIME", "at.far")]


@pytest.mark.parametrize(
    "texts",
    [NOT_UTF8, pa.array([b"a", b"\xff\xfe", b"c"], pa.binary()), NOT_UTF8.cast(pa.binary())],
)
def test_texts_of_parquet_that_are_no_utf8_are_rejects(tmp_path: Path, texts: Any) -> None:
    file = parquet_of(tmp_path / "e.parquet", user=texts, item=["1", "2", "3"])
    assert reasons_of(batches_of(file)) == [(2, "INVALID_UTF8", "user")]
    items = parquet_of(tmp_path / "i.parquet", item=["1", "2", "3"], title=texts)
    with table_of(items) as table:
        rows = list(ItemReader(table, item_fields(table, ItemOptions())).rows())
    found = [row.content.title if isinstance(row, ItemRow) else row.fault.reason for row in rows]
    assert found == ["a", "INVALID_UTF8", "c"]
