"""Operators and functions: which kinds they take, and what they make of them."""

import re
from collections.abc import Callable

import numpy as np

from services.common.expressions import comparison, logic, numbers, texts, times
from services.common.expressions.limits import ROWS_COST, TEXTS_COST
from services.common.expressions.node import Node
from services.common.expressions.values import (
    FAILED,
    NUMBERS,
    Kind,
    Value,
    bools,
    doubles,
    durations,
    either,
    elements_of,
    ints,
)


class UnsupportedError(Exception):
    """What is asked for is no part of the language here, or can never be; says why."""


Make = Callable[[str, tuple[Node, ...]], Node]
"""Of the name of a function or operator and of what it is applied to."""

_UNKNOWN = frozenset({Kind.UNKNOWN})


def made(kind: Kind, run: Callable[..., Value], *of: Node, by_text: bool = False) -> Node:
    """Return the node that applies `run` to the values of others.

    `by_text`: it goes over the distinct texts of those that differ from item to item.
    """
    by_row = any(one.by_row for one in of)
    runs = tuple(one.run for one in of)
    own = (TEXTS_COST if by_text else ROWS_COST) if by_row else 1
    cost = sum(one.cost for one in of) + own
    reads = frozenset().union(*(one.reads for one in of))
    return Node(kind, lambda frame: run(*(each(frame) for each in runs)), reads, by_row, cost)


def call(name: str, of: tuple[Node, ...]) -> Node:
    """Return the call of a function or operator.

    Args:
        name: as the parser calls it, such as "_+_" or "startsWith".
        of: what it is applied to; of a method what stands before the dot is first.

    Raises:
        UnsupportedError: there is none, or not for such kinds.

    """
    if name == "matches":
        raise UnsupportedError(
            "matches() is not supported: CEL's regular expressions are RE2's, which Python's are "
            "not; use startsWith, endsWith or contains"
        )
    make = _FUNCTIONS.get(name)
    if make is None:
        raise UnsupportedError(f"{name.strip('_@')}() is not supported")
    return make(name, of)


def _logic(name: str, of: tuple[Node, ...]) -> Node:
    for one in of:
        _take(name, one, Kind.BOOL)
    run = {"_&&_": logic.all_of, "_||_": logic.any_of}[name]
    return made(Kind.BOOL, run, *of)


def _not(name: str, of: tuple[Node, ...]) -> Node:
    _take(name, of[0], Kind.BOOL)
    return made(Kind.BOOL, logic.negated, *of)


def _choice(name: str, of: tuple[Node, ...]) -> Node:
    condition, left, right = of
    _take(name, condition, Kind.BOOL)
    kinds = {left.kind, right.kind}
    if Kind.TEXTS in kinds or Kind.MAP in kinds:
        raise UnsupportedError("'?:' does not choose between lists or maps")
    if condition.by_row and (len(kinds) > 1 or kinds & {Kind.UNKNOWN, Kind.LIST}):
        raise UnsupportedError(
            f"'?:' by item chooses between values of one known type, not {left.kind.value} and "
            f"{right.kind.value}; double(...) or == true makes a type known"
        )
    kind = left.kind if len(kinds) == 1 else Kind.UNKNOWN
    return made(kind, logic.chosen, *of, by_text=kind is Kind.TEXT)


def _equality(name: str, of: tuple[Node, ...]) -> Node:
    left, right = of
    kinds = {left.kind, right.kind}
    if Kind.TEXTS in kinds:
        raise UnsupportedError(f"{_told(name)} does not compare lists of items; use all() or in")
    if Kind.UNKNOWN not in kinds and len(kinds) > 1 and not kinds <= NUMBERS:
        raise UnsupportedError(f"{_told(name)} {_of(of)} is never true")
    run = comparison.equal if name == "_==_" else _unequal
    # Of two columns the texts of one are looked for among those of the other.
    return made(Kind.BOOL, run, *of, by_text=left.by_row and right.by_row and Kind.TEXT in kinds)


def _unequal(left: Value, right: Value) -> Value:
    return logic.negated(comparison.equal(left, right))


def _order(name: str, of: tuple[Node, ...]) -> Node:
    kinds = {one.kind for one in of} - _UNKNOWN
    if kinds - _ORDERED or (len(kinds) > 1 and not kinds <= NUMBERS):
        raise UnsupportedError(f"{_told(name)} does not compare {_of(of)}")
    operator = name.strip("_")
    by_text = Kind.TEXT in kinds
    return made(Kind.BOOL, lambda a, b: comparison.ordered(operator, a, b), *of, by_text=by_text)


def _arithmetic(name: str, of: tuple[Node, ...]) -> Node:
    operator = name.strip("_")
    left, right = of
    kinds = {left.kind, right.kind}
    if kinds & {Kind.TEXT, Kind.LIST, Kind.TEXTS}:
        raise UnsupportedError(f"{_told(name)} does not join texts or lists")
    if kinds == _UNKNOWN:
        raise UnsupportedError(
            f"{_told(name)} of two values whose types are only known with the request; "
            "double(...) makes them known"
        )
    if kinds == NUMBERS:
        raise UnsupportedError(
            f"{_told(name)} takes two ints or two doubles, not {_of(of)}; write whole numbers as "
            "2.0, or double(...)"
        )
    if kinds == {Kind.INT, Kind.UNKNOWN} and "user" in left.reads | right.reads:
        raise UnsupportedError(
            f"{_told(name)} of an int and an attribute, whose numbers are doubles; write 2.0, or "
            "int(...)"
        )
    known = kinds - _UNKNOWN
    if not known <= NUMBERS | {Kind.TIME, Kind.DURATION} or (
        len(kinds) == len(known)
        and not known <= NUMBERS
        and (left.kind, operator, right.kind) not in times.SUMS
    ):
        raise UnsupportedError(f"{_told(name)} does not take {_of(of)}")
    if operator == "%" and Kind.DOUBLE in kinds:
        raise UnsupportedError(f"{_told(name)} takes ints, not {_of(of)}")
    if known <= NUMBERS:
        kind = next(iter(known))
    elif len(kinds) > len(known):
        kind = Kind.UNKNOWN
        if left.by_row or right.by_row:
            raise UnsupportedError(
                f"{_told(name)} of {_of(of)} with a type only known with the request; "
                "duration(...) or timestamp(...) makes it known"
            )
    elif (left.kind, right.kind) in _DURATIONS:
        kind = Kind.DURATION
    else:
        kind = Kind.TIME
    return made(kind, lambda a, b: _computed(operator, a, b), *of)


def _computed(operator: str, left: Value, right: Value) -> Value:
    if (left.kind, operator, right.kind) in times.SUMS:
        return times.arithmetic(operator, left, right)
    return numbers.arithmetic(operator, left, right)


def _negative(name: str, of: tuple[Node, ...]) -> Node:
    _take(name, of[0], *NUMBERS)
    return made(of[0].kind, numbers.negated, *of)


def _text_test(name: str, of: tuple[Node, ...]) -> Node:
    for one in of:
        _take(name, one, Kind.TEXT)
    test = texts.FUNCTIONS[name]

    def run(value: Value, other: Value) -> Value:
        if value.kind is not Kind.TEXT or other.kind is not Kind.TEXT:
            return FAILED
        return bools(texts.tested(test, value, other), either(value.error, other.error))

    return made(Kind.BOOL, run, *of, by_text=True)


def _size(name: str, of: tuple[Node, ...]) -> Node:
    _take(name, of[0], Kind.TEXT, Kind.LIST, Kind.MAP)
    return made(Kind.INT, _sized, *of, by_text=of[0].kind is Kind.TEXT)


def _sized(value: Value) -> Value:
    match value.kind:
        case Kind.TEXT:
            return ints(texts.lengths(value), value.error)
        case Kind.LIST:
            return ints(np.array([len(elements_of(value))], dtype=np.int64), value.error)
        case Kind.MAP:
            return ints(np.array([len(value.members or {})], dtype=np.int64))
        case _:
            return FAILED


def _to_int(name: str, of: tuple[Node, ...]) -> Node:
    _take(name, of[0], Kind.TEXT, Kind.TIME, *NUMBERS)
    _one_text(name, of[0])
    return made(Kind.INT, _as_int, *of)


def _as_int(value: Value) -> Value:
    match value.kind:
        case Kind.INT | Kind.DOUBLE:
            return numbers.to_int(value)
        case Kind.TIME:
            return times.to_seconds(value)
        case Kind.TEXT if (text := texts.only(value)) is not None and _WHOLE.fullmatch(text):
            whole = int(text)
            if -(2**63) <= whole < 2**63:
                return ints(np.array([whole], dtype=np.int64))
    return FAILED


def _to_double(name: str, of: tuple[Node, ...]) -> Node:
    _take(name, of[0], Kind.TEXT, *NUMBERS)
    _one_text(name, of[0])
    return made(Kind.DOUBLE, _as_double, *of)


def _as_double(value: Value) -> Value:
    match value.kind:
        case Kind.INT | Kind.DOUBLE:
            return numbers.to_double(value)
        case Kind.TEXT if (text := texts.only(value)) is not None and _DECIMAL.fullmatch(text):
            return doubles(np.array([float(text)]))
    return FAILED


_WHOLE = re.compile(r"[+-]?\d{1,30}", re.ASCII)
_DECIMAL = re.compile(
    r"[+-]?(?:(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?|inf(?:inity)?|nan)", re.ASCII | re.IGNORECASE
)


def _same(name: str, of: tuple[Node, ...]) -> Node:
    return of[0]


def _timestamp(name: str, of: tuple[Node, ...]) -> Node:
    _take(name, of[0], Kind.TEXT, Kind.TIME, Kind.INT)
    _one_text(name, of[0])
    if of[0].text is not None and times.time_of(of[0].text) is None:
        raise UnsupportedError(
            f"{of[0].text!r} is no time of RFC 3339 in the years 1 to 9999 and whole microseconds"
        )
    return made(Kind.TIME, _as_time, *of)


def _as_time(value: Value) -> Value:
    match value.kind:
        case Kind.TIME:
            return value
        case Kind.INT:
            return times.since_epoch(value)
        case Kind.TEXT if (us := times.time_of(texts.only(value) or "")) is not None:
            return Value(Kind.TIME, np.array([us], dtype=np.int64))
    return FAILED


def _duration(name: str, of: tuple[Node, ...]) -> Node:
    _take(name, of[0], Kind.TEXT, Kind.DURATION)
    _one_text(name, of[0])
    if of[0].text is not None and times.duration_of(of[0].text) is None:
        raise UnsupportedError(
            f'{of[0].text!r} is no duration such as "1h30m", of whole microseconds and at most '
            "292 years"
        )
    return made(Kind.DURATION, _as_duration, *of)


def _as_duration(value: Value) -> Value:
    if value.kind is Kind.DURATION:
        return value
    us = times.duration_of(texts.only(value) or "") if value.kind is Kind.TEXT else None
    return FAILED if us is None else durations(np.array([us], dtype=np.int64))


def _part(name: str, of: tuple[Node, ...]) -> Node:
    _take(name, of[0], Kind.TIME, Kind.DURATION)
    if len(of) == 1:
        return made(Kind.INT, lambda value: _got(name, value, 0), *of)
    if of[1].by_row:
        raise UnsupportedError(f"the time zone of {name}() is one for all items")
    if of[1].text is not None and times.offset_of(of[1].text) is None:
        raise UnsupportedError(
            f'{of[1].text!r} is no time zone here: "UTC" and "+02:00" are, names of places are not'
        )

    def run(value: Value, zone: Value) -> Value:
        text = texts.only(zone) if zone.kind is Kind.TEXT else None
        offset = None if text is None else times.offset_of(text)
        return FAILED if offset is None else _got(name, value, offset)

    return made(Kind.INT, run, *of)


def _got(name: str, value: Value, offset: int) -> Value:
    if value.kind not in (Kind.TIME, Kind.DURATION):
        return FAILED
    return times.part(name, value, offset)


def _take(name: str, one: Node, *kinds: Kind) -> None:
    if one.kind is not Kind.UNKNOWN and one.kind not in kinds:
        wanted = " or ".join(kind.value for kind in kinds)
        raise UnsupportedError(f"{_told(name)} takes {wanted}, not {one.kind.value}")


def _one_text(name: str, one: Node) -> None:
    if one.by_row and one.kind is Kind.TEXT:
        raise UnsupportedError(f"{name}() does not take texts of items")


def _told(name: str) -> str:
    return f"{name}()" if name.isidentifier() and not name.startswith("_") else repr(_sign(name))


def _sign(name: str) -> str:
    return name.replace("_", "").removeprefix("@")


def _of(of: tuple[Node, ...]) -> str:
    return " and ".join(one.kind.value for one in of)


_ORDERED = NUMBERS | {Kind.BOOL, Kind.TEXT, Kind.TIME, Kind.DURATION}
_DURATIONS = {(Kind.TIME, Kind.TIME), (Kind.DURATION, Kind.DURATION)}
_FUNCTIONS: dict[str, Make] = {
    "_&&_": _logic,
    "_||_": _logic,
    "!_": _not,
    "_?_:_": _choice,
    "_==_": _equality,
    "_!=_": _equality,
    **dict.fromkeys(("_<_", "_<=_", "_>_", "_>=_"), _order),
    **dict.fromkeys(("_+_", "_-_", "_*_", "_/_", "_%_"), _arithmetic),
    "-_": _negative,
    **dict.fromkeys(("startsWith", "endsWith", "contains"), _text_test),
    "size": _size,
    "int": _to_int,
    "double": _to_double,
    "dyn": _same,
    "timestamp": _timestamp,
    "duration": _duration,
    **dict.fromkeys(times.PARTS, _part),
}
