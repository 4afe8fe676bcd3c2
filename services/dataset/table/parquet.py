"""Parquet files as blocks of columns, a batch of a row group at a time. Needs pyarrow."""

import importlib
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, BinaryIO, cast

from services.dataset.faults import SourceError
from services.dataset.source.packing import DAMAGED, head_of
from services.dataset.source.parts import Part
from services.dataset.table.block import Block, Cells, LazyColumns
from services.dataset.table.names import column_name, twice_in
from services.dataset.values.cells import Moment, plain_cell

_BLOCK_ROWS = 20_000
_PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
MAGIC = b"PAR1"


class ParquetPart:
    """One Parquet file, read from its beginning any number of times."""

    def __init__(self, part: Part) -> None:
        """Read the schema.

        Raises:
            SourceError: it is damaged, or pyarrow is missing.

        """
        self._part = part
        with self._opened() as file:
            self._raw: Sequence[str] = list(file.schema_arrow.names)
        self.columns = [column_name(name) for name in self._raw]
        self.twice = twice_in(self.columns)

    def blocks(self, first_number: int) -> Iterator[Block]:
        """Yield all rows, numbered from `first_number`.

        Raises:
            SourceError: the file is damaged.

        """
        arrow = _arrow("pyarrow")
        number = first_number
        try:
            with self._opened() as file:
                # One group after the other: asked for all at once, they are buffered ahead.
                for group in range(file.num_row_groups):
                    for batch in file.iter_batches(_BLOCK_ROWS, row_groups=[group]):
                        yield self._block(batch, number)
                        number += batch.num_rows
        except (arrow.ArrowException, OSError, ValueError) as error:
            raise SourceError(f"{self._part.name} is damaged: {error}") from error

    def _block(self, batch: Any, number: int) -> Block:
        places = {name: place for place, name in reversed(list(enumerate(self.columns)))}

        def make(name: str) -> Cells:
            return _cells(batch.column(places[name]))

        numbers = range(number, number + batch.num_rows)
        columns = LazyColumns(self.columns, make)
        return Block(self._part.name, numbers, [0] * batch.num_rows, columns)

    @contextmanager
    def _opened(self) -> Iterator[Any]:
        arrow, parquet = _arrow("pyarrow"), _arrow("pyarrow.parquet")
        # The reader closes what it opened itself, and this it did not.
        with self._seekable() as opened:
            try:
                file = parquet.ParquetFile(opened, coerce_int96_timestamp_unit="us")
            except (arrow.ArrowException, OSError) as error:
                raise SourceError(f"{self._part.name} is damaged: {error}") from error
            with file:
                yield file

    @contextmanager
    def _seekable(self) -> Iterator[BinaryIO]:
        """Open the file; a packed one is unpacked on disk, since reading begins at its end."""
        with self._part.open() as opened:
            if head_of(self._part.path).startswith(MAGIC):
                yield opened
                return
            with tempfile.TemporaryFile(prefix="harken-") as unpacked:
                try:
                    shutil.copyfileobj(opened, unpacked)
                except DAMAGED as error:
                    raise SourceError(f"{self._part.name} is damaged: {error}") from error
                unpacked.seek(0)
                yield cast("BinaryIO", unpacked)


def _cells(array: Any) -> Cells:
    """Return an Arrow array as plain cells. Times are cut to microseconds, which Python has."""
    arrow = _arrow("pyarrow")
    kind = array.type
    if arrow.types.is_dictionary(kind):
        array = array.dictionary_decode()
        kind = array.type
    if arrow.types.is_timestamp(kind):
        # As whole numbers: Python's times end at the years 1 and 9999, and raise beyond.
        return _timestamps(array, kind)
    try:
        cells: list[object] = array.to_pylist()
    except (ValueError, OverflowError):
        # Python has no such day, time or text: then only the cells that are one are odd.
        return [_cell(scalar) for scalar in array]
    if arrow.types.is_string(kind) or arrow.types.is_large_string(kind):
        return cells
    return [plain_cell(cell) for cell in cells]


def _cell(scalar: Any) -> object:
    """Return one cell that may hold what Python does not have."""
    types = _arrow("pyarrow.types")
    kind = scalar.type
    if not scalar.is_valid:
        return None
    if types.is_timestamp(kind):
        return Moment(scalar.value * 10**6 // _PER_SECOND[kind.unit], kind.tz is not None)
    if types.is_date32(kind):
        return Moment(scalar.value * 86_400 * 10**6, aware=False)
    if types.is_date64(kind):
        return Moment(scalar.value * 1000, aware=False)
    if types.is_time64(kind) or types.is_duration(kind):
        micros = scalar.value * 10**6 // _PER_SECOND[kind.unit]
        return str(timedelta(microseconds=micros))
    if types.is_struct(kind):
        return {name: _cell(scalar[place]) for place, name in enumerate(kind.names)}
    if types.is_map(kind):
        return [{"key": _cell(one["key"]), "value": _cell(one["value"])} for one in scalar.values]
    if types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        return [_cell(one) for one in scalar.values]
    if types.is_string(kind) or types.is_large_string(kind):
        return scalar.as_buffer().to_pybytes().decode("utf-8", "surrogateescape")
    return plain_cell(scalar.as_py())


def _timestamps(array: Any, kind: Any) -> Cells:
    arrow = _arrow("pyarrow")
    per_second = _PER_SECOND[kind.unit]
    aware = kind.tz is not None
    return [
        None if count is None else Moment(count * 10**6 // per_second, aware)
        for count in array.cast(arrow.int64()).to_pylist()
    ]


def _arrow(module: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError:
        raise SourceError(
            "reading Parquet needs pyarrow: pip install 'harken[eval]', or give CSV or JSON lines"
        ) from None
