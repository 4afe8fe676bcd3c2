"""A history in order of time, whatever order its file has."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.dataset.fields.event_fields import EventOptions, event_fields
from services.dataset.history.event_batch import EventBatch, EventReader
from services.dataset.history.ordered import OrderedEvents, Survey
from tests.dataset.tables import table_of, written

HEAD = "user,session,item,type,value,timestamp,event_id,slate_id,context\n"


def ordered(path: Path, scratch: Path) -> tuple[Survey, list[EventBatch], list[EventBatch]]:
    """Return the survey, and all batches, read twice."""
    with table_of(path) as table:
        fields = event_fields(table, EventOptions(), "view")
        events = OrderedEvents(EventReader(table, fields), scratch)
        survey = events.look_through()
        return survey, list(events.batches()), list(events.batches())


def rows_of(batches: list[EventBatch]) -> list[tuple]:
    """Return all that the events of batches say."""
    return [
        (number, line, file, user, session, item, kind, str(value), time, own, slate, dict(context))
        for batch in batches
        for number, line, file, user, session, item, kind, value, time, own, slate, context in zip(
            batch.numbers, batch.lines, batch.files, batch.users, batch.sessions, batch.items,
            batch.types, batch.values.tolist(), batch.times_us.tolist(),
            batch.event_ids or [""] * len(batch), batch.slate_ids or [""] * len(batch),
            batch.contexts or [{}] * len(batch), strict=True,
        )
    ]  # fmt: skip


seconds = st.lists(st.one_of(st.integers(0, 5), st.just(None)), min_size=1, max_size=12)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(times=seconds)
def test_any_order_of_rows_gives_the_history_in_order_of_time(
    times: list[int | None], tmp_path: Path
) -> None:
    """Events of one time keep the order of the file; nothing of an event is lost on the way."""
    lines = [
        f'u{n},,i{n},view,{n if n % 2 else ""},{"" if time is None else time},e{n},s{n},'
        f'"{{""k"": ""{n}""}}"'
        for n, time in enumerate(times)
    ]  # fmt: skip
    path = written(tmp_path / "e.csv", HEAD + "\n".join(lines) + "\n")
    survey, first, second = ordered(path, tmp_path)
    wanted = sorted(
        ((time * 10**6, n) for n, time in enumerate(times) if time is not None),
    )
    found = rows_of(first)
    assert found == rows_of(second)
    assert found == [
        (n + 1, n + 2, "e.csv", f"u{n}", "", f"i{n}", "view", str(float(n)) if n % 2 else "nan",
         time, f"e{n}", f"s{n}", {"k": str(n)})
        for time, n in wanted
    ]  # fmt: skip
    faults = [fault for batch in first for fault in batch.faults]
    missing = [n + 1 for n, time in enumerate(times) if time is None]
    assert [fault.number for fault in faults] == missing
    assert all(fault.fault.reason == "MISSING_TIME" for fault in faults)
    assert (survey.rows, survey.rejected["MISSING_TIME"]) == (len(times), len(missing))
    known = [time for time in times if time is not None]
    assert survey.ordered == (known == sorted(known))
    if not survey.ordered:
        late = next(
            n for n, time in enumerate(times)
            if time is not None and any(one is not None and one > time for one in times[:n])
        )  # fmt: skip
        assert survey.first_late == late + 1
        # Rows that are none come before all events.
        begun = [bool(len(batch)) for batch in first]
        assert begun == sorted(begun)


def test_newest_first_in_several_blocks(tmp_path: Path) -> None:
    count = 60_000
    lines = [f"u{n % 7},,item-{n},view,,{count - n},,," for n in range(count)]
    lines[100] = "short"
    path = written(tmp_path / "e.csv", HEAD + "\n".join(lines))
    heard: list[int] = []
    with table_of(path) as table:
        fields = event_fields(table, EventOptions(), "view")
        reader = EventReader(table, fields)
        events = OrderedEvents(reader, tmp_path)
        survey = events.look_through(heard.append)
        batches = list(events.batches())
    assert (survey.ordered, survey.first_late, survey.rows) == (False, 2, count)
    assert heard[-1] == count
    assert max(map(len, batches)) <= 20_000
    times = [time for batch in batches for time in batch.times_us.tolist()]
    assert times == sorted(times)
    assert len(times) == count - 1
    # On disk, not in memory.
    assert (tmp_path / "events.sqlite").stat().st_size > 1 << 20
    # Numbers were read twice, and are counted once.
    assert sum(reader.times.units.values()) in (0, count - 1)


def test_one_late_row_at_the_end_counts_nothing_twice(tmp_path: Path) -> None:
    """What was looked through before it was found is read again."""
    lines = [f"u,,item-{n},view,,{n + 5},,," if n % 100 else "u,,i,view,,soon,,,"
             for n in range(60_000)]  # fmt: skip
    text = HEAD + "\n".join([*lines, "u,,late,view,,1,,,"]) + "\n"
    survey, batches, _ = ordered(written(tmp_path / "e.csv", text), tmp_path)
    assert (survey.ordered, survey.first_late) == (False, 60_001)
    assert (survey.rows, dict(survey.rejected)) == (60_001, {"INVALID_TIME": 600})
    assert sum(len(batch.faults) for batch in batches) == 600
    assert rows_of(batches)[0][5] == "late"


@pytest.mark.parametrize("rows", ["", "u,,i,view,,,,,\n"])
def test_nothing_to_order(tmp_path: Path, rows: str) -> None:
    survey, batches, _ = ordered(written(tmp_path / "e.csv", HEAD + rows), tmp_path)
    assert survey.ordered
    assert rows_of(batches) == []
    assert survey.rows == rows.count("\n")
