"""Made files of events in any format, with what is right about them: the oracle is how they were
made, not how they are read.
"""

import bz2
import csv
import gzip
import importlib.util
import io
import json
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import zstandard
from hypothesis import strategies as st

from services.dataset.fields.event_fields import EventOptions
from services.dataset.table.options import Quoting, ReadOptions
from services.dataset.values.times import TimeOptions

FIRST_US = 1_500_000_000 * 10**6
SPAN_SECONDS = 100_000_000
ITEMS = ("a1", "b 2", "007", "été", "x,y", 'say "hi"', "12e10000", "9" * 20, "F")
UNKNOWN_ITEM = "not-in-the-catalogue"
TYPES = ("view", "purchase", "click")

# Parquet is made where pyarrow (extra `eval`) is installed.
FORMATS = ("csv", "csv", "csv", "jsonl", "array", "nested") + (
    ("parquet",) if importlib.util.find_spec("pyarrow") else ()
)

_NAMES = {
    "user": ("user", "user_id", "UserId", "customer_id"),
    "session": ("session", "session_id"),
    "item": ("item", "item_id", "ProductID", "sku"),
    "type": ("type", "event_type", "action"),
    "timestamp": ("timestamp", "event_time", "created_at", "ts"),
    "value": ("value", "rating"),
    "event_id": ("event_id", "messageId"),
}
_OWN_NAMES = {name: f"my {name}" for name in _NAMES}


@dataclass(frozen=True, slots=True)
class Row:
    """A row: the cells of its fields, and the reason why it is none, if there is one."""

    cells: Mapping[str, Any]
    reason: str = ""
    raw: str | None = None
    """The whole line, where it is no row."""


@dataclass(frozen=True, slots=True)
class Truth:
    """An event as a file says it; `number` of its row."""

    number: int
    user: str
    session: str
    item: str
    type: str
    time_us: int
    value: float | None
    event_id: str


@dataclass(frozen=True, slots=True)
class MadeFile:
    """A file, how to read it, and what is right: its events in order of the rows, and the faulty
    rows by number with reason and line (0: has none).
    """

    name: str
    content: bytes
    read: ReadOptions
    fields: EventOptions
    rows: int
    events: Sequence[Truth]
    faults: Mapping[int, tuple[str, int]]

    def write(self, folder: Path) -> Path:
        """Write the file into a folder."""
        path = folder / self.name
        path.write_bytes(self.content)
        return path


@dataclass(frozen=True, slots=True)
class _Style:
    """How a file is written."""

    format: str
    columns: Mapping[str, str]
    named: bool
    time: str
    packing: str
    delimiter: str = ","
    newline: str = "\n"
    last_newline: bool = True
    encoding: str = "utf-8"
    all_quoted: bool = False
    header: bool = True
    extra: bool = False
    blank_lines: Sequence[int] = field(default_factory=tuple)


def _texts(prefix: str) -> st.SearchStrategy[str]:
    plain = st.text("abcxyz0159-_.:", min_size=1, max_size=6)
    odd = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Zs", "Zl", "Zp")),
                  min_size=1, max_size=6)  # fmt: skip
    return st.one_of(plain, odd).map(lambda text: prefix + text)


@st.composite
def _event(draw: st.DrawFn, prefix: str, with_ids: bool, seconds_only: bool) -> dict[str, Any]:
    known = draw(st.booleans())
    name = draw(_texts(prefix))
    micros = draw(st.integers(0, SPAN_SECONDS)) * 10**6
    if not seconds_only:
        micros += draw(st.sampled_from((0, 0, 500_000, 123_456)))
    cells: dict[str, Any] = {
        "user": name if known else "",
        "session": "" if known else name,
        "item": draw(st.sampled_from((*ITEMS, UNKNOWN_ITEM))),
        "type": draw(st.sampled_from(TYPES)),
        "timestamp": FIRST_US + micros,
        "value": draw(st.sampled_from((None, None, 0.0, 1.5, 3.0, 0.1))),
    }
    if with_ids:
        cells["event_id"] = draw(st.one_of(st.just(""), _texts(f"{prefix}e")))
    return cells


_FAULTS: Sequence[tuple[str, Callable[[dict[str, Any]], None]]] = (
    ("MISSING_ITEM", lambda cells: cells.update(item="")),
    ("MISSING_SUBJECT", lambda cells: cells.update(user="", session="")),
    ("MISSING_TYPE", lambda cells: cells.update(type="")),
    ("MISSING_TIME", lambda cells: cells.update(timestamp=None)),
    ("INVALID_TIME", lambda cells: cells.update(timestamp="soon")),
    ("INVALID_TIME", lambda cells: cells.update(timestamp="-" + "9" * 25)),
    ("INVALID_VALUE", lambda cells: cells.update(value="much")),
    ("INVALID_VALUE", lambda cells: cells.update(value="1e999")),
    ("INVALID_ID", lambda cells: cells.update(item="i" * 129)),
    ("INVALID_ID", lambda cells: cells.update(item="a\x07b")),
)


@st.composite
def any_file(draw: st.DrawFn, prefix: str = "u") -> MadeFile:
    """Make a file; `prefix` goes before all ids of users, sessions and events."""
    with_ids = draw(st.booleans())
    style = draw(_styles(with_ids))
    rows: list[Row] = []
    seconds_only = style.time in ("seconds", "mail")
    for cells in draw(st.lists(_event(prefix, with_ids, seconds_only), max_size=12)):
        if style.delimiter == "::":
            # Where a colon ends and the delimiter begins, nobody can tell.
            for name in ("user", "session", "event_id"):
                if name in cells:
                    cells[name] = cells[name].replace(":", "-")
        kind = draw(st.integers(0, 9))
        if kind == 9:
            reason, spoil = draw(st.sampled_from(_FAULTS))
            spoil(cells)
            rows.append(Row(cells, reason))
        elif kind == 8 and style.format == "csv":
            rows.append(
                Row(cells, "WRONG_NUMBER_OF_CELLS", draw(st.sampled_from(("one", "x" * 9))))
            )
        elif kind == 8 and style.format == "jsonl":
            raw = draw(st.sampled_from(('{"user": ', "[1, 2]", '{"a": 1, "a": 2}', "null")))
            reason = "DUPLICATE_FIELD" if raw.startswith('{"a"') else "INVALID_JSON"
            rows.append(Row(cells, reason, raw))
        else:
            rows.append(Row(cells))
    return _made(rows, style)


@st.composite
def _styles(draw: st.DrawFn, with_ids: bool) -> _Style:
    names = [name for name in _NAMES if name != "event_id" or with_ids]
    names = list(draw(st.permutations(names)))
    named = draw(st.booleans())
    columns = {
        name: draw(st.sampled_from(_NAMES[name])) if not named else _OWN_NAMES[name]
        for name in names
    }
    form = draw(st.sampled_from(FORMATS))
    time = draw(st.sampled_from(("seconds", "millis", "micros", "nanos", "iso", "utc", "mail",
                                 "spaced")))  # fmt: skip
    packing = draw(st.sampled_from(("", "", "", "gz", "zst", "bz2", "zip")))
    if form != "csv":
        return _Style(form, columns, named, time, "" if form == "parquet" else packing,
                      extra=draw(st.booleans()))  # fmt: skip
    return _Style(
        form, columns, named, time, packing,
        delimiter=draw(st.sampled_from((",", ";", "\t", "|", "::"))),
        newline=draw(st.sampled_from(("\n", "\r\n"))),
        last_newline=draw(st.booleans()),
        encoding=draw(st.sampled_from(("utf-8", "utf-8", "utf-8-sig", "utf-16"))),
        all_quoted=draw(st.booleans()),
        header=draw(st.booleans()),
        extra=draw(st.booleans()),
        blank_lines=draw(st.lists(st.integers(0, 12), max_size=2)),
    )  # fmt: skip


def _made(rows: Sequence[Row], style: _Style) -> MadeFile:
    events = []
    faults: dict[int, tuple[str, int]] = {}
    lines: list[int]
    match style.format:
        case "csv":
            content, lines = _csv(rows, style)
        case "jsonl" | "nested":
            content, lines = _json_lines(rows, style)
        case "array":
            content, lines = _array(rows, style)
        case _:
            content, lines = _parquet(rows, style), [0] * len(rows)
    for number, row in enumerate(rows, 1):
        if row.reason:
            faults[number] = (row.reason, lines[number - 1])
        else:
            cells = row.cells
            events.append(
                Truth(number, cells["user"], cells["session"], cells["item"], cells["type"],
                      cells["timestamp"], cells["value"], cells.get("event_id", ""))
            )  # fmt: skip
    suffix = {"csv": ".csv", "jsonl": ".jsonl", "nested": ".jsonl", "array": ".json",
              "parquet": ".parquet"}[style.format]  # fmt: skip
    name, packed = _packed(f"events{suffix}", content, style.packing)
    return MadeFile(name, packed, _read_options(style), _event_options(style), len(rows), events,
                    faults)  # fmt: skip


def _read_options(style: _Style) -> ReadOptions:
    if style.format == "nested":
        return ReadOptions(lists="events")
    if style.format != "csv":
        return ReadOptions()
    names = [*style.columns.values(), *(("note",) if style.extra else ())]
    literal = style.delimiter == "::"
    return ReadOptions(
        delimiter=style.delimiter,
        columns=None if style.header else names,
        quoting=Quoting.NONE if literal else Quoting.AUTO,
        encoding=None,
    )


def _event_options(style: _Style) -> EventOptions:
    form = {"seconds": "unix", "millis": "unix_ms", "micros": "unix_us", "nanos": "unix_ns"}
    times = TimeOptions(format=form.get(style.time)) if style.named else TimeOptions()
    if not style.named and style.format != "nested":
        return EventOptions(times=times)
    before = "events." if style.format == "nested" else ""
    own = {name: f"{before}{column}" for name, column in style.columns.items()}
    return EventOptions(
        own["user"], own["session"], own["item"], own["timestamp"], own["type"], own["value"],
        own.get("event_id", ""), times=times,
    )  # fmt: skip


def _time(cell: Any, style: _Style) -> Any:
    if not isinstance(cell, int):
        return cell
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=cell)
    match style.time:
        case "seconds":
            return cell // 10**6
        case "millis":
            # What is more exact than that needs a fraction.
            return cell // 1000 if cell % 1000 == 0 else f"{cell // 1000}.{cell % 1000:03}"
        case "micros":
            return cell
        case "nanos":
            return cell * 1000
        case "iso":
            return moment.isoformat()
        case "utc":
            return f"{moment.replace(tzinfo=None)} UTC"
        case "mail":
            return format_datetime(moment)
        case _:
            return str(moment.replace(tzinfo=None))


def _plain(row: Row, style: _Style) -> dict[str, Any]:
    return {
        column: _time(row.cells[name], style) if name == "timestamp" else row.cells[name]
        for name, column in style.columns.items()
    }


def _csv(rows: Sequence[Row], style: _Style) -> tuple[bytes, list[int]]:
    names = [*style.columns.values(), *(("note",) if style.extra else ())]
    written: list[str] = [_line(names, style)] if style.header else []
    places: list[int] = []
    for number, row in enumerate(rows):
        for _ in range(list(style.blank_lines).count(number)):
            # A file whose first line is empty says nothing by it.
            written += [""] if written else []
        if row.raw is not None:
            written.append(row.raw)
        else:
            cells = ["" if cell is None else str(cell) for cell in _plain(row, style).values()]
            written.append(_line([*cells, *(("a, b",) if style.extra else ())], style))
        places.append(len(written))
    text = style.newline.join(written)
    if style.last_newline and written:
        text += style.newline
    return text.encode(style.encoding), places


def _line(cells: Sequence[str], style: _Style) -> str:
    if style.delimiter == "::":
        return "::".join(cells)
    line = io.StringIO()
    options: dict[str, Any] = {"quoting": csv.QUOTE_ALL if style.all_quoted else csv.QUOTE_MINIMAL}
    csv.writer(line, delimiter=style.delimiter, lineterminator="", **options).writerow(cells)
    return line.getvalue()


def _object(row: Row, style: _Style) -> dict[str, Any]:
    found = _plain(row, style)
    if style.extra:
        found["more"] = {"nested": [1, 2]}
    return found


def _json_lines(rows: Sequence[Row], style: _Style) -> tuple[bytes, list[int]]:
    if style.format == "nested":
        # All rows that are objects in one line; the others cannot be made there.
        whole = [row for row in rows if row.raw is None]
        assert len(whole) == len(rows)
        line = json.dumps({"day": 1, "events": [_object(row, style) for row in whole]})
        return (line + "\n").encode(), [1] * len(rows)
    lines = [row.raw if row.raw is not None else json.dumps(_object(row, style)) for row in rows]
    return "".join(f"{line}\n" for line in lines).encode(), list(range(1, len(rows) + 1))


def _array(rows: Sequence[Row], style: _Style) -> tuple[bytes, list[int]]:
    lines = [json.dumps(_object(row, style)) for row in rows]
    text = "[\n" + ",\n".join(lines) + "\n]\n"
    return text.encode(), list(range(2, len(rows) + 2))


def _parquet(rows: Sequence[Row], style: _Style) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = {}
    for column in style.columns.values():
        cells = [_plain(row, style)[column] for row in rows]
        table[column] = pa.array([None if cell is None else str(cell) for cell in cells],
                                 pa.string())  # fmt: skip
    file = io.BytesIO()
    pq.write_table(pa.table(table), file, row_group_size=5)
    return file.getvalue()


def _packed(name: str, content: bytes, packing: str) -> tuple[str, bytes]:
    match packing:
        case "gz":
            return f"{name}.gz", gzip.compress(content, 1)
        case "zst":
            return f"{name}.zst", zstandard.compress(content, 1)
        case "bz2":
            return f"{name}.bz2", bz2.compress(content, 1)
        case "zip":
            file = io.BytesIO()
            with zipfile.ZipFile(file, "w") as archive:
                archive.writestr(name, content)
            return f"{name}.zip", file.getvalue()
        case _:
            return name, content
