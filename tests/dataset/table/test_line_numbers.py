"""Line and row numbers are exact, wherever the pieces end that a file is read in."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.dataset.faults import SourceError
from services.dataset.source.parts import parts_of
from services.dataset.table import delimited
from services.dataset.table.block import Notes
from services.dataset.table.delimited import DelimitedPart
from services.dataset.table.options import ReadOptions
from tests.dataset.tables import written

Place = tuple[int, int, object]
"""Row number, line, and the cells, or the reason of a fault."""

lines_and_rows = st.sampled_from(
    [
        # Text of a record, how many lines it takes, and its cells; None: no row; a text: a fault.
        ("a,1,x", 1, ("a", "1", "x")),
        ("ä,é,\U0001f600", 1, ("ä", "é", "\U0001f600")),
        ("", 1, None),
        ("   ", 1, None),
        ("a,1", 1, "WRONG_NUMBER_OF_CELLS"),
        ("a,1,x,y", 1, "WRONG_NUMBER_OF_CELLS"),
        ('"q",1,"x, y"', 1, ("q", "1", "x, y")),
        ('b,2,12" disc', 1, ("b", "2", '12" disc')),
        ('b,2,"Dr" No', 1, ("b", "2", '"Dr" No')),
        ('c,3,"one\ntwo"', 2, ("c", "3", "one\ntwo")),
        ('c,3,"one\n\n""two"",\nthree"', 4, ("c", "3", 'one\n\n"two",\nthree')),
    ]
)
Record = tuple[str, int, object]


def read(path: Path, size: int) -> list[Place]:
    with parts_of([str(path)]) as (part,):
        opened = DelimitedPart(part, ReadOptions(), Notes(), size)
        found: list[Place] = []
        for block in opened.blocks(1):
            columns = [block.column(name) for name in ("user", "item", "title")]
            cells = zip(*columns, strict=True)
            found += zip(block.numbers, block.lines, cells, strict=True)
            found += [(one.number, one.line, one.fault.reason) for one in block.faults]
    return sorted(found, key=lambda place: place[0])


@given(
    records=st.lists(lines_and_rows, max_size=12),
    size=st.integers(1, 60),
    last_newline=st.booleans(),
    crlf=st.booleans(),
)
def test_places_do_not_depend_on_how_a_file_is_read(
    records: list[Record], size: int, last_newline: bool, crlf: bool,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:  # fmt: skip
    text = "user,item,title\n" + "\n".join(record[0] for record in records)
    text += "\n" if last_newline else ""
    wanted: list[Place] = []
    line = 2
    for _, lines, row in records:
        if row is not None:
            wanted.append((len(wanted) + 1, line, row))
        line += lines
    if crlf:
        text = text.replace("\n", "\r\n")
    path = written(tmp_path_factory.mktemp("lines") / "e.csv", text)
    assert read(path, size) == wanted
    assert read(path, 1 << 20) == wanted


def test_in_a_file_of_several_pieces(tmp_path: Path) -> None:
    """The size of a piece as it is: one MiB."""
    lines = [f"user-{n},item-{n},title of number {n}" for n in range(60_000)]
    bad = {10: "short", 29_999: "a,b,c,d", 59_999: "short"}
    lines = [bad.get(n, line) for n, line in enumerate(lines)]
    lines[40_000] = 'u,i,"two\nlines"'
    path = written(tmp_path / "e.csv", "user,item,title\n" + "\n".join(lines) + "\n")
    assert path.stat().st_size > 2 << 20
    found = read(path, 1 << 20)
    assert [number for number, *_ in found] == list(range(1, 60_001))
    assert [line for _, line, _ in found] == [n + 2 + (n > 40_000) for n in range(60_000)]
    assert {n - 1 for n, _, cells in found if isinstance(cells, str)} == set(bad)


def test_a_line_that_never_ends_is_no_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delimited, "_LONGEST_LINE", 1 << 20)
    path = written(tmp_path / "e.csv", "user,item,title\n" + "x" * (3 << 20))
    with pytest.raises(SourceError, match="line 2 has over 1 MiB"):
        read(path, 1 << 20)
