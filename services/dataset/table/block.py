"""Consecutive rows of a table, by column."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from services.dataset.faults import FaultyRow
from services.dataset.values.cells import ABSENT, plain_cell

Cells = Sequence[object]


@dataclass(frozen=True, slots=True)
class Block:
    """Some rows, in order, and those between them that cannot be read.

    `numbers` [n] count the rows of the source from 1, faulty ones too; `lines` [n] the lines of
    `file`, 0 where there are none. `columns`: cells by column, [n] each; computed when asked for.
    `suspect`: texts may hold what is no UTF-8, as surrogates.
    """

    file: str
    numbers: Sequence[int]
    lines: Sequence[int]
    columns: Mapping[str, Cells]
    faults: Sequence[FaultyRow] = ()
    suspect: bool = False

    @property
    def rows(self) -> int:
        """Return how many rows can be read."""
        return len(self.numbers)

    @property
    def all_rows(self) -> int:
        """Return how many rows there are."""
        return len(self.numbers) + len(self.faults)

    def column(self, name: str) -> Cells:
        """Return the cells of a column [n]; a name with dots is a path into its objects.

        ABSENT where a row has no such field.
        """
        if name in self.columns:
            return self.columns[name]
        place = name.rfind(".")
        while place > 0:
            if name[:place] in self.columns:
                path = name[place + 1 :].split(".")
                return [_inside(cell, path) for cell in self.columns[name[:place]]]
            place = name.rfind(".", 0, place)
        return [ABSENT] * self.rows

    def row(self, index: int) -> dict[str, object]:
        """Return a row by column name, without what it does not have."""
        cells = {name: column[index] for name, column in self.columns.items()}
        return {name: cell for name, cell in cells.items() if cell is not ABSENT}


class LazyColumns(Mapping[str, Cells]):
    """Columns that are made when they are asked for, once."""

    def __init__(self, names: Sequence[str], make: Callable[[str], Cells]) -> None:
        self._names = dict.fromkeys(names)
        self._make = make
        self._made: dict[str, Cells] = {}

    def __getitem__(self, name: str) -> Cells:
        if name not in self._names:
            raise KeyError(name)
        if name not in self._made:
            self._made[name] = self._make(name)
        return self._made[name]

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


@dataclass(slots=True)
class Notes:
    """What a reader has to say about a source, in order, each once."""

    _said: dict[str, str] = field(default_factory=dict)

    @property
    def texts(self) -> Sequence[str]:
        """Return all sentences."""
        return list(self._said.values())

    def say(self, text: str, about: str | None = None) -> None:
        """Note a sentence: the first one of those that are about the same, by default itself."""
        self._said.setdefault(text if about is None else about, text)


def _inside(cell: object, path: Sequence[str]) -> object:
    for name in path:
        if isinstance(cell, str) and cell.lstrip()[:1] == "{":
            # An object as databases and CSV have it: as text.
            try:
                cell = plain_cell(json.loads(cell))
            except ValueError:
                return ABSENT
        if not isinstance(cell, Mapping):
            return None if cell is None else ABSENT
        found = cell.get(name, ABSENT)
        if found is ABSENT:
            found = next((one for key, one in cell.items() if key.lower() == name), ABSENT)
        cell = found
    return cell
