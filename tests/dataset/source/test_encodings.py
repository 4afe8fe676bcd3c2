"""Encodings are recognised and named, or given."""

import codecs
from pathlib import Path

import pytest

from services.dataset.faults import SourceError
from tests.dataset.tables import notes_of, places_of, rows_of, written

TEXT = "user,item\nann,café\nböb,naïve\n"
WANTED = [{"user": "ann", "item": "café"}, {"user": "böb", "item": "naïve"}]
JSON = '{"user": "ann", "item": "café"}\n{"user": "böb", "item": "naïve"}\n'


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (TEXT.encode(), ""),
        (TEXT.encode("utf-8-sig"), ""),
        (TEXT.encode("utf-16"), "read as UTF-16"),
        (codecs.BOM_UTF16_BE + TEXT.encode("utf-16-be"), "read as UTF-16"),
        (TEXT.encode("utf-16-le"), "UTF-16 (little endian)"),
        (TEXT.encode("utf-16-be"), "UTF-16 (big endian)"),
        (TEXT.encode("utf-32"), "read as UTF-32"),
    ],
)
@pytest.mark.parametrize("json", [False, True])
def test_what_the_first_bytes_say_is_read_and_named(
    tmp_path: Path, content: bytes, says: str, json: bool
) -> None:
    if json:
        # The same encoding, mark included.
        encoding = {"": "utf-8", "read as UTF-32": "utf-32"}.get(says, "utf-16")
        content = JSON.encode(encoding)
    path = written(tmp_path / ("e.jsonl" if json else "e.csv"), content)
    assert rows_of(path) == WANTED
    notes = notes_of(path)
    assert len(notes) == bool(says)
    assert json or all(says in note for note in notes)


def test_an_encoding_that_is_given_is_taken(tmp_path: Path) -> None:
    path = written(tmp_path / "e.csv", TEXT.encode("latin-1"))
    assert rows_of(path, encoding="latin-1") == WANTED
    assert rows_of(path, encoding="windows-1252") == WANTED
    assert rows_of(written(path, TEXT.encode("utf-8-sig")), encoding="utf-8") == WANTED
    assert rows_of(written(path, TEXT.encode("cp1251", "replace")), encoding="cp1251")
    with pytest.raises(SourceError, match="no encoding 'latin-9000'"):
        rows_of(path, encoding="latin-9000")
    json = written(tmp_path / "e.jsonl", JSON.encode("latin-1"))
    assert rows_of(json, encoding="latin-1") == WANTED


def test_a_file_that_does_not_keep_to_its_encoding_is_damaged(tmp_path: Path) -> None:
    path = written(tmp_path / "e.csv", TEXT.encode("utf-16")[:-1])
    with pytest.raises(SourceError, match=r"e\.csv is not utf-16 throughout"):
        rows_of(path)
    with pytest.raises(SourceError, match="is not ascii throughout"):
        rows_of(written(path, TEXT), encoding="ascii")


@pytest.mark.parametrize(
    ("encoding", "guess"), [("latin-1", "latin-1"), ("cp1252", "windows-1252")]
)
def test_bytes_that_are_no_utf_8_are_named_with_a_guess(
    tmp_path: Path, encoding: str, guess: str
) -> None:
    text = TEXT if guess == "latin-1" else TEXT + "c,“quoted”\n"
    path = written(tmp_path / "e.csv", text.encode(encoding))
    (note,) = notes_of(path)
    assert "no UTF-8, first near line 2" in note
    assert f"--encoding {guess}" in note
    # No row is lost for it.
    assert [reason for *_, reason in places_of(path)] == [""] * (text.count("\n") - 1)
