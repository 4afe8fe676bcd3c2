"""The table of docs/expressions.md that says where libraries differ is true of Harken."""

import re
from pathlib import Path

import pytest

from services.common.expressions.error import ExpressionError
from services.common.expressions.expression import parse_condition
from services.common.expressions.request import Request

_PAGE = Path(__file__).parents[3] / "docs/expressions.md"
_ROW = re.compile(r"^\| `(.+)` \| (true|false|error|refused) \|", re.MULTILINE)
ROWS = _ROW.findall(_PAGE.read_text())

_REQUEST = Request(
    {"price": 11, "p": 2.0, "s": "a", "l": [{}, {"p": 2}], "accent": "é"},
    now_us=1_704_067_200_000_000,
)


def test_the_table_is_there() -> None:
    assert len(ROWS) > 25


@pytest.mark.parametrize(("text", "stated"), ROWS)
def test_harken_does_as_the_table_says(text: str, stated: str) -> None:
    assert _answer(text) == stated


def _answer(text: str) -> str:
    try:
        holds, fails = parse_condition(text), parse_condition(f"!({text})")
    except ExpressionError:
        return "refused"
    if holds.holds(_REQUEST):
        return "true"
    return "false" if fails.holds(_REQUEST) else "error"
