"""Small sources for tests of the reader."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from services.dataset.faults import FaultyRow
from services.dataset.fields.event_fields import EventOptions, event_fields
from services.dataset.history.event_batch import EventBatch, EventReader
from services.dataset.table.options import ReadOptions
from services.dataset.table.table import Source, Table, open_table


def written(path: Path, content: str | bytes) -> Path:
    """Write a file, folders too."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


@contextmanager
def table_of(*files: Path | str, **options: object) -> Iterator[Table]:
    """Open files; `options` as in ReadOptions."""
    with open_table(Source(tuple(map(str, files))), ReadOptions(**options)) as table:  # type: ignore[arg-type]
        yield table


def rows_of(*files: Path | str, **options: object) -> list[dict[str, object]]:
    """Return the rows that can be read."""
    with table_of(*files, **options) as table:
        return [block.row(index) for block in table.blocks() for index in range(block.rows)]


def faults_of(*files: Path | str, **options: object) -> list[FaultyRow]:
    """Return the rows that cannot be read."""
    with table_of(*files, **options) as table:
        return [fault for block in table.blocks() for fault in block.faults]


def places_of(*files: Path | str, **options: object) -> list[tuple[int, int, str]]:
    """Return number, line and reason of all rows in order; "" where they can be read."""
    with table_of(*files, **options) as table:
        blocks = list(table.blocks())
    good = [
        (number, line, "")
        for block in blocks
        for number, line in zip(block.numbers, block.lines, strict=True)
    ]
    bad = [(one.number, one.line, one.fault.reason) for b in blocks for one in b.faults]
    return sorted(good + bad)


def notes_of(*files: Path | str, **options: object) -> list[str]:
    """Return what the reader has to say, once all is read."""
    with table_of(*files, **options) as table:
        for _ in table.blocks():
            pass
        return list(table.notes.texts)


def batches_of(
    file: Path | str, fields: EventOptions | None = None, **options: object
) -> list[EventBatch]:
    """Return the events of a file; their type is "view" where no column says it."""
    with table_of(file, **options) as table:
        reader = EventReader(table, event_fields(table, fields or EventOptions(), "view"))
        return list(reader.batches())


def events_of(batches: Sequence[EventBatch]) -> list[tuple[str, str]]:
    return [event for one in batches for event in zip(one.users, one.items, strict=True)]


def reasons_of(batches: Sequence[EventBatch]) -> list[tuple[int, str, str]]:
    return [(one.number, one.fault.reason, one.fault.column) for b in batches for one in b.faults]
