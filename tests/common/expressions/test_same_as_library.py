"""Masks are what the library says of each item, one by one."""

import re

from hypothesis import given, settings
from hypothesis import strategies as st

from services.common.expressions.error import ExpressionError
from services.common.expressions.expression import parse_filter
from services.common.expressions.request import Request
from tests.common.expressions import library
from tests.common.expressions.made_columns import Item, MadeColumns
from tests.common.expressions.written import KEYS, WORDS, filters

_words = st.sampled_from(WORDS)
# Of years that differences between are durations.
_us = st.integers(631_152_000_000_000, 1_900_000_000_000_000)
_items: st.SearchStrategy[Item] = st.fixed_dictionaries(
    {"id": _words, "publish_time": _us},
    optional={
        "title": _words,
        "owner": _words,
        "tags": st.lists(_words, max_size=3),
        "categories": st.lists(_words, max_size=3),
        "numbers": st.dictionaries(
            st.sampled_from(KEYS[:2]), st.sampled_from((0.0, 1.5, 2.0, 7.0, -3.0, 1e300))
        ),
        "expire_time": _us,
        "update_time": _us,
    },
)
_requests = st.builds(
    Request,
    st.fixed_dictionaries(
        {},
        optional={
            "country": _words,
            "age": st.sampled_from((2.0, 2.5)),
            "vip": st.booleans(),
            "likes": st.lists(_words, max_size=3),
            "mixed": st.lists(st.sampled_from(("a", 1.5, True)), max_size=3),
        },
    ),
    st.fixed_dictionaries(
        {}, optional={"device": st.sampled_from(("a", "1.5", "2020-01-01T00:00:00Z"))}
    ),
    _us,
)
_HAS_LIST = re.compile(r"has\((item\.(?:tags|categories))\)")


@settings(max_examples=400, deadline=None)
@given(filters(), st.lists(_items, max_size=6), _requests)
def test_a_mask_is_what_the_library_says_of_each_item(
    text: str, items: list[Item], request: Request
) -> None:
    columns = MadeColumns(items)
    try:
        found, refuted = parse_filter(text), parse_filter(f"!({text})")
    except ExpressionError as error:
        assert _REFUSED.search(error.message), (error, text)
        return
    # As of a repeated field of a message; here the lists are always there.
    said = library.says(_HAS_LIST.sub(r"(size(\1) > 0)", text), items, request)
    assert found.mask(columns, request).tolist() == [one is True for one in said], text
    assert refuted.mask(columns, request).tolist() == [one is False for one in said], text


_REFUSED = re.compile("nests more than 32|costs|only known with the request|of one known type")
