"""Fields of the item: how each is read, and what has() says of it."""

from typing import get_args

import numpy as np

from services.common.expressions.columns import TextField, TextsField, TimeField
from services.common.expressions.limits import ROWS_COST
from services.common.expressions.node import Node, Run
from services.common.expressions.values import FAILED, Kind, Value, bools

NUMBERS = "numbers"
_ITEM = frozenset({"item"})

_TEXTS: dict[str, TextField] = {name: name for name in get_args(TextField)}
_LISTS: dict[str, TextsField] = {name: name for name in get_args(TextsField)}
_TIMES: dict[str, TimeField] = {name: name for name in get_args(TimeField)}


def is_list(name: str) -> bool:
    """Return whether a field is a list of texts."""
    return name in _LISTS


def field(name: str) -> Node:
    """Return what reads a field that is neither a list nor the numbers."""
    if name in _TEXTS:
        of_text = _TEXTS[name]
        return _node(Kind.TEXT, lambda frame: frame.text(of_text))
    of_time = _TIMES[name]
    return _node(Kind.TIME, lambda frame: frame.time(of_time))


def list_field(name: str) -> Node:
    """Return what reads a list of texts."""
    of = _LISTS[name]
    return _node(Kind.TEXTS, lambda frame: frame.texts(of))


def has_field(name: str) -> Node:
    """Return `has(item.name)`: of a list, whether there is anything in it."""
    if is_list(name):
        of = _LISTS[name]
        return _node(Kind.BOOL, lambda frame: _not_empty(frame.texts(of)))
    read = field(name).run
    return _node(Kind.BOOL, lambda frame: present(read(frame)))


def number(key: str) -> Node:
    """Return what reads `item.numbers[key]`."""
    return _node(Kind.DOUBLE, lambda frame: frame.number(key))


def has_number(key: str) -> Node:
    """Return `has(item.numbers.key)`."""
    return _node(Kind.BOOL, lambda frame: present(frame.number(key)))


def present(value: Value) -> Value:
    """Return where a value is no error."""
    return bools(~value.error if value.error is not None else np.ones(1, dtype=np.bool_))


def _not_empty(value: Value) -> Value:
    if value.lists is None:
        return FAILED
    return bools(np.diff(value.lists.starts) > 0)


def _node(kind: Kind, run: Run) -> Node:
    return Node(kind, run, _ITEM, by_row=True, cost=ROWS_COST)
