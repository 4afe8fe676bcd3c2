"""Made files of all formats: every row is accounted for, and all commands read the same events."""

import math
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, given, settings

from services.cli.imports.event_chunk import Window, chunks_of
from services.dataset.fields.event_fields import event_fields
from services.dataset.history.event_batch import EventReader
from services.dataset.history.event_file import SESSION_PREFIX, read_events
from services.dataset.history.ordered import OrderedEvents
from services.dataset.table.table import Source, Table, open_table
from tests.dataset.any_file import MadeFile, Truth, any_file

Said = tuple[str, str, str, str, int, float | None]


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(any_file())
def test_every_row_is_accounted_for_and_all_read_the_same(made: MadeFile) -> None:
    with tempfile.TemporaryDirectory() as folder:
        check(made, Path(folder))


def check(made: MadeFile, folder: Path) -> None:
    """Check what is read of a file against how it was made."""
    path = made.write(folder)
    with open_table(Source([str(path)]), made.read) as table:
        if not table.columns:
            # Not one row that could be read: what the command says then has tests of its own.
            assert not made.events
            return
        faults, sent = imported(table, made, folder)
        assert {number: (reason, line) for number, reason, line in faults} == made.faults
        assert len(faults) == len(made.faults)
        assert [one[1:] for one in sent] == [said(event) for event in in_order(made)]
        evaluated = read_events(table, made.fields)
    assert sum(evaluated.rejected.values()) == len(made.faults)
    assert len(evaluated) + evaluated.duplicates + len(made.faults) == made.rows
    first = first_of_ids(sent)
    assert [
        (evaluated.user_ids[user], evaluated.item_ids[item], evaluated.types[kind], time_us,
         None if math.isnan(value) else value)
        for user, item, kind, time_us, value in zip(
            evaluated.users.tolist(), evaluated.items.tolist(), evaluated.kinds.tolist(),
            evaluated.times_us.tolist(), evaluated.values.tolist(), strict=True,
        )
    ] == [
        (user or f"{SESSION_PREFIX}{session}", item, kind, time_us, value)
        for _, user, session, item, kind, time_us, value in first
    ]  # fmt: skip


def imported(
    table: Table, made: MadeFile, folder: Path
) -> tuple[list[tuple[int, str, int]], list[tuple[str, str, str, str, str, int, float | None]]]:
    """Return the faulty rows, and the events as an import sends them: read off its requests."""
    reader = EventReader(table, event_fields(table, made.fields))
    ordered = OrderedEvents(reader, folder)
    survey = ordered.look_through()
    assert survey.rows == made.rows
    assert sum(survey.rejected.values()) == len(made.faults)
    times = [event.time_us for event in made.events]
    assert survey.ordered == (times == sorted(times))
    faults = []
    sent = []
    rows = 0
    for chunk in chunks_of(ordered.batches(), False, Window(), chunk_events=5):
        faults += [(one.number, one.fault.reason, one.line) for one in chunk.batch.faults]
        rows = chunk.rows
        request = chunk.request("default")
        if request is None:
            continue
        columns = request.columns
        users = len(columns.user_ids)
        for row, event_id in enumerate(columns.event_ids):
            subject = columns.subjects[row]
            has_value = bool(columns.values) and (not columns.has_value or columns.has_value[row])
            sent.append(
                (
                    event_id,
                    columns.user_ids[subject - 1] if subject <= users else "",
                    columns.session_ids[subject - users - 1] if subject > users else "",
                    columns.item_ids[columns.items[row]],
                    columns.types[columns.type_indices[row]],
                    columns.event_times_us[row],
                    columns.values[row] if has_value else None,
                )
            )
    assert rows == made.rows
    return faults, sent


def in_order(made: MadeFile) -> list[Truth]:
    """Return the events in order of time, those of one time in order of their rows."""
    return sorted(made.events, key=lambda event: (event.time_us, event.number))


def said(event: Truth) -> Said:
    """Return what an event says, its id left out."""
    return event.user, event.session, event.item, event.type, event.time_us, event.value


def first_of_ids(
    sent: list[tuple[str, str, str, str, str, int, float | None]],
) -> list[tuple[str, str, str, str, str, int, float | None]]:
    """Return the events without those whose id came before."""
    found: dict[str, tuple[str, str, str, str, str, int, float | None]] = {}
    for event in sent:
        found.setdefault(event[0], event)
    return list(found.values())
