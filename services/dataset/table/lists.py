"""A list in each row whose elements are the rows: events of a session in one line, for example."""

from collections.abc import Mapping

from services.dataset.faults import FaultyRow, RowFault, shown
from services.dataset.table.block import Block, LazyColumns, Notes
from services.dataset.values.cells import ABSENT


def elements_of(block: Block, path: str, number: int, notes: Notes) -> Block:
    """Return a row for each element of the list at `path`, numbered from `number`.

    An element has all cells of its row, and itself in the place of the list, so that the fields of
    an object are "<path>.<name>". A row without the list, or with an empty one, has no elements;
    one with something else in its place is faulty.
    """
    parents: list[int] = []
    elements: list[object] = []
    numbers: list[int] = []
    faults: list[FaultyRow] = []
    # Faulty rows of the block keep their place among the others.
    waiting = sorted(block.faults, key=lambda fault: fault.number, reverse=True)
    for index, cell in enumerate(block.column(path)):
        while waiting and waiting[-1].number < block.numbers[index]:
            faults.append(waiting.pop().numbered(number))
            number += 1
        if cell is None or cell is ABSENT or cell == []:
            notes.say(
                f"{block.file}: rows without elements in {path}, first in row "
                f"{block.numbers[index]}",
                about=f"{block.file}: empty",
            )
            continue
        if not isinstance(cell, list):
            what = "an object" if isinstance(cell, Mapping) else repr(shown(cell)[:32])
            fault = RowFault("INVALID_LIST", f"{path} is {what}, not a list", path, shown(cell))
            faults.append(FaultyRow(number, block.lines[index], block.file, fault))
            number += 1
            continue
        for element in cell:
            parents.append(index)
            elements.append(element)
            numbers.append(number)
            number += 1
    while waiting:
        faults.append(waiting.pop().numbered(number))
        number += 1

    def make(name: str) -> list[object]:
        if name == path:
            return elements
        column = block.columns[name]
        return [column[index] for index in parents]

    names = [*(name for name in block.columns if name != path), path]
    lines = [block.lines[index] for index in parents]
    columns = LazyColumns(names, make)
    return Block(block.file, numbers, lines, columns, faults, block.suspect)
