"""What is wrong with an expression is said when it is put, with line and column."""

from collections.abc import Callable

import pytest

from services.common.expressions.error import ExpressionError
from services.common.expressions.expression import (
    Expression,
    parse_condition,
    parse_filter,
    parse_number,
)

_FILTERS = (
    ("", 1, 1, "empty"),
    (" \n", 1, 1, "empty"),
    ("item.numbers.price >", 1, 21, "Syntax error"),
    ('"é" + é', 1, 7, "token recognition"),
    ("item.colour == 'red'", 1, 5, "item has no field 'colour', but id, title, owner, categories"),
    (
        "item.price < 10", 1, 5,
        "item has no field 'price', but id, title, owner, categories, tags, numbers, publish_time,"
        " expire_time, update_time; a number is item.numbers.price",
    ),
    ("has(item.prise)", 1, 4, "a number is item.numbers.prise"),
    ("item.category == 'a'", 1, 5, "update_time; perhaps item.categories"),
    ("seller == 'a'", 1, 1, "undeclared reference to 'seller'"),
    ("true &&\n  item.owner > 5", 2, 14, "'>' applied to '(string, int)'"),
    ("true &&\n  item.numbers.price > 'a'", 2, 22, "double and string"),
    ("item.numbers.price * 2 > 5", 1, 20, "write whole numbers as 2.0"),
    ("item.numbers.price * 2 > 5.0", 1, 24, "write whole numbers as 2.0"),
    ("size(item.tags) > 1.5", 1, 17, "write whole numbers as 2.0"),
    ("item.numbers.price == 'a'", 1, 20, "never true"),
    ("item.expire_time == null", 1, 18, "never true"),
    ("!item.numbers.price", 1, 1, "takes bool, not double"),
    ("item.numbers.price", 1, 13, "is double, not bool"),
    ("now", 1, 1, "is timestamp, not bool"),
    ("item", 1, 1, "item.NAME"),
    ("has(item.numbers)", 1, 4, "item.numbers.KEY"),
    ("item.title.matches('a')", 1, 19, "matches() is not supported"),
    ("item.tags.map(t, t) == ['a']", 1, 14, "map() and filter()"),
    ("size(item.tags.filter(t, t == 'a')) > 0", 1, 22, "map() and filter()"),
    ("item.title + 'a' == 'ba'", 1, 12, "does not join"),
    ("item.tags == ['a']", 1, 11, "does not compare lists"),
    ("string(now) == 'a'", 1, 7, "string() is not supported"),
    ("1u == 1u", 1, 1, "unsigned"),
    ("b'a' == b'a'", 1, 1, "bytes"),
    ("{'a': 1}.a == 1", 1, 1, "maps and messages"),
    ("[[1]] == [[1]]", 1, 1, "a list within a list"),
    ("timestamp('yesterday') < now", 1, 10, "'yesterday' is no time"),
    ("now - duration('1 day') < now", 1, 15, "'1 day' is no duration"),
    ("now.getHours('Europe/Berlin') > 8", 1, 13, "is no time zone here"),
    ("now.getHours(item.title) > 8", 1, 13, "one for all items"),
    ("double(item.title) > 1.0", 1, 7, "does not take texts of items"),
    ("user[item.owner] == 1", 1, 5, "is one for all items"),
    ("item.owner in item.numbers", 1, 12, "is one for all items"),
    ("(item.id == 'a' ? user.a : user.b) == 1", 1, 17, "one known type"),
    ("item.tags.exists(t, t in item.categories)", 1, 30, "another list of the item"),
    ("user.age + 1 > 18", 1, 10, "whose numbers are doubles"),
    ("user.ages.exists(a, 2 * a > 18)", 1, 23, "whose numbers are doubles"),
    ("user.a + user.b == 2.0", 1, 8, "only known with the request"),
    ("(" * 40 + "true" + ")" * 40, 1, 1, "nests more than 32"),
    ("item" + ".a" * 500, 1, 1, "nests more than 32"),
    (
        "user.a.exists(a, user.a.exists(b, user.a.exists(c, c == a && c == b)))",
        1, 14, "costs",
    ),
    ("user.a.exists(a, item.title.contains(a))", 1, 14, "costs"),
    ("true" + " " * 2045, 1, 1, "2049 bytes, at most 2048"),
    ("true \ud800", 1, 6, "no Unicode"),
    ("true\0", 1, 5, "Syntax error"),
)  # fmt: skip


@pytest.mark.parametrize(("text", "line", "column", "part"), _FILTERS)
def test_a_filter_that_is_none_is_refused_where_it_is_wrong(
    text: str, line: int, column: int, part: str
) -> None:
    _refused(parse_filter, text, line, column, part)


@pytest.mark.parametrize(
    ("parse", "text", "column", "part"),
    [
        (parse_condition, "item.id == 'a'", 5, "a condition knows no item"),
        (parse_condition, "1", 1, "is int, not bool"),
        (parse_number, "item.title", 5, "is string, not double or int"),
        (parse_number, "item.id == 'a'", 9, "is bool, not double or int"),
    ],
)
def test_each_place_takes_its_type(
    parse: Callable[[str], Expression], text: str, column: int, part: str
) -> None:
    _refused(parse, text, 1, column, part)


@pytest.mark.parametrize("loops", range(1, 9))
def test_macros_in_lists_of_macros_take_no_longer_than_they_are(loops: int) -> None:
    text = "true"
    for depth in range(loops):
        text = f"[{text}].all(x{depth}, x{depth})"
    assert parse_filter(text).text == text


def _refused(
    parse: Callable[[str], Expression], text: str, line: int, column: int, part: str
) -> None:
    with pytest.raises(ExpressionError) as caught:
        parse(text)
    error = caught.value
    assert part in error.message
    assert (error.line, error.column) == (line, column), error
    assert str(error) == f"line {line}, column {column}: {error.message}"
