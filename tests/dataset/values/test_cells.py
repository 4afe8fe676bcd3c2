"""Single cells as texts, numbers, lists and truth."""

import datetime
import math
import uuid
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.dataset.faults import RowFaultError
from services.dataset.values.cells import (
    ABSENT,
    DecimalMark,
    Moment,
    list_of,
    number_of,
    plain_cell,
    text_of,
    truth_of,
)


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        (" a b ", "a b"),
        ("007", "007"),
        ("0x1F", "0x1F"),
        (12, "12"),
        (12.0, "12"),
        (1.5, "1.5"),
        (-0.25, "-0.25"),
        (9_007_199_254_740_993, "9007199254740993"),
        (None, ""),
        (ABSENT, ""),
        (math.nan, ""),
        (Moment(1_696_156_200_000_000, aware=True), "2023-10-01T10:30:00Z"),
        (Moment(1_696_156_200_500_000, aware=False), "2023-10-01T10:30:00.500000"),
    ],
)
def test_texts(cell: object, text: str) -> None:
    assert text_of(cell) == text


@pytest.mark.parametrize(
    ("cell", "kind"), [(["a"], "a list"), ({"a": 1}, "an object"), (True, "true"), (False, "false")]
)
def test_what_is_no_text(cell: object, kind: str) -> None:
    with pytest.raises(RowFaultError, match=f"expected text, found {kind}"):
        text_of(cell)


def test_a_number_that_is_infinite_names_nobody() -> None:
    with pytest.raises(RowFaultError, match="inf is no finite number"):
        text_of(math.inf)


def test_a_moment_beyond_all_calendars_can_be_printed() -> None:
    assert "microseconds since 1970" in str(Moment(2**62, aware=True))


@pytest.mark.parametrize(
    ("cell", "number"),
    [
        (" 3.5 ", 3.5),
        ("-1e3", -1000.0),
        (".5", 0.5),
        ("5.", 5.0),
        ("+7", 7.0),
        (4, 4.0),
        ("", None),
        (None, None),
        (ABSENT, None),
        ("nan", None),
        ("NaN", None),
        (math.nan, None),
    ],
)
def test_numbers(cell: object, number: float | None) -> None:
    assert number_of(cell) == number


@pytest.mark.parametrize(
    "cell",
    ["many", "inf", "-Infinity", math.inf, "1,5", "1 000", "1_000", "0x10", "１２", "1e", "--1"],
)
def test_what_is_no_finite_number(cell: object) -> None:
    with pytest.raises(RowFaultError, match="is no finite number"):
        number_of(cell)


def test_numbers_beyond_a_double() -> None:
    with pytest.raises(RowFaultError, match="too large"):
        number_of("1e999")
    with pytest.raises(RowFaultError, match="too large"):
        number_of("9" * 400)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_any_finite_number_comes_back(number: float) -> None:
    assert number_of(repr(number)) == number
    assert number_of(number) == number


@pytest.mark.parametrize(
    ("cell", "separator", "parts"),
    [
        ("a| b ||c", "|", ["a", "b", "c"]),
        ("a  b\tc", " ", ["a", "b", "c"]),
        ("", "|", []),
        (None, "|", []),
        (["a", 2, None, " "], "|", ["a", "2"]),
        ('["a", "b|c"]', "|", ["a", "b|c"]),
        ("['a', 'b']", "|", ["a", "b"]),
        ('[{"id": 1, "name": "Drama"}, {"id": 2, "name": "War"}]', "|", ["Drama", "War"]),
        ("[{'id': 1, 'name': 'Drama'}]", "|", ["Drama"]),
        ({"name": "One"}, "|", ["One"]),
        ([], "|", []),
        ("[]", "|", []),
        ("[Remastered]", "|", ["[Remastered]"]),
        ("[__import__('os')]", "|", ["[__import__('os')]"]),
        ("[" * 5000 + "]" * 5000, "|", ["[" * 5000 + "]" * 5000]),
    ],
)
def test_lists(cell: object, separator: str, parts: list[str]) -> None:
    assert list_of(cell, separator) == parts


@pytest.mark.parametrize("cell", [[["a"]], [True], [{"id": 1}], True])
def test_what_is_no_list_of_texts(cell: object) -> None:
    with pytest.raises(RowFaultError):
        list_of(cell, "|")


@pytest.mark.parametrize(
    ("cell", "truth"),
    [
        (True, True),
        (False, False),
        ("TRUE", True),
        ("yes", True),
        ("In Stock", True),
        ("out_of_stock", False),
        ("n", False),
        ("discontinued", False),
        ("17", True),
        ("0", False),
        (0, False),
        (3, True),
        ("0.0", False),
        ("-2", False),
        ("", None),
        (None, None),
        ("nan", None),
        (math.nan, None),
    ],
)
def test_truth_and_counts(cell: object, truth: bool | None) -> None:
    assert truth_of(cell) is truth


@pytest.mark.parametrize("cell", ["maybe", "1 piece", [1], "inf"])
def test_what_is_neither_true_nor_false(cell: object) -> None:
    with pytest.raises(RowFaultError):
        truth_of(cell)


@pytest.mark.parametrize(
    ("cell", "plain"),
    [
        (Decimal("9.50"), 9.5),
        (Decimal("7"), 7),
        (Decimal("1234567890123456789012"), 1234567890123456789012),
        (Decimal("0.1234567890123456789"), "0.1234567890123456789"),
        (Decimal("NaN"), None),
        (Decimal("sNaN"), None),
        (Decimal("Infinity"), math.inf),
        (Decimal("1e99999"), "1E+99999"),
        (math.nan, None),
        (True, True),
        (b"abc", "abc"),
        (b"\xff", "\udcff"),
        (uuid.UUID(int=7), "00000000-0000-0000-0000-000000000007"),
        (datetime.date(2023, 10, 1), "2023-10-01"),
        (datetime.time(10, 30), "10:30:00"),
        (datetime.datetime(2023, 10, 1, 10, 30), Moment(1_696_156_200_000_000, aware=False)),
        (
            datetime.datetime(2023, 10, 1, 10, 30, tzinfo=datetime.UTC),
            Moment(1_696_156_200_000_000, aware=True),
        ),
        ((1, Decimal(2)), [1, 2]),
        ({"a": Decimal("2.5"), 1: [b"x"]}, {"a": 2.5, "1": ["x"]}),
    ],
)
def test_cells_of_typed_sources(cell: object, plain: object) -> None:
    found = plain_cell(cell)
    assert found == plain
    assert type(found) is type(plain)


def test_a_float_that_has_lost_digits_is_no_id() -> None:
    assert text_of(2.0**53) == "9007199254740992"
    with pytest.raises(RowFaultError, match="has lost digits"):
        text_of(2.0**60)


@pytest.mark.parametrize(
    ("cell", "number"),
    [
        ("89,90", 89.9),
        ("1.089,90", 1089.9),
        ("1.089", 1089.0),
        ("-1 234 567,5", -1234567.5),
        ("1\u202f234,5", 1234.5),
        ("12'345,60", 12345.6),
        (",5", 0.5),
        ("5,", 5.0),
        ("1,5e3", 1500.0),
        ("7", 7.0),
        (89.5, 89.5),
        (7, 7.0),
        ("", None),
        ("nan", None),
    ],
)
def test_numbers_with_a_comma(cell: object, number: float | None) -> None:
    assert number_of(cell, DecimalMark.COMMA) == number


@pytest.mark.parametrize(
    "cell", ["89.90", "1.08,5", "1.0890", "1,089.90", "1.089 000", "1,2,3", "x"]
)
def test_what_is_no_number_with_a_comma(cell: str) -> None:
    with pytest.raises(RowFaultError, match=r"is no finite number$"):
        number_of(cell, DecimalMark.COMMA)


@pytest.mark.parametrize("cell", ["89,90", "1.089,90", "1 089"])
def test_a_comma_is_not_guessed_but_named(cell: str) -> None:
    with pytest.raises(RowFaultError, match=r"is no finite number \(--decimal , reads such\)"):
        number_of(cell)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_as_german_writes_it(number: float) -> None:
    assert number_of(f"{number!r}".replace(".", ","), DecimalMark.COMMA) == number
