"""Event files of all formats, read as columns, against rows that the test wrote."""

import gzip
import json
import math
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.dataset.columns import ColumnError
from services.dataset.event_columns import EventOptions
from services.dataset.event_file import EventNames, iter_event_chunks, read_events
from services.dataset.events import Events
from services.dataset.table_file import TableFileError

Row = tuple[str, str, str, float | None, int]


def rows_of(events: Events) -> list[Row]:
    return [
        (
            events.user_ids[user],
            events.item_ids[item],
            events.types[kind],
            None if math.isnan(value) else value,
            time_us,
        )
        for user, item, kind, value, time_us in zip(
            events.users.tolist(),
            events.items.tolist(),
            events.kinds.tolist(),
            events.values.tolist(),
            events.times_us.tolist(),
            strict=True,
        )
    ]


def write(path: Path, text: str) -> Path:
    content = text.encode()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


names = st.text("abcxyz 09-", min_size=1, max_size=6).filter(lambda text: text.strip())
events_in_time = st.lists(
    st.tuples(
        names, names, st.sampled_from(["view", "buy"]), st.one_of(st.none(), st.floats(-5, 5)),
        st.integers(1_000_000_000, 1_000_000_010),
    ),
    max_size=40,
)  # fmt: skip


@given(
    rows=events_in_time, delimiter=st.sampled_from([",", "\t", ";", "|"]), chunk=st.integers(1, 50)
)
def test_csv_comes_back_in_order_of_time(
    rows: list[tuple[str, str, str, float | None, int]],
    delimiter: str,
    chunk: int,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    lines = [["USER_ID", "item", "event", "value", "timestamp"]]
    lines += [
        [user, item, kind, "" if value is None else repr(value), str(second)]
        for user, item, kind, value, second in rows
    ]
    path = tmp_path_factory.mktemp("csv") / "events.csv.gz"
    write(path, "\n".join(delimiter.join(line) for line in lines) + "\n")

    expected = sorted(
        ((user.strip(), item.strip(), kind, value, second * 10**6) for user, item, kind, value,
         second in rows),
        key=lambda row: row[4],
    )  # fmt: skip
    assert rows_of(read_events(path)) == expected
    ids = EventNames()
    chunks = list(iter_event_chunks(path, rows_per_chunk=chunk, names=ids))
    assert all(part.users.size <= chunk for part in chunks)
    in_file = [ids.items.names[code] for part in chunks for code in part.items.tolist()]
    assert in_file == [row[1].strip() for row in rows]


def test_times_in_all_units_and_iso(tmp_path: Path) -> None:
    moment = datetime(2024, 5, 1, 12, 30, 15, 250_000, tzinfo=UTC)
    micros = int(moment.timestamp() * 1e6)
    for text in (str(micros), str(micros // 1000), f"{micros / 1e6:.6f}", moment.isoformat(),
                 "2024-05-01 12:30:15.250", "2024-05-01T14:30:15.250+02:00"):  # fmt: skip
        path = write(tmp_path / "e.csv", f"user,item,timestamp\nu,i,{text}\nv,i,{text}\n")
        assert read_events(path).times_us.tolist() == [micros, micros], text
    whole = write(tmp_path / "e.csv", "user,item,timestamp\nu,i,1714566615\n")
    assert read_events(whole).times_us.tolist() == [1_714_566_615_000_000]


def test_what_cannot_be_read_is_counted_by_reason(tmp_path: Path) -> None:
    path = tmp_path / "e.csv"
    path.write_bytes(
        b"user,session,item,timestamp,event,value\n"
        b"u,,i,100,view,1\n"
        b",s,i,101,view,\n"
        b",,i,102,view,\n"
        b"u,,,103,view,\n"
        b"u,,i,soon,view,\n"
        b"u,,i,,view,\n"
        b"u,,i,104,,\n"
        b"u,,i,105,view,much\n"
        b"u,,i,106\n"
        b"u,,\xff,107,view,\n"
        b"\n"
        b"u,,i,1e99,view,\n"
        b"w,t,i,99.5,view,\n"
    )
    events = read_events(path)
    assert rows_of(events) == [
        ("w", "i", "view", None, 99_500_000),
        ("u", "i", "view", 1.0, 100_000_000),
        ("session:s", "i", "view", None, 101_000_000),
    ]
    assert events.rejected == {
        "MISSING_SUBJECT": 1,
        "MISSING_ITEM": 1,
        "INVALID_TIME": 2,
        "MISSING_TIME": 1,
        "MISSING_TYPE": 1,
        "INVALID_VALUE": 1,
        "WRONG_NUMBER_OF_CELLS": 1,
        "INVALID_TEXT": 1,
    }


def test_json_lines_with_numbers_as_ids_and_own_column_names(tmp_path: Path) -> None:
    lines = [
        {"Who": 7, "what": "a", "ts": 1_700_000_000_123},
        {"what": 12.0, "who": "8", "ts": "2023-11-14T22:13:20Z", "extra": [1]},
        {"who": [1], "what": "a", "ts": 1},
        "no json",
        [1],
    ]
    text = "\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines)
    path = write(tmp_path / "e.jsonl", text + "\n\n")
    events = read_events(path, EventOptions(user="who", item="what", constant_type="play"))
    assert rows_of(events) == [
        ("8", "12", "play", None, 1_700_000_000_000_000),
        ("7", "a", "play", None, 1_700_000_000_123_000),
    ]
    assert events.rejected == {"INVALID_TEXT": 1, "INVALID_JSON": 2}


def test_a_file_without_type_has_one(tmp_path: Path) -> None:
    path = write(tmp_path / "e.csv", "session_id,item,time\ns,i,5\n")
    assert rows_of(read_events(path)) == [("session:s", "i", "event", None, 5_000_000)]


def test_what_is_wrong_with_the_whole_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(ColumnError, match="no column for item"):
        read_events(write(tmp_path / "e.csv", "user,thing,timestamp\nu,i,5\n"))
    with pytest.raises(ColumnError, match="'whoever'"):
        read_events(tmp_path / "e.csv", EventOptions(user="whoever"))
    with pytest.raises(TableFileError, match="no file"):
        read_events(tmp_path / "none.csv")
    broken = tmp_path / "e.csv.gz"
    broken.write_bytes(gzip.compress(b"user,item,timestamp\nu,i,5\n" * 1000)[:60])
    with pytest.raises(TableFileError):
        read_events(broken)


def test_parquet_comes_back_as_csv_does(tmp_path: Path) -> None:
    arrow = pytest.importorskip("pyarrow", reason="pyarrow is missing (extra `eval`)")
    parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is missing (extra `eval`)")
    random = np.random.default_rng(3)
    count = 500
    users = random.integers(0, 40, count)
    items = [f"i{n}" if n else None for n in random.integers(0, 60, count)]
    seconds = random.integers(10**9, 10**9 + 50, count)
    values = [None if n % 5 == 0 else float(n) for n in range(count)]
    moments = arrow.array(seconds * 1000, arrow.int64()).cast(arrow.timestamp("ms", "UTC"))
    table = arrow.table(
        {"user_id": users, "track_id": items, "timestamp": moments, "plays": values,
         "unused": np.zeros(count)}
    )  # fmt: skip
    path = tmp_path / "e.parquet"
    parquet.write_table(table, path, row_group_size=64)
    options = EventOptions(value="plays")

    expected = sorted(
        (
            (str(user), item, "event", value, second * 10**6)
            for user, item, value, second in zip(
                users.tolist(), items, values, seconds.tolist(), strict=True
            )
            if item is not None
        ),
        key=lambda row: row[4],
    )
    events = read_events(path, options)
    assert rows_of(events) == expected
    assert events.rejected == {"MISSING_ITEM": items.count(None)}
    sizes = [part.users.size for part in iter_event_chunks(path, options, rows_per_chunk=50)]
    assert len(sizes) >= 10
    assert sum(sizes) == len(expected)


def test_slices_are_views_with_the_same_ids(tmp_path: Path) -> None:
    lines = "\n".join(f"u{n % 3},i{n},{n}" for n in range(1, 11))
    events = read_events(write(tmp_path / "e.csv", "user,item,timestamp\n" + lines + "\n"))
    assert rows_of(events.slice(2, 5)) == rows_of(events)[2:5]
    assert rows_of(events.head(4)) == rows_of(events)[:4]
    assert len(events.head(99)) == 10
    assert np.shares_memory(events.slice(2, 5).items, events.items)
    assert Counter(events.users.tolist()) == {0: 4, 1: 3, 2: 3}
