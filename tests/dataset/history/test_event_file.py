"""Events as columns of numbers: those that an import sends, in order of time."""

import gzip
import io
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.cli.imports.event_chunk import Window, chunks_of
from services.dataset.faults import ColumnError, SourceError
from services.dataset.fields.event_fields import EventOptions, event_fields
from services.dataset.history.event_batch import EventReader
from services.dataset.history.event_file import EventNames, iter_event_chunks, read_events
from services.dataset.history.events import Events
from services.dataset.history.ordered import OrderedEvents
from tests.dataset.tables import table_of, written

Row = tuple[str, str, str, float | None, int]
"""User, item, type, value, microseconds."""


def read(path: Path, options: EventOptions | None = None) -> Events:
    with table_of(path) as table:
        return read_events(table, options)


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


names = st.text("abcxyz 09-", min_size=1, max_size=6).filter(lambda text: text.strip() != "")
events_in_time = st.lists(
    st.tuples(
        names, names, st.sampled_from(["view", "buy"]), st.one_of(st.none(), st.floats(-5, 5)),
        st.integers(1_000_000_000, 1_000_000_010),
    ),
    max_size=40,
)  # fmt: skip


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=events_in_time, delimiter=st.sampled_from([",", "\t", ";", "|"]))
def test_csv_comes_back_in_order_of_time(rows: list[Row], delimiter: str, tmp_path: Path) -> None:
    lines = [["USER_ID", "item", "event", "value", "timestamp"]]
    lines += [
        [user, item, kind, "" if value is None else repr(value), str(second)]
        for user, item, kind, value, second in rows
    ]
    text = "\n".join(delimiter.join(line) for line in lines) + "\n"
    path = written(tmp_path / "events.csv.gz", gzip.compress(text.encode()))
    expected = sorted(
        ((user.strip(), item.strip(), kind, value, second * 10**6)
         for user, item, kind, value, second in rows),
        key=lambda row: row[4],
    )  # fmt: skip
    assert rows_of(read(path)) == expected
    known = EventNames()
    with table_of(path) as table:
        chunks = list(iter_event_chunks(table, names=known))
    in_file = [known.items.names[code] for part in chunks for code in part.items.tolist()]
    assert in_file == [row[1].strip() for row in rows]


often = st.sampled_from
cells = st.tuples(
    often(["u", "v", "u", "v", ""]), often(["s", ""]), often(["i", "j", "i", "j", ""]),
    often(["1", "2", "3", "1", "2", "3", "soon", ""]), often(["", "0.5", "", "x"]),
    often(["", "", "a", "b"]),
)  # fmt: skip


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(cells, max_size=15), line_ids=st.booleans())
def test_training_reads_what_an_import_sends(
    rows: list[tuple[str, ...]], line_ids: bool, tmp_path: Path
) -> None:
    """The suite takes the first event of each id, and has nothing of a row that is none."""
    text = io.StringIO()
    text.write("user,session,item,timestamp,value,event_id\n")
    text.writelines(",".join(row) + "\n" for row in rows)
    path = written(tmp_path / "e.csv", text.getvalue())
    options = EventOptions(line_ids=line_ids)
    sent: dict[str, Row] = {}
    rejected: dict[str, int] = {}
    total = 0
    with table_of(path) as table:
        reader = EventReader(table, event_fields(table, options, "event"))
        ordered = OrderedEvents(reader, tmp_path)
        ordered.look_through()
        for chunk in chunks_of(ordered.batches(), line_ids, Window(), 4):
            batch = chunk.batch
            for fault in batch.faults:
                rejected[fault.fault.reason] = rejected.get(fault.fault.reason, 0) + 1
            for n, event_id in enumerate(chunk.event_ids):
                value = batch.values[n]
                subject = batch.users[n] or f"session:{batch.sessions[n]}"
                event = (subject, batch.items[n], batch.types[n],
                         None if math.isnan(value) else float(value),
                         int(batch.times_us[n]))  # fmt: skip
                sent.setdefault(event_id, event)
                total += 1
    events = read(path, options)
    assert rows_of(events) == list(sent.values())
    assert dict(events.rejected) == rejected
    assert events.duplicates == total - len(sent)
    assert len(events) + events.duplicates + sum(rejected.values()) == len(rows)


def test_what_cannot_be_read_is_counted_by_reason(tmp_path: Path) -> None:
    content = (
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
    events = read(written(tmp_path / "e.csv", content))
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
        "INVALID_UTF8": 1,
    }


def test_a_file_without_type_has_one(tmp_path: Path) -> None:
    path = written(tmp_path / "e.csv", "session_id,item,time\ns,i,5\n")
    assert rows_of(read(path)) == [("session:s", "i", "event", None, 5_000_000)]


def test_of_events_of_one_id_the_first_in_time_counts(tmp_path: Path) -> None:
    path = written(
        tmp_path / "e.csv", "user,item,time,event_id\nu,b,2,x\nu,c,3,\nu,a,1,x\nu,d,3,\n"
    )
    events = read(path)
    assert [row[1] for row in rows_of(events)] == ["a", "c", "d"]
    assert events.duplicates == 1


def test_what_is_wrong_with_the_whole_file_is_said(tmp_path: Path) -> None:
    path = written(tmp_path / "e.csv", "user,thing,timestamp\nu,i,5\n")
    with pytest.raises(ColumnError, match="no column for item; the file has: user, thing"):
        read(path)
    with pytest.raises(ColumnError, match="'whoever'"):
        read(path, EventOptions(user="whoever"))
    with pytest.raises(ColumnError, match="no column for timestamp"):
        read(written(path, "user,item\nu,i\n"))
    with pytest.raises(SourceError, match="no file"):
        read(tmp_path / "none.csv")
    cut = gzip.compress(b"user,item,timestamp\nu,i,5\n" * 1000)[:60]
    with pytest.raises(SourceError):
        read(written(tmp_path / "e.csv.gz", cut))


def test_slices_are_views_with_the_same_ids(tmp_path: Path) -> None:
    lines = "\n".join(f"u{n % 3},i{n},{n}" for n in range(1, 11))
    events = read(written(tmp_path / "e.csv", f"user,item,timestamp\n{lines}\n"))
    assert rows_of(events.slice(2, 5)) == rows_of(events)[2:5]
    assert rows_of(events.head(4)) == rows_of(events)[:4]
    assert len(events.head(99)) == 10
    assert np.shares_memory(events.slice(2, 5).items, events.items)
