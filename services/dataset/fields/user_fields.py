"""Which columns of a table hold what of a user, and the attributes that its rows say."""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto

from services.common.validation import id_fault
from services.dataset.faults import FaultyRow, RowFault, RowFaultError
from services.dataset.fields.columns import Columns, find_column, require_column
from services.dataset.table.block import Block
from services.dataset.table.table import Table
from services.dataset.values.cells import ABSENT, Moment, text_of

EXPORT_COLUMNS = ("user", "session", "attributes")
"""Of `harken export --kind users`: ids of such a file are taken as they are."""
_EXACT_INTEGERS = 2**53


@dataclass(frozen=True, slots=True)
class UserFields:
    """Where users are, and the columns that become attributes of the same name.

    whole: a column holds all attributes as one object, which replaces what there was.
    """

    user: str | None
    session: str | None
    attributes: Sequence[str]
    whole: str | None
    exact: bool


@dataclass(frozen=True, slots=True)
class UserRow:
    """Attributes as a row says them; `given`: which, None: all there are. A value of None is
    removed. `block` and `index`: where the row stands.
    """

    user: str
    session: str
    attributes: Mapping[str, object]
    given: tuple[str, ...] | None
    block: Block
    index: int

    def faulty(self, fault: RowFault) -> FaultyRow:
        """Return the row as one that was not taken."""
        return _faulty(self.block, self.index, fault)


def user_fields(
    table: Columns, user: str | None = None, attributes: Sequence[str] | None = None
) -> UserFields:
    """Return where the fields are; without `attributes` all columns but the user's are attributes.

    Raises:
        ColumnError: there is no column of ids, or a column given is not there, or one is twice.

    """
    exact = set(table.columns) == set(EXPORT_COLUMNS)
    if exact:
        return UserFields("user", "session", (), "attributes", exact)
    column = require_column("user", table, user)
    if attributes is not None:
        wanted = [found for name in attributes if (found := find_column("user", table, name))]
        return UserFields(column, None, wanted, None, exact)
    wanted = [name for name in table.columns if name and name != column]
    for name in wanted:
        table.check_once(name)
    return UserFields(column, None, wanted, None, exact)


class _Kind(Enum):
    """What all cells of a column are."""

    NOTHING = auto()
    NUMBER = auto()
    TRUTH = auto()
    STRUCTURE = auto()
    TEXT = auto()


class UserReader:
    """Reads the users of a table, row by row. An attribute is of one type in all rows: numbers or
    truth where all cells are, otherwise text, so that 02139 and 10115 are alike.
    """

    def __init__(self, table: Table, fields: UserFields) -> None:
        self._table = table
        self._fields = fields
        self._kinds: Mapping[str, _Kind] | None = None

    def rows(self) -> Iterator[UserRow | FaultyRow]:
        """Yield all rows in order; the table is looked through once before.

        Raises:
            SourceError: the table is damaged.

        """
        kinds = self._found_kinds()
        for block in self._table.blocks():
            waiting = sorted(block.faults, key=lambda one: one.number, reverse=True)
            for index, number in enumerate(block.numbers):
                while waiting and waiting[-1].number < number:
                    yield waiting.pop()
                yield self._row(block, index, kinds)
            yield from reversed(waiting)

    def _found_kinds(self) -> Mapping[str, _Kind]:
        if self._kinds is None:
            kinds = dict.fromkeys(self._fields.attributes, _Kind.NOTHING)
            for block in self._table.blocks() if kinds else ():
                for name in kinds:
                    if kinds[name] is not _Kind.TEXT:
                        found = {_kind(cell) for cell in block.column(name)} - {_Kind.NOTHING}
                        if kinds[name] is not _Kind.NOTHING:
                            found.add(kinds[name])
                        if found:
                            kinds[name] = found.pop() if len(found) == 1 else _Kind.TEXT
            self._kinds = kinds
        return self._kinds

    def _row(self, block: Block, index: int, kinds: Mapping[str, _Kind]) -> UserRow | FaultyRow:
        column = self._fields.user or self._fields.session or ""
        try:
            user = self._id(block, index, self._fields.user)
            session = "" if user else self._id(block, index, self._fields.session)
            if not (user or session):
                fault = RowFault("MISSING_SUBJECT", "no user is given", column)
                return _faulty(block, index, fault)
            if self._fields.whole is not None:
                column = self._fields.whole
                return UserRow(user, session, _object(block.column(column)[index]), None, block,
                               index)  # fmt: skip
            attributes: dict[str, object] = {}
            for column, kind in kinds.items():
                cell = block.column(column)[index]
                if cell is not ABSENT:
                    attributes[column] = _value(cell, kind)
        except RowFaultError as error:
            return _faulty(block, index, error.fault(column, block.column(column)[index]))
        return UserRow(user, session, attributes, tuple(attributes), block, index)

    def _id(self, block: Block, index: int, column: str | None) -> str:
        if column is None:
            return ""
        cell = block.column(column)[index]
        text = cell if self._fields.exact and isinstance(cell, str) else text_of(cell)
        try:
            fault = id_fault(text) if text else None
        except UnicodeEncodeError:
            raise RowFaultError("INVALID_UTF8", "the cell holds what is no UTF-8") from None
        if fault is not None:
            raise RowFaultError("INVALID_ID", f"the id {fault}")
        return text


def _kind(cell: object) -> _Kind:
    if cell is None or cell is ABSENT:
        return _Kind.NOTHING
    if isinstance(cell, str):
        text = cell.strip()
        if not text:
            return _Kind.NOTHING
        return _Kind.TEXT if _number_in(text) is None else _Kind.NUMBER
    if isinstance(cell, bool):
        return _Kind.TRUTH
    if isinstance(cell, int):
        return _Kind.NUMBER if abs(cell) <= _EXACT_INTEGERS else _Kind.TEXT
    if isinstance(cell, float):
        return _Kind.NUMBER
    return _Kind.TEXT if isinstance(cell, Moment) else _Kind.STRUCTURE


def _number_in(text: str) -> float | None:
    """Return the number that a text writes, None unless nothing is lost by it: "02139" is a code,
    and so is what a double cannot hold exactly.
    """
    try:
        number = float(text)
    except ValueError:
        return None
    exact = math.isfinite(number) and text in (repr(number), f"{number:.0f}")
    return number if exact else None


def _value(cell: object, kind: _Kind) -> object:
    if kind is _Kind.NUMBER and isinstance(cell, str):
        return _number_in(cell.strip())
    if cell is None or (isinstance(cell, str) and not cell.strip()):
        return None
    if kind is _Kind.TEXT:
        if isinstance(cell, bool):
            return str(cell).lower()
        if isinstance(cell, Mapping | list):
            return json.dumps(cell, ensure_ascii=False, default=str)
        cell = text_of(cell)
    if isinstance(cell, str):
        try:
            cell.encode()
        except UnicodeEncodeError:
            raise RowFaultError("INVALID_UTF8", "the cell holds what is no UTF-8") from None
        if "\x00" in cell:
            raise RowFaultError("INVALID_TEXT", "the cell holds a zero character")
    return cell


def _object(cell: object) -> Mapping[str, object]:
    if isinstance(cell, str):
        try:
            cell = json.loads(cell) if cell.strip() else {}
        except ValueError as error:
            raise RowFaultError("INVALID_VALUE", f"it is no JSON object: {error}") from None
    if not isinstance(cell, Mapping):
        raise RowFaultError("INVALID_VALUE", "it is no JSON object")
    return cell


def _faulty(block: Block, index: int, fault: RowFault) -> FaultyRow:
    return FaultyRow(block.numbers[index], block.lines[index], block.file, fault, block.row(index))
