"""Which columns of a table hold what of an item, and the items that its rows say."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from google.protobuf.timestamp_pb2 import Timestamp

from services.common.content_features import Content
from services.common.validation import id_fault
from services.dataset.faults import FaultyRow, RowFault, RowFaultError, shown
from services.dataset.fields.columns import (
    ITEM_FILE_IDS,
    NUMBER_COLUMNS,
    Columns,
    find_column,
    require_column,
)
from services.dataset.table.block import Block
from services.dataset.table.table import Table
from services.dataset.values.cells import (
    ABSENT,
    DecimalMark,
    list_of,
    number_of,
    text_of,
    truth_of,
)
from services.dataset.values.times import TimeOptions, TimeReader

EXPORT_COLUMNS = ("item", "title", "description", "categories", "tags", "numbers", "available",
                  "expire_time", "publish_time", "owner")  # fmt: skip
"""Of `harken export --kind items`: texts of such a file are taken as they are. Exports of earlier
versions have no owner."""
_YEAR = re.compile(r"(19\d\d|20\d\d)(?:-(\d\d))?", re.ASCII)
_RFC_3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z", re.ASCII)


@dataclass(frozen=True, slots=True)
class ItemOptions:
    """What the caller says about items; a column that is None is found by its name.

    numbers: columns that are numbers; None: those of NUMBER_COLUMNS. separator: what parts
    categories and tags, " " any white space. decimal: how numbers in text are written.
    """

    item: str | None = None
    title: str | None = None
    description: str | None = None
    categories: str | None = None
    tags: str | None = None
    available: str | None = None
    publish_time: str | None = None
    expire_time: str | None = None
    owner: str | None = None
    numbers: Sequence[str] | None = None
    separator: str = "|"
    times: TimeOptions = field(default_factory=TimeOptions)
    decimal: DecimalMark = DecimalMark.POINT


@dataclass(frozen=True, slots=True)
class ItemFields:
    """Where the fields of items are; None: nowhere.

    numbers: columns of one number each, by the name of the number. all_numbers: column of an object
    of numbers. strict_numbers: a cell that is no number is a fault, otherwise it is left out.
    exact: texts are taken as they are.
    """

    item: str
    title: str | None
    description: str | None
    categories: str | None
    tags: str | None
    available: str | None
    publish_time: str | None
    expire_time: str | None
    owner: str | None
    numbers: Sequence[str]
    all_numbers: str | None
    strict_numbers: bool
    separator: str
    times: TimeOptions
    decimal: DecimalMark
    exact: bool


@dataclass(frozen=True, slots=True)
class ItemRow:
    """An item as a row says it: of its fields those named in `given`, the others are as they were.

    `given` has "title", "description", "categories", "tags", "available", "publish_time",
    "expire_time", "owner", "numbers" for all numbers, and "numbers.<name>" for one. Times are unix
    nanoseconds. `block` and `index`: where the row stands.
    """

    content: Content
    available: bool | None
    publish_time_ns: int | None
    expire_time_ns: int | None
    owner: str
    given: tuple[str, ...]
    block: Block
    index: int

    def faulty(self, fault: RowFault) -> FaultyRow:
        """Return the row as one that was not taken."""
        return _faulty(self.block, self.index, fault)


def item_fields(table: Columns, options: ItemOptions) -> ItemFields:
    """Return where the fields are.

    Raises:
        ColumnError: there is no column of ids, or a column given is not there, or one is twice.

    """
    exact = {*table.columns, "owner"} == set(EXPORT_COLUMNS)
    wanted = [name.strip().lower() for name in options.numbers or NUMBER_COLUMNS]
    for name in options.numbers or ():
        find_column("item", table, name)
    return ItemFields(
        item=require_column("item", table, options.item, ITEM_FILE_IDS),
        title=find_column("title", table, options.title),
        description=find_column("description", table, options.description),
        categories=find_column("categories", table, options.categories),
        tags=find_column("tags", table, options.tags),
        available=find_column("available", table, options.available),
        publish_time=find_column("publish_time", table, options.publish_time),
        expire_time=find_column("expire_time", table, options.expire_time),
        owner=find_column("owner", table, options.owner),
        numbers=[name for name in wanted if table.has(name)],
        all_numbers="numbers" if exact else None,
        strict_numbers=options.numbers is not None,
        separator=options.separator,
        times=options.times,
        decimal=options.decimal,
        exact=exact,
    )


def unused_columns(table: Columns, fields: ItemFields) -> Sequence[str]:
    """Return the columns that become no field of an item."""
    used = {fields.item, fields.title, fields.description, fields.categories, fields.tags,
            fields.available, fields.publish_time, fields.expire_time, fields.owner,
            fields.all_numbers, *fields.numbers} - {None}  # fmt: skip
    return [
        name
        for name in table.columns
        if name and not any(one == name or str(one).startswith(f"{name}.") for one in used)
    ]


class ItemReader:
    """Reads the items of a table, row by row."""

    def __init__(self, table: Table, fields: ItemFields) -> None:
        self._table = table
        self._fields = fields
        self._times = TimeReader(fields.times)

    def rows(self) -> Iterator[ItemRow | FaultyRow]:
        """Yield all rows in order.

        Raises:
            SourceError: the table is damaged.

        """
        for block in self._table.blocks():
            waiting = sorted(block.faults, key=lambda one: one.number, reverse=True)
            for index, number in enumerate(block.numbers):
                while waiting and waiting[-1].number < number:
                    yield waiting.pop()
                yield self._row(block, index)
            yield from reversed(waiting)

    def _row(self, block: Block, index: int) -> ItemRow | FaultyRow:
        fields = self._fields
        given: list[str] = []
        column = fields.item

        def cell(name: str | None, field_name: str) -> object:
            nonlocal column
            if name is None:
                return None
            column = name
            found = block.column(name)[index]
            if found is ABSENT:
                return None
            given.append(field_name)
            return found

        def text(name: str | None, field_name: str) -> str:
            return self._text(cell(name, field_name))

        def labels(name: str | None, field_name: str) -> tuple[str, ...]:
            found = cell(name, field_name)
            parts = list_of(found, fields.separator) if found is not None else []
            _check_text("".join(parts))
            return tuple(parts)

        try:
            item_id = self._item_id(block, index)
            content = Content(
                item_id=item_id,
                title=text(fields.title, "title"),
                description=text(fields.description, "description"),
                categories=labels(fields.categories, "categories"),
                tags=labels(fields.tags, "tags"),
                numbers=self._numbers(block, index, given),
            )
            available = truth_of(cell(fields.available, "available"))
            publish = self._time(cell(fields.publish_time, "publish_time"))
            expire = self._time(cell(fields.expire_time, "expire_time"))
            owner = text(fields.owner, "owner")
        except _CellError as error:
            return _faulty(block, index, error.found)
        except RowFaultError as error:
            return _faulty(block, index, error.fault(column, block.column(column)[index]))
        if publish is None and "publish_time" in given:
            # Once set it can be changed, not removed.
            given.remove("publish_time")
        return ItemRow(content, available, publish, expire, owner, tuple(given), block, index)

    def _item_id(self, block: Block, index: int) -> str:
        found = block.column(self._fields.item)[index]
        item_id = self._text(found)
        if not item_id:
            raise RowFaultError("MISSING_ITEM", "no item is given")
        fault = id_fault(item_id)
        if fault is not None:
            raise RowFaultError("INVALID_ID", f"the id {fault}")
        return item_id

    def _text(self, cell: object) -> str:
        text = cell if self._fields.exact and isinstance(cell, str) else text_of(cell)
        _check_text(text)
        return text

    def _numbers(self, block: Block, index: int, given: list[str]) -> Mapping[str, float]:
        fields = self._fields
        numbers: dict[str, float] = {}
        if fields.all_numbers is not None:
            given.append("numbers")
            return _object_of_numbers(block.column(fields.all_numbers)[index], fields.all_numbers)
        for column in fields.numbers:
            cell = block.column(column)[index]
            if cell is ABSENT:
                continue
            given.append(f"numbers.{column}")
            try:
                number = number_of(cell, fields.decimal)
            except RowFaultError as error:
                if fields.strict_numbers:
                    raise _CellError(error.fault(column, cell)) from None
                self._table.notes.say(
                    f"{column}: cells that are no numbers are left out, first {shown(cell)!r} in "
                    f"row {block.numbers[index]} (--number {column} rejects such rows)",
                    about=f"{column}: no number",
                )
                continue
            if number is not None:
                numbers[column] = number
        return numbers

    def _time(self, cell: object) -> int | None:
        if isinstance(cell, str | int) and (year := _YEAR.fullmatch(str(cell).strip())):
            # Of items, a year alone is no unix time.
            cell = f"{year[1]}-{year[2] or '01'}-01"
        if isinstance(cell, str) and _RFC_3339.fullmatch(cell):
            # To the nanosecond, as the catalogue has it.
            time = Timestamp()
            try:
                time.FromJsonString(cell)
            except ValueError as error:
                raise RowFaultError("INVALID_TIME", str(error)) from None
            return time.ToNanoseconds()
        micros = self._times.read(cell)
        return None if micros is None else micros * 1000


def read_items(table: Table, options: ItemOptions | None = None) -> "Items":
    """Return the content of all items of a table.

    Of several rows of one item the last one counts, in the fields that it has.

    Raises:
        ColumnError: there is no column of ids, or a column given is not there, or one is twice.
        SourceError: the table is damaged.

    """
    items = Items()
    for row in ItemReader(table, item_fields(table, options or ItemOptions())).rows():
        if isinstance(row, FaultyRow):
            items.rejected[row.fault.reason] = items.rejected.get(row.fault.reason, 0) + 1
            continue
        content = row.content
        known = items.contents.get(content.item_id)
        items.contents[content.item_id] = content if known is None else _merged(known, row)
    return items


@dataclass(slots=True)
class Items:
    """Contents by item id, and rows that were left out by reason."""

    contents: dict[str, Content] = field(default_factory=dict)
    rejected: dict[str, int] = field(default_factory=dict)


class _CellError(Exception):
    def __init__(self, found: RowFault) -> None:
        super().__init__(found.detail)
        self.found = found


def _merged(known: Content, row: ItemRow) -> Content:
    changes = {
        name: getattr(row.content, name)
        for name in ("title", "description", "categories", "tags")
        if name in row.given
    }
    numbers = {} if "numbers" in row.given else dict(known.numbers)
    for name in row.given:
        if name.startswith("numbers."):
            numbers.pop(name.removeprefix("numbers."), None)
    return replace(known, **changes, numbers={**numbers, **row.content.numbers})


def _check_text(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise RowFaultError("INVALID_UTF8", "the cell holds what is no UTF-8") from None


def _object_of_numbers(cell: object, column: str) -> Mapping[str, float]:
    if isinstance(cell, str):
        try:
            cell = json.loads(cell) if cell.strip() else {}
        except ValueError as error:
            fault = RowFault("INVALID_VALUE", f"it is no JSON object: {error}", column, shown(cell))
            raise _CellError(fault) from None
    numbers: dict[str, float] = {}
    for name, one in (cell if isinstance(cell, Mapping) else {}).items():
        try:
            _check_text(str(name))
            number = number_of(one)
        except RowFaultError as error:
            raise _CellError(error.fault(f"{column}.{name}", one)) from None
        if number is not None:
            numbers[str(name)] = number
    return numbers


def _faulty(block: Block, index: int, fault: RowFault) -> FaultyRow:
    return FaultyRow(block.numbers[index], block.lines[index], block.file, fault, block.row(index))
