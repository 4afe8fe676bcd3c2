"""JSON lines, arrays and spread objects: every field of every row, and each row accounted for."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.dataset.faults import ColumnError, SourceError
from services.dataset.values.cells import ABSENT
from tests.dataset.tables import faults_of, notes_of, places_of, rows_of, table_of, written

ROWS: list[dict[str, object]] = [
    {"user": "a", "item": 1},
    {"user": "b", "item": 2, "value": 0.5},
    {"item": None, "tags": ["x", {"y": "z"}], "deep": {"a": {"b": True}}},
]


@pytest.mark.parametrize(
    "text",
    [
        "\n".join(map(json.dumps, ROWS)),
        "\n".join(map(json.dumps, ROWS)) + "\n",
        "\r\n".join(map(json.dumps, ROWS)) + "\r\n",
        "\n\n  \n".join(map(json.dumps, ROWS)),
        "\ufeff" + "\n".join(map(json.dumps, ROWS)),
        json.dumps(ROWS),
        json.dumps(ROWS, indent=2),
        "[\n" + ",\n".join(map(json.dumps, ROWS)) + "\n]\n",
        "\n".join(json.dumps(row, indent=1) for row in ROWS),
    ],
)
@pytest.mark.parametrize("name", ["e.jsonl", "e.json", "e"])
def test_one_table_in_many_forms(tmp_path: Path, text: str, name: str) -> None:
    path = written(tmp_path / name, text)
    assert rows_of(path) == ROWS
    with table_of(path) as table:
        assert sorted(table.columns) == ["deep", "item", "tags", "user", "value"]
        assert [number for block in table.blocks() for number in block.numbers] == [1, 2, 3]


fields = st.dictionaries(
    st.sampled_from(["user", "item", "a", "b"]),
    st.one_of(
        st.none(), st.text(max_size=3), st.integers(), st.booleans(), st.lists(st.integers())
    ),
)


@given(
    rows=st.lists(fields, min_size=1, max_size=6).flatmap(
        lambda rows: st.tuples(st.just(rows), st.permutations(rows))
    )
)
def test_the_order_of_lines_changes_nothing_but_the_order(
    rows: tuple[list[dict], list[dict]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A field that the first line lacks is there all the same."""
    folder = tmp_path_factory.mktemp("json")
    for name, ordered in zip(("a.jsonl", "b.jsonl"), rows, strict=True):
        path = written(folder / name, "\n".join(map(json.dumps, ordered)))
        assert rows_of(path) == ordered
        with table_of(path) as table:
            assert set(table.columns) == {name for row in ordered for name in row}


def test_lines_that_cannot_be_read_keep_their_place_and_say_why(tmp_path: Path) -> None:
    lines = [
        '{"user": 1}', '{"user": 1', "[1]", "", '"text"', '{"user": 1, "user": 2}', "null",
        '{"user": 1} {"user": 2}', "[" * 100_000, '{"user": 2}',
    ]  # fmt: skip
    path = written(tmp_path / "e.jsonl", "\n".join(lines))
    assert places_of(path) == [
        (1, 1, ""), (2, 2, "INVALID_JSON"), (3, 3, "INVALID_JSON"), (4, 5, "INVALID_JSON"),
        (5, 6, "DUPLICATE_FIELD"), (6, 7, "INVALID_JSON"), (7, 8, "INVALID_JSON"),
        (8, 9, "INVALID_JSON"), (9, 10, ""),
    ]  # fmt: skip
    faults = faults_of(path)
    assert faults[0].fault.value == '{"user": 1'
    assert faults[3].fault.detail == "the object has 'user' twice"
    assert "100,000 characters" in faults[6].fault.value


def test_fields_of_one_name_in_other_letters(tmp_path: Path) -> None:
    path = written(tmp_path / "e.jsonl", '{"User": "a", "item": 1}\n{"user": "b", "ITEM": 2}\n')
    assert rows_of(path) == [{"user": "a", "item": 1}, {"user": "b", "item": 2}]
    with table_of(path) as table, pytest.raises(ColumnError, match="two columns are called"):
        table.check_once("user")


def test_paths_go_into_objects(tmp_path: Path) -> None:
    text = (
        '{"a": {"b": {"c": 1}}, "x.y": 2}\n{"a": {"B": {"c": "2"}}}\n{"a": null}\n{"a": 7}\n{}\n'
        '{"a": "{\\"b\\": {\\"c\\": 3}}"}\n{"a": "{no json"}\n'
    )
    with table_of(written(tmp_path / "e.jsonl", text)) as table:
        (block,) = table.blocks()
        assert table.has("a.b.c")
        assert not table.has("b")
        assert list(block.column("a.b.c")) == [1, "2", None, ABSENT, ABSENT, 3, ABSENT]
        assert block.column("x.y")[0] == 2
        assert set(block.column("nothing.at.all")) == {ABSENT}


def test_a_list_in_each_line_makes_the_rows(tmp_path: Path) -> None:
    text = (
        '{"session": 1, "events": [{"aid": 10}, {"aid": 11}]}\n'
        '{"session": 2, "events": []}\n'
        "broken\n"
        '{"session": 3, "events": [{"aid": 12}]}\n'
        '{"session": 4}\n'
        '{"session": 5, "events": {"aid": 1}}\n'
        '{"session": 6, "events": "a,b"}\n'
        '{"session": 7, "events": [13]}\n'
    )
    path = written(tmp_path / "e.jsonl", text)
    assert places_of(path, lists="events") == [
        (1, 1, ""), (2, 1, ""), (3, 3, "INVALID_JSON"), (4, 4, ""), (5, 6, "INVALID_LIST"),
        (6, 7, "INVALID_LIST"), (7, 8, ""),
    ]  # fmt: skip
    with table_of(path, lists="events") as table:
        (block,) = table.blocks()
        assert list(block.column("session")) == [1, 1, 3, 7]
        assert list(block.column("events.aid")) == [10, 11, 12, ABSENT]
    assert any("rows without elements in events, first in row 2" in one
               for one in notes_of(path, lists="events"))  # fmt: skip


def test_numbers_and_texts_lose_nothing(tmp_path: Path) -> None:
    text = (
        '{"a": 12345678901234567890123, "b": 1e400, "c": NaN, "d": "\\ud83d", "e": "é\\u0000"}\n'
        '{"a": 9007199254740993, "b": 0.1, "c": -0.0, "d": "\\ud83d\\ude00", "e": ""}\n'
    )
    path = written(tmp_path / "e.jsonl", text)
    first, second = rows_of(path)
    assert first["a"] == 12345678901234567890123
    assert first["b"] == float("inf")
    assert first["c"] is None
    assert first["e"] == "é\x00"
    assert second == {"a": 9007199254740993, "b": 0.1, "c": -0.0, "d": "\U0001f600", "e": ""}
    with table_of(path) as table:
        # Half a surrogate is no text: whoever takes it has to look.
        assert [block.suspect for block in table.blocks()] == [True]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('[{"user": 1}, {"user": 2}', "cut off"),
        ('[{"user": 1}, {"user": ', "cannot be read near line 1"),
        ('[{"user": 1},\n{"user" 2}]', "cannot be read near line 2"),
        ('{\n"user": 1\n}\n{\n"user": 2\n', "cannot be read near line"),
        ('[{"user": 1}] {"user": 2}', "after it line 1 has"),
    ],
)
def test_one_text_that_is_damaged_is_refused(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(SourceError, match=says):
        rows_of(written(tmp_path / "e.json", text))


def test_elements_of_an_array_that_are_no_objects_are_rejected(tmp_path: Path) -> None:
    path = written(tmp_path / "e.json", '[{"user": 1},\n7, null,\n"x", [1], {"user": 2}]')
    assert places_of(path) == [
        (1, 1, ""), (2, 2, "INVALID_JSON"), (3, 2, "INVALID_JSON"), (4, 3, "INVALID_JSON"),
        (5, 3, "INVALID_JSON"), (6, 3, ""),
    ]  # fmt: skip


@pytest.mark.parametrize("indent", [None, 1])
def test_arrays_longer_than_a_piece(tmp_path: Path, indent: int | None) -> None:
    rows = [{"user": f"u{n}", "n": n, "text": "[{\"'," * 5} for n in range(40_000)]
    path = written(tmp_path / "e.json", json.dumps(rows, indent=indent))
    assert path.stat().st_size > 2 << 20
    assert rows_of(path) == rows
    places = places_of(path)
    assert [number for number, *_ in places] == list(range(1, 40_001))
    if indent is not None:
        assert [line for _, line, _ in places] == [2 + 5 * n for n in range(40_000)]


def test_a_number_is_not_cut_where_a_piece_ends(tmp_path: Path) -> None:
    numbers = ",".join(str(10**8 + n) for n in range(200_000))
    assert len(faults_of(written(tmp_path / "e.json", f"[{numbers}]"))) == 200_000


def test_an_object_longer_than_a_piece(tmp_path: Path) -> None:
    rows = [{"user": "a" * (3 << 20)}, {"user": "b"}]
    assert rows_of(written(tmp_path / "e.json", json.dumps(rows))) == rows


def test_what_only_looks_like_json_is_text(tmp_path: Path) -> None:
    path = written(tmp_path / "e", "[id],user\n1,2\n")
    assert rows_of(path) == [{"[id]": "1", "user": "2"}]
    path = written(tmp_path / "e.csv", '{"a",b\n1,2\n')
    assert len(rows_of(path)) == 1
