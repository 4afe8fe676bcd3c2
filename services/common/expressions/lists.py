"""Lists of texts of items: `in`, size, place, and macros that go over them."""

from collections.abc import Callable, Sequence

import numpy as np

from services.common.arrays import Bools, Int32s, Ordinals
from services.common.expressions import logic
from services.common.expressions import texts as by_text
from services.common.expressions.columns import TextLists
from services.common.expressions.frame import Frame
from services.common.expressions.values import (
    FAILED,
    Kind,
    Value,
    bools,
    either,
    ints,
    texts,
)

Body = Callable[[Frame], Value]

_SINGLY = 4
"""Up to so many texts are compared one after the other, which is quicker than looking each up."""

_FEW = 1 / 64
"""Of the elements: up to here those that hit are looked up, beyond all are counted through."""


def size(lists: TextLists) -> Value:
    """Return `size(list)`."""
    return ints(np.diff(lists.starts))


def at(lists: TextLists, place: Value) -> Value:
    """Return `list[place]`, an error outside of the list."""
    if place.kind is not Kind.INT or lists.starts[-1] == 0:
        return FAILED
    outside = (place.data < 0) | (place.data >= np.diff(lists.starts))
    codes = lists.codes[np.where(outside, 0, lists.starts[:-1] + np.where(outside, 0, place.data))]
    return texts(codes, lists.values, either(place.error, outside))


def holds_any(lists: TextLists, wanted: Sequence[str]) -> Value:
    """Return `wanted.exists(text, text in list)`."""
    codes = {by_text.code_of(lists.values, text) for text in wanted}
    hits = _codes_of(lists)
    known = sorted(code for code in codes if code >= 0)
    if len(known) <= _SINGLY:
        found = np.zeros(len(hits), dtype=np.bool_)
        for code in known:
            found |= hits == code
        return bools(_any(lists.starts, found))
    chosen = np.zeros(len(lists.values), dtype=np.bool_)
    chosen[known] = True
    return bools(_any(lists.starts, chosen.take(hits, mode="clip")))


def holds(lists: TextLists, value: Value) -> Value:
    """Return `value in list`."""
    if value.kind is not Kind.TEXT:
        return FAILED if value.kind is Kind.ERROR else bools(np.zeros(1, np.bool_), value.error)
    if value.is_one:
        code = by_text.code_of(lists.values, by_text.only(value) or "")
        return bools(_any(lists.starts, _codes_of(lists) == code), value.error)
    each = texts(_codes_of(lists), lists.values)
    same = by_text.same(value.taken(_owners(lists.starts)), each)
    return bools(_any(lists.starts, same), value.error)


def looped(macro: str, frame: Frame, lists: TextLists, name: str, body: Body, alone: bool) -> Value:
    """Return `list.macro(name, body)` over the items.

    Args:
        macro: "exists", "all" or "exists_one".
        frame: of items.
        lists: of the items.
        name: of the element, in the body.
        body: what is asked of each element.
        alone: whether the body depends on the element and the request only, so that it is decided
            once for each distinct text.

    """
    codes = _codes_of(lists)
    if alone:
        table = len(lists.values)
        each = texts(np.arange(table, dtype=np.int32), lists.values)
        inner = Frame(frame.request, None, table, None, frame.variables)
        value = body(inner.bound(name, each))
        pick: Int32s | None = codes
    else:
        owners = _owners(lists.starts)
        variables = {key: value.taken(owners) for key, value in frame.variables.items()}
        inner = Frame(frame.request, frame.columns, len(codes), owners, variables)
        value = body(inner.bound(name, texts(codes, lists.values)))
        pick = None
    inner_size = inner.size

    def of_elements(found: Bools) -> Bools:
        whole = np.broadcast_to(found, (inner_size,))
        return whole if pick is None else whole.take(pick, mode="clip")

    error = logic.error_of(value)
    wrong = None if error is None else _any(lists.starts, of_elements(error))
    if macro == "exists_one":
        # Each error counts, whatever the others say.
        return bools(_count(lists.starts, of_elements(logic.certain(value, True))) == 1, wrong)
    wanted = macro == "exists"
    found = _any(lists.starts, of_elements(logic.certain(value, wanted)))
    return bools(found if wanted else ~found, None if wrong is None else wrong & ~found)


def _codes_of(lists: TextLists) -> Int32s:
    return lists.codes[: int(lists.starts[-1])]


def _owners(starts: Ordinals) -> Ordinals:
    """Return the item of each element."""
    return np.repeat(np.arange(len(starts) - 1, dtype=np.int64), np.diff(starts))


def _any(starts: Ordinals, hit: Bools) -> Bools:
    """Return which items have an element that hits."""
    found = np.zeros(len(starts) - 1, dtype=np.bool_)
    hits = np.flatnonzero(hit)
    if len(hits) <= len(hit) * _FEW:
        found[np.searchsorted(starts, hits, side="right") - 1] = True
        return found
    return _count(starts, hit) > 0


def _count(starts: Ordinals, hit: Bools) -> Int32s:
    """Return how many elements of each item hit."""
    counts = np.zeros(len(hit) + 1, dtype=np.int32)
    np.cumsum(hit, out=counts[1:])
    found: Int32s = counts[starts[1:]] - counts[starts[:-1]]
    return found
