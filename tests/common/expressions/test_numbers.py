"""Arithmetic and order at the ends of what numbers hold; the oracle is Python's, which is exact."""

import math
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from services.common.expressions.expression import parse_condition
from services.common.expressions.request import Request

_ENDS = (-(2**63), -(2**63) + 1, -(2**53) - 1, -1, 0, 1, 2, 3, 2**53, 2**53 + 1, 2**62, 2**63 - 1)
_ints = st.one_of(st.sampled_from(_ENDS), st.integers(-(2**63), 2**63 - 1))
_doubles = st.one_of(
    st.floats(), st.sampled_from([float(end) for end in (*_ENDS, 2**63)]), _ints.map(float)
)


@given(_ints, _ints, st.sampled_from("+-*/%"))
def test_ints_overflow_into_errors(left: int, right: int, operator: str) -> None:
    result = _exact(left, right, operator)
    text = f"int(user.a) {operator} int(user.b) == user.c"
    held = _holds(text, left, right, result or 0), _holds(f"!({text})", left, right, result or 0)
    assert held == (result is not None, False)


def _exact(left: int, right: int, operator: str) -> int | None:
    if operator in "/%" and (right == 0 or (left, right) == (-(2**63), -1)):
        return None
    match operator:
        case "+":
            result = left + right
        case "-":
            result = left - right
        case "*":
            result = left * right
        case "/":
            result = abs(left) // abs(right) * (1 if (left < 0) == (right < 0) else -1)
        case _:
            result = int(math.copysign(1, left)) * (abs(left) % abs(right))
    return result if -(2**63) <= result < 2**63 else None


@given(_ints, _doubles)
def test_ints_and_doubles_stand_on_one_line(whole: int, double: float) -> None:
    for sign in ("<", "<=", ">", ">=", "==", "!="):
        expected = _compared(sign, whole, double)
        assert _holds(f"user.a {sign} user.b", whole, double) is expected, (whole, sign, double)
        mirrored = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}.get(sign, sign)
        assert _holds(f"user.b {mirrored} user.a", whole, double) is expected


def _compared(sign: str, whole: int, double: float) -> bool:
    if math.isnan(double):
        return sign == "!="
    of_double = Fraction(0) if math.isinf(double) else Fraction(double)
    order = (whole > of_double) - (whole < of_double)
    if math.isinf(double):
        order = -1 if double > 0 else 1
    return {
        "<": order < 0,
        "<=": order <= 0,
        ">": order > 0,
        ">=": order >= 0,
        "==": order == 0,
        "!=": order != 0,
    }[sign]


@given(_doubles)
def test_a_double_is_cut_towards_zero_where_it_is_an_int(double: float) -> None:
    inside = math.isfinite(double) and -(2.0**63) < double < 2.0**63
    if inside:
        assert _holds("int(user.a) == user.b", double, int(double))
    else:
        assert not _holds("int(user.a) == int(user.a)", double)


def _holds(text: str, *values: float) -> bool:
    user = dict(zip("abc", values, strict=False))
    return parse_condition(text).holds(Request(user))
