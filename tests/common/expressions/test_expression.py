"""Masks, numbers and conditions of one small catalogue."""

import numpy as np
import pytest

from services.common.expressions.expression import parse_condition, parse_filter, parse_number
from services.common.expressions.interned import Interned
from services.common.expressions.mask_cache import MaskCache
from services.common.expressions.request import Request
from tests.common.expressions.made_columns import MadeColumns

_NOW = 1_700_000_000_000_000
_HOUR = 3_600_000_000
_ITEMS = (
    {"id": "shoe", "title": "Red shoe", "owner": "acme", "tags": ["red", "sale"],
     "categories": ["shoes"], "numbers": {"price": 20.0, "year": 2024.0},
     "publish_time": _NOW - _HOUR},
    {"id": "hat", "tags": [], "numbers": {"price": 5.5}, "publish_time": _NOW - 48 * _HOUR,
     "expire_time": _NOW + _HOUR},
    {"id": "tie", "title": "Tie", "owner": "knots", "categories": ["ties", "sale"],
     "publish_time": _NOW},
)  # fmt: skip
_REQUEST = Request(
    {"likes": ["red", "ties"], "vip": True, "budget": 10.0}, {"max_price": "6"}, _NOW
)


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("true", "shoe hat tie"),
        ("item.numbers.price > 10", "shoe"),
        ("item.numbers.year == 2024", "shoe"),
        ("item.numbers.nothing > 10", ""),
        ("!(item.numbers.price > 10)", "hat"),
        ('"price" in item.numbers', "shoe hat"),
        ("item.numbers.price < double(context.max_price)", "hat"),
        ("item.numbers.price <= user.budget", "hat"),
        ("item.numbers.price * 2.0 == 40.0", "shoe"),
        ('item.owner != "acme"', "tie"),
        ('!has(item.owner) || item.owner != "acme"', "hat tie"),
        ('item.owner == "acme" || true', "shoe hat tie"),
        ('"sale" in item.tags || "sale" in item.categories', "shoe tie"),
        ('!("sale" in item.tags)', "hat tie"),
        ("has(item.tags)", "shoe"),
        ("item.tags.exists(t, t in user.likes)", "shoe"),
        ("user.likes.exists(l, l in item.categories)", "tie"),
        ('item.tags.all(t, t != "sale")', "hat tie"),
        ('item.categories.exists_one(c, c == "sale")', "tie"),
        # Of two elements one is an error.
        ('item.tags.exists(t, t == "red" || item.numbers.none > 1)', "shoe"),
        ('!item.tags.all(t, t != "red" && item.numbers.none > 1)', "shoe"),
        ('item.tags.exists_one(t, t == "red" || item.numbers.none > 1)', ""),
        ('!item.tags.exists_one(t, t == "red" || item.numbers.none > 1)', "hat tie"),
        ('item.categories[0] == "ties"', "tie"),
        ("size(item.tags) == 2", "shoe"),
        ("item.tags.exists(t, item.title.contains(t))", ""),
        ('item.title.startsWith("Red")', "shoe"),
        ('item.id.endsWith("e") && size(item.id) == 3', "tie"),
        ('item.publish_time > now - duration("24h")', "shoe tie"),
        ("has(item.expire_time)", "hat"),
        ('item.expire_time - now == duration("60m")', "hat"),
        ('(item.id == "hat" ? item.id : item.owner) in ["hat", "acme"]', "shoe hat"),
        ("user.vip", "shoe hat tie"),
        ("user.none", ""),
        ("!user.none", ""),
        ("user.none || item.numbers.price > 10", "shoe"),
    ],
)
def test_a_mask_holds_the_items_for_which_it_is_true(text: str, kept: str) -> None:
    mask = parse_filter(text).mask(MadeColumns(_ITEMS), _REQUEST)
    assert mask.dtype == np.bool_
    assert [item["id"] for item, held in zip(_ITEMS, mask, strict=True) if held] == kept.split()


def test_a_catalogue_may_be_of_one_item() -> None:
    text = 'item.id in ["shoe"] && item.id in [item.owner, "shoe"] && item.title in [item.title]'
    mask = parse_filter(text).mask
    assert mask(MadeColumns(_ITEMS[:1]), _REQUEST).tolist() == [True]
    assert mask(MadeColumns(_ITEMS[1:2]), _REQUEST).tolist() == [False]


@pytest.mark.parametrize("text", ["true", "has(item.owner)", "item.tags.all(t, t == item.id)"])
def test_a_catalogue_may_be_empty(text: str) -> None:
    assert parse_filter(text).mask(MadeColumns(()), _REQUEST).shape == (0,)


def test_a_mask_belongs_to_who_asked() -> None:
    always = parse_filter("true")
    columns = MadeColumns(_ITEMS[:1])
    always.mask(columns, _REQUEST)[:] = False
    assert always.mask(columns, _REQUEST).all()


def test_numbers_say_where_there_is_none() -> None:
    columns = MadeColumns(_ITEMS)
    numbers, present = parse_number("item.numbers.price / 2.0").numbers(columns, _REQUEST)
    assert present.tolist() == [True, True, False]
    assert numbers[present].tolist() == [10.0, 2.75]
    numbers, present = parse_number("size(item.categories)").numbers(columns, _REQUEST)
    assert numbers.tolist() == [1.0, 0.0, 2.0]
    assert numbers.dtype == np.float64
    for text in ("user.none", "user.vip", "0.0 / 0.0"):
        assert not parse_number(text).numbers(columns, _REQUEST)[1].any()


def test_a_condition_is_true_or_not() -> None:
    for text, holds in {
        'user.vip && context.max_price == "6"': True,
        'now > timestamp("2023-11-14T22:13:20Z")': False,
        'now == timestamp("2023-11-14T22:13:20Z")': True,
        "user.none == 1": False,
        "user.likes": False,
        '"red" in user.likes': True,
        'has(user.likes) && !("hour" in context)': True,
    }.items():
        assert parse_condition(text).holds(_REQUEST) is holds, text


def test_a_long_list_of_the_request_is_looked_in_and_not_gone_over() -> None:
    columns = MadeColumns(_ITEMS)
    for length, kept in ((100, True), (101, False)):
        request = Request({"a": [str(number) for number in range(length - 1)] + ["hat"]})
        gone_over = parse_filter("user.a.exists(a, a == item.id)").mask(columns, request)
        assert gone_over.tolist() == [False, kept, False]
        looked_in = parse_filter("item.id in user.a").mask(columns, request)
        assert looked_in.tolist() == [False, True, False]


def test_a_kept_mask_is_good_until_the_columns_change() -> None:
    cache = MaskCache(most=2)
    columns = MadeColumns(_ITEMS)
    of_items = parse_filter('item.owner == "acme"')
    first = cache.mask(of_items, columns, _REQUEST)
    assert not first.flags.writeable
    assert cache.mask(of_items, columns, _REQUEST) is first
    assert columns.reads == ["owner"]

    columns.items, columns.revision = ({"id": "other"}, *_ITEMS), 1
    assert cache.mask(of_items, columns, _REQUEST).tolist() == [False, True, False, False]


def test_what_depends_on_the_request_is_not_kept() -> None:
    columns = MadeColumns(_ITEMS)
    for text in ("item.id == user.id", "item.id == context.id", "item.publish_time == now"):
        expression = parse_filter(text)
        assert expression.depends_on_request
        cache = MaskCache()
        before = cache.mask(expression, columns, Request({"id": "hat"}, {"id": "hat"}, _NOW - 1))
        after = cache.mask(expression, columns, Request({"id": "tie"}, {"id": "tie"}, _NOW))
        assert after.tolist() == [False, False, True] != before.tolist()


@pytest.mark.parametrize("cache", [MaskCache(most=2), MaskCache(most_bytes=2 * len(_ITEMS))])
def test_the_longest_unused_mask_goes_first(cache: MaskCache) -> None:
    columns = MadeColumns(_ITEMS)
    one, two, three = (parse_filter(f"item.numbers.price > {price}") for price in (1, 2, 3))
    first = cache.mask(one, columns, _REQUEST)
    second = cache.mask(two, columns, _REQUEST)
    assert cache.mask(one, columns, _REQUEST) is first
    cache.mask(three, columns, _REQUEST)
    assert cache.mask(one, columns, _REQUEST) is first
    assert cache.mask(two, columns, _REQUEST) is not second


def test_texts_may_be_a_plain_list_or_grow() -> None:
    values, codes = ["a"], {"a": 0}
    interned = Interned(values, codes)
    values.append("b")
    codes["b"] = 1
    assert (list(interned), interned.index("b"), len(interned), interned[1]) == (
        ["a", "b"],
        1,
        2,
        "b",
    )
    with pytest.raises(ValueError, match="'c' is not among"):
        interned.index("c")


def test_a_tag_is_found_however_rare_it_is() -> None:
    random = np.random.default_rng(5)
    items = [
        {
            "id": str(number),
            "tags": [str(tag) for tag in random.geometric(0.2, random.integers(0, 6))],
        }
        for number in range(500)
    ]
    columns = MadeColumns(items)
    for tag in map(str, range(30)):
        expected = [tag in item["tags"] for item in items]
        for text in ("user.t in item.tags", "item.tags.exists(t, t == user.t)"):
            assert parse_filter(text).mask(columns, Request({"t": tag})).tolist() == expected
        alone = parse_filter("item.tags.exists_one(t, t == user.t)")
        assert alone.mask(columns, Request({"t": tag})).tolist() == [
            item["tags"].count(tag) == 1 for item in items
        ]
    for most in range(12):
        wanted = [str(tag) for tag in range(20, 20 - most, -1)]
        mask = parse_filter("user.w.exists(w, w in item.tags)").mask(
            columns, Request({"w": wanted})
        )
        assert mask.tolist() == [not {*wanted}.isdisjoint(item["tags"]) for item in items]
