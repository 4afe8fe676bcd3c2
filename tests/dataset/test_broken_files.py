"""Files that are broken, or odd, in one place: the place is named and the rest is read."""

from itertools import permutations
from pathlib import Path

import pytest

from services.dataset.faults import ColumnError, SourceError
from services.dataset.fields.event_fields import EventOptions, event_fields
from services.dataset.fields.item_fields import ItemOptions, ItemReader, item_fields
from services.dataset.history.event_batch import EventReader
from services.dataset.table.table import Source, open_table
from services.dataset.values.times import TIME_FORMAT_WORDS, checked_format
from tests.conftest import FreshDatabase
from tests.dataset.tables import (
    batches_of,
    events_of,
    faults_of,
    notes_of,
    places_of,
    reasons_of,
    rows_of,
    table_of,
    written,
)

GOOD = ('{"user": "a", "item": "1", "timestamp": 1}', '{"user": "b", "item": "2", "timestamp": 2}')
NO_ROWS = ("[]", "[1, 2]", '[{"user": "c"}]', "{", "null", '"x"', "{}}", '{"user": "c"')


@pytest.mark.parametrize("bad", NO_ROWS)
def test_a_line_that_is_no_row_is_one_reject_wherever_it_stands(tmp_path: Path, bad: str) -> None:
    for number, lines in enumerate(permutations([*GOOD, bad])):
        file = written(tmp_path / f"{number}.jsonl", "\n".join(lines) + "\n")
        places = places_of(file)
        assert [place[:2] for place in places] == [(1, 1), (2, 2), (3, 3)]
        assert [reason for _, _, reason in places if reason] == ["INVALID_JSON"]
        assert {row["user"] for row in rows_of(file)} == {"a", "b"}


def test_arrays_that_follow_each_other_are_all_read(tmp_path: Path) -> None:
    first, second = GOOD
    file = written(tmp_path / "a.json", f"[{first}]\n[\n{second}\n]\n[]\n")
    assert [(number, line) for number, line, _ in places_of(file)] == [(1, 1), (2, 3)]
    assert [row["item"] for row in rows_of(file)] == ["1", "2"]


def test_text_after_an_array_is_not_left_out(tmp_path: Path) -> None:
    for more in ("x", "]", "1"):
        file = written(tmp_path / "a.json", f"[{GOOD[0]}]\n {more}")
        with pytest.raises(SourceError, match="after it line 2 has"):
            rows_of(file)


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ('{"user": "c", "user": "d"}', "DUPLICATE_FIELD"),
        ('{"user": ' + "9" * 5000 + "}", "INVALID_JSON"),
        ('{"user": {"x": ' + "9" * 5000 + '}, "item": "3"}', "INVALID_JSON"),
    ],
)
def test_an_element_that_is_no_row_is_one_reject(tmp_path: Path, bad: str, reason: str) -> None:
    file = written(tmp_path / "a.json", f"[{GOOD[0]},\n{bad},\n{GOOD[1]}]")
    assert places_of(file) == [(1, 1, ""), (2, 2, reason), (3, 3, "")]
    assert [row["user"] for row in rows_of(file)] == ["a", "b"]


def test_arrays_are_the_same_however_they_are_cut(tmp_path: Path) -> None:
    # Over a piece of 1 MiB, with a broken element across its end.
    some = [f'{{"user": "{n}", "item": "{"i" * 90}"}}' for n in range(12_000)]
    for place in (0, 9_500, 9_999):
        lines = [*some[:place], '{"user": 1, "user": "' + "x" * 200_000 + '"}', *some[place:]]
        file = written(tmp_path / "a.json", "[" + ",\n".join(lines) + "]")
        assert [(one.number, one.line) for one in faults_of(file)] == [(place + 1, place + 1)]
        assert len(rows_of(file)) == len(some)


def test_times_at_the_ends_of_the_calendar_are_a_matter_of_their_rows(tmp_path: Path) -> None:
    times = ["9999-366", "0000-001", "9999-12-31T24:00:00", "9999-W53-7", "10000-01-01",
             "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59"]  # fmt: skip
    rows = "".join(f"u,i,{time}\n" for time in [*times, "9998-365"])
    file = written(tmp_path / "e.csv", f"user,item,timestamp\n{rows}")
    batches = batches_of(file)
    assert len(events_of(batches)) == 1
    assert [reason for _, reason, _ in reasons_of(batches)] == ["INVALID_TIME"] * len(times)


@pytest.mark.parametrize("form", ["%Q", "%", "unixms", "", "%Y %", "%D"])
def test_a_format_that_no_time_follows_is_refused(form: str) -> None:
    with pytest.raises(ValueError, match=r"directive|cannot be read"):
        checked_format(form)


@pytest.mark.parametrize(
    "form",
    [*TIME_FORMAT_WORDS, "%d.%m.%Y", "%Y-%m-%d %H:%M:%S %Z", "%d/%b/%Y:%H:%M:%S %z", "%j %y"],
)
def test_a_format_that_times_follow_is_taken(form: str) -> None:
    assert checked_format(form) == form


@pytest.mark.parametrize("encoding", ["base64", "rot13", "hex", "idna", "undefined", "nothing"])
def test_what_is_no_encoding_of_text_is_refused(tmp_path: Path, encoding: str) -> None:
    file = written(tmp_path / "a.csv", "user,item\n1,2\n")
    with pytest.raises(SourceError, match="there is no encoding"):
        rows_of(file, encoding=encoding)


def test_a_list_that_is_not_there_is_refused(tmp_path: Path) -> None:
    file = written(tmp_path / "a.jsonl", GOOD[0])
    with pytest.raises(ColumnError, match=r"no column 'events' to take rows from.*user, item"):
        rows_of(file, lists="events")


def test_without_a_column_of_users_no_row_is_read(tmp_path: Path) -> None:
    file = written(tmp_path / "a.csv", "user,item\n1,2\n")
    with pytest.raises(ColumnError, match="no column for user"):
        batches_of(file, EventOptions(user=""))
    with pytest.raises(ColumnError, match="type of all events is empty"):
        batches_of(file, EventOptions(constant_type=" "))


def test_what_is_true_of_many_rows_is_said_once(tmp_path: Path) -> None:
    breaks = "".join(f'{n},"a\nb",c\n' for n in range(50))
    assert len(notes_of(written(tmp_path / "a.csv", f"item,title,tags\n{breaks}"))) == 1
    stray = "".join(f'{n},"a" b,c\n' for n in range(50))
    assert len(notes_of(written(tmp_path / "b.csv", f"item,title,tags\n{stray}"))) == 1
    empty = '{"user": "a", "seen": []}\n' * 50
    assert len(notes_of(written(tmp_path / "c.jsonl", empty), lists="seen")) == 1
    prices = "".join(f'{n},"12,{n}"\n' for n in range(50))
    with table_of(written(tmp_path / "d.csv", f"item,price\n{prices}")) as table:
        rows = list(ItemReader(table, item_fields(table, ItemOptions())).rows())
        assert len(rows) == 50
        assert len(table.notes.texts) == 1


def test_rejects_of_an_import_are_no_data_of_its_folder(tmp_path: Path) -> None:
    written(tmp_path / "a.csv", "user,item\n1,2\n")
    rejects = written(tmp_path / "a.csv.rejects.jsonl", '{"reason": "INVALID_TIME"}\n')
    for source in (tmp_path, tmp_path / "*"):
        assert rows_of(source) == [{"user": "1", "item": "2"}]
    for source in (rejects, tmp_path / "*.rejects.jsonl"):
        assert rows_of(source) == [{"reason": "INVALID_TIME"}]


def test_a_fingerprint_tells_how_a_file_is_read(tmp_path: Path) -> None:
    file = written(tmp_path / "a.csv", "user,item\n1,2\n")
    ways: list[dict[str, object]] = [
        {}, {"delimiter": ";"}, {"columns": ["user", "item"]}, {"nulls": frozenset({"1"})},
        {"encoding": "latin-1"},
    ]  # fmt: skip
    prints = []
    for way in ways:
        with table_of(file, **way) as table:
            prints.append(table.fingerprint)
    assert len(set(prints)) == len(ways)


@pytest.mark.parametrize("kind", ["timestamp", "timestamptz", "date"])
def test_times_of_a_query_that_python_does_not_have_are_rejects(
    module_database: FreshDatabase, kind: str
) -> None:
    times = ("2023-01-01", "20000-01-01", "0044-03-15 BC", "infinity", "-infinity", "0001-01-01")
    rows = ", ".join(f"('u{n}', 'i', '{time}'::{kind})" for n, time in enumerate(times))
    query = f"SELECT * FROM (VALUES {rows}) rows (who, item, timestamp) ORDER BY 1"
    with open_table(Source((), query, module_database.admin_dsn)) as table:
        reader = EventReader(table, event_fields(table, EventOptions("who"), "view"))
        batches = list(reader.batches())
    assert [user for user, _ in events_of(batches)] == ["u0", "u3", "u4", "u5"]
    assert reasons_of(batches) == [(n, "INVALID_TIME", "timestamp") for n in (2, 3)]
    seconds = [time // 10**6 for one in batches for time in one.times_us.tolist()]
    assert seconds[0] == 1_672_531_200
    assert seconds[1] >= 253_402_300_799 - 86_399
    assert seconds[2:] == [-62_135_596_800] * 2


def test_times_in_lists_of_a_query(module_database: FreshDatabase) -> None:
    query = (
        "SELECT 1 AS item, ARRAY['2023-01-01', '20000-01-01']::timestamp[] AS times,"
        " ARRAY['2023-01-01', NULL]::date[] AS days"
    )
    with open_table(Source((), query, module_database.admin_dsn)) as table:
        row = next(iter(table.blocks())).row(0)
    assert repr(row["times"]) == "[2023-01-01T00:00:00, 568971820800000000 microseconds since 1970]"
    assert row["days"] == ["2023-01-01", None]
