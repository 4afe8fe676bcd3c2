"""What the compiled loops do not expect is an exception, never memory."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from services.common.ranking.popularity import COLUMNS as POPULAR_COLUMNS

core = pytest.importorskip("harken_native._core", reason="the compiled core is not installed")

N, ROWS, D, LENGTH, CAP = 3, 10, 4, 5, 6


def _ints(*shape: int) -> Any:
    return np.zeros(shape, np.int64)


def _floats(*shape: int) -> Any:
    return np.ones(shape, np.float32)


def _doubles(*shape: int) -> Any:
    return np.ones(shape, np.float64)


def _flags(*shape: int) -> Any:
    return np.ones(shape, np.bool_)


@dataclass(frozen=True)
class Call:
    """A call that is right; `ordinals` are looked up, `written` are
    changed in place.
    """

    name: str
    arguments: Callable[[], dict[str, Any]]
    ordinals: dict[str, int] = field(default_factory=dict)
    written: tuple[str, ...] = ()

    def run(self, **other: Any) -> Any:
        return getattr(core, self.name)(**{**self.arguments(), **other})


CALLS = [
    Call(
        "encode_users",
        lambda: {
            "table": _floats(ROWS, D), "items": _ints(N, LENGTH), "weights": _floats(N, LENGTH),
            "times_us": _ints(N, LENGTH), "exists": _flags(ROWS), "factor": _floats(D, D),
            "length": 4, "decay": 0.8, "max_norm": 3.0, "tolerance": 1e-3, "slack": 4,
        },
        {"items": ROWS},
    ),
    Call(
        "learn_items",
        lambda: {
            "users": _floats(N, D), "positives": _ints(N), "weights": _floats(N),
            "sequences": _ints(N), "exists": _flags(ROWS), "item_count": ROWS,
            "table": _floats(ROWS, D), "base": _floats(ROWS, D), "eta": 0.1, "temperature": 1.0,
            "negatives": 5, "seed": 0, "pull": 0.001, "max_norm": 3.0, "max_drift": 3.0,
            "max_weight": 1.0, "pool": 256,
        },
        {"positives": ROWS},
    ),
    Call(
        "update_rules",
        lambda: {
            "columns": np.full((ROWS, CAP), -1, np.int32), "values": _floats(ROWS, CAP),
            "items": _ints(N), "histories": _ints(N, LENGTH) + 1, "weights": _floats(N),
            "window": 4, "reverse": 0.5, "again": 0.5,
        },
        {"items": ROWS, "histories": ROWS},
        written=("columns", "values"),
    ),
    Call(
        "count_events",
        lambda: {
            "table": _doubles(ROWS, POPULAR_COLUMNS), "events_before": 0.0,
            "items": _ints(N), "weights": _floats(N), "times_us": _ints(N),
            "before_items": _ints(N, LENGTH), "before_times_us": _ints(N, LENGTH),
            "half_life_s": 1.0, "half_life_events": 1.0, "trend_events": 1.0,
        },
        {"items": ROWS},
    ),
    Call(
        "record_events",
        lambda: {
            "table_items": _ints(ROWS, LENGTH) - 1, "table_weights": _floats(ROWS, LENGTH),
            "table_times_us": _ints(ROWS, LENGTH), "table_sequences": _ints(ROWS, LENGTH),
            "latest_us": _ints(ROWS), "rows": _ints(N), "items": _ints(N), "weights": _floats(N),
            "times_us": _ints(N), "sequences": _ints(N), "before_items": _ints(N, LENGTH),
            "before_weights": _floats(N, LENGTH), "before_times_us": _ints(N, LENGTH), "start": 0,
        },
        {"rows": ROWS},
        written=(
            "table_items", "table_weights", "table_times_us", "table_sequences", "latest_us",
            "before_items", "before_weights", "before_times_us",
        ),
    ),
    Call(
        "admit_events",
        lambda: {
            "days": np.zeros(ROWS, np.int32), "counts": np.zeros(ROWS, np.int32), "cap": 2,
            "rows": _ints(N), "times_us": _ints(N), "teach": _flags(N), "admitted": _flags(N),
        },
        {"rows": ROWS},
        written=("days", "counts", "admitted"),
    ),
    Call(
        "contest_gains",
        lambda: {
            "sequences": _ints(N), "items": _ints(N), "exists": _flags(ROWS),
            "users": _floats(N, D), "vectors": _floats(ROWS, D), "biases": _floats(ROWS),
            "negatives": 5, "seed": 1,
        },
        {"items": ROWS},
    ),
    Call(
        "add_symmetric",
        lambda: {"gramian": _doubles(D, D), "change": _floats(D, D)},
        written=("gramian",),
    ),
]  # fmt: skip


def _arrays(call: Call) -> list[str]:
    return [name for name, one in call.arguments().items() if isinstance(one, np.ndarray)]


each_call = pytest.mark.parametrize("call", CALLS, ids=lambda call: call.name)
each_array = pytest.mark.parametrize(
    ("call", "name"),
    [
        pytest.param(call, name, id=f"{call.name}-{name}")
        for call in CALLS
        for name in _arrays(call)
    ],
)

each_axis = pytest.mark.parametrize(
    ("call", "name", "axis"),
    [
        pytest.param(call, name, axis, id=f"{call.name}-{name}-{axis}")
        for call in CALLS
        for name in _arrays(call)
        for axis in range(call.arguments()[name].ndim)
        # A history may be longer than the window, or shorter, and a table of more rows.
        if (call.name, name, axis)
        not in (("update_rules", "histories", 1), ("count_events", "table", 0))
    ],
)


@each_call
def test_the_call_is_right_without_the_fault(call: Call) -> None:
    call.run()


@each_array
def test_another_type_is_refused(call: Call, name: str) -> None:
    array = call.arguments()[name]
    for dtype in (np.float64, np.float32, np.int64, np.int32, np.int16, np.uint8, np.bool_, object):
        if array.dtype != dtype:
            with pytest.raises(TypeError):
                call.run(**{name: array.astype(dtype)})
    with pytest.raises(TypeError):
        call.run(**{name: array.astype(array.dtype.newbyteorder(">"))}) if (
            array.dtype.itemsize > 1
        ) else call.run(**{name: 3})


@each_array
def test_another_number_of_axes_is_refused(call: Call, name: str) -> None:
    array = call.arguments()[name]
    for other in (array[np.newaxis], array.ravel() if array.ndim > 1 else array[0]):
        with pytest.raises(TypeError):
            call.run(**{name: other})


@each_array
def test_memory_that_is_not_in_one_piece_is_refused(call: Call, name: str) -> None:
    array = call.arguments()[name]
    spread = np.repeat(array, 2, axis=-1)[..., ::2]
    assert spread.shape == array.shape
    others = [spread]
    if array.ndim == 2:
        others.append(np.asfortranarray(array))
    for other in others:
        with pytest.raises(TypeError):
            call.run(**{name: other})


@each_axis
@pytest.mark.parametrize("change", [-1, 1])
def test_shapes_that_do_not_belong_together_are_refused(
    call: Call, name: str, axis: int, change: int
) -> None:
    array = call.arguments()[name]
    index = np.arange(array.shape[axis] + change) % array.shape[axis]
    with pytest.raises(ValueError, match=r"differ|not|other"):
        call.run(**{name: np.ascontiguousarray(array.take(index, axis=axis))})


@each_call
@pytest.mark.parametrize("ordinal", [-2, ROWS, 2**40, -(2**63), 2**63 - 1])
def test_ordinals_without_a_row_are_refused(call: Call, ordinal: int) -> None:
    for name in call.ordinals:
        array = call.arguments()[name]
        array.flat[-2] = ordinal
        with pytest.raises(IndexError, match="has no row"):
            call.run(**{name: array})


@each_call
def test_memory_that_may_not_be_written_is_refused_where_it_would_be(call: Call) -> None:
    for name in _arrays(call):
        array = call.arguments()[name]
        array.flags.writeable = False
        if name in call.written:
            with pytest.raises(TypeError):
                call.run(**{name: array})
        else:
            call.run(**{name: array})


def test_dictionaries_refuse_what_has_no_row() -> None:
    for ordinal in (-1, ROWS, 2**62):
        for rows in (ROWS, 10_000):
            with pytest.raises(IndexError, match="has no row"):
                core.index_ordinals([_ints(2), np.array([min(ordinal * rows, ordinal)])], ROWS)
    for column in (np.zeros(3, np.int32), np.zeros((2, 2), np.int64), np.zeros(6, np.int64)[::2]):
        with pytest.raises(TypeError):
            core.index_ordinals([_ints(2), column], ROWS)


def test_constants_out_of_range_are_refused() -> None:
    by_name = {call.name: call for call in CALLS}
    for name, wrong in (
        ("encode_users", {"decay": 0.0}),
        ("encode_users", {"decay": float("nan")}),
        ("encode_users", {"length": -1}),
        ("learn_items", {"item_count": 0}),
        ("learn_items", {"item_count": ROWS + 1}),
        ("learn_items", {"negatives": 0}),
        ("learn_items", {"pool": 0}),
        ("record_events", {"start": N + 1}),
        ("contest_gains", {"negatives": -1}),
    ):
        with pytest.raises((TypeError, ValueError)):
            by_name[name].run(**wrong)
