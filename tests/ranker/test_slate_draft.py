"""What the compiled core is given and cannot use is an exception, and never touches memory."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from harken.ranker.v1 import ranker_service_pb2 as pb
from services.common.content_codes import WIDTH
from services.common.ranking.features import FEATURES
from services.common.ranking.popularity import COLUMNS
from services.common.ranking.recent import RECENT
from services.ranker.domain.outcome_blend import blend
from services.ranker.domain.seen_items import SEEN
from services.ranker.domain.surface.weighing import log_odds
from tests.ranker.compiled import core_or_skip

CORE = core_or_skip()
SIZE = 5
Arguments = dict[str, Any]


def gathering() -> Arguments:
    recent = np.zeros(2, RECENT)
    recent["item"], recent["weight"], recent["time"] = [1, 2], 1.0, [1.0, 2.0]
    return {
        "recent": recent,
        "targets": np.array([[3, -1]] * SIZE, np.int32),
        "weights": np.ones((SIZE, 2), np.float32),
        "popular": np.zeros((SIZE, COLUMNS)),
        "order": np.arange(SIZE),
        "touched": np.array([2, 3]),
        "is_touched": np.isin(np.arange(SIZE), [2, 3]),
        "eligible": np.ones(SIZE, np.bool_),
        "nearest": np.array([4, 0]),
        "asked": None,
        "pool": 3,
        "wanted": 4,
        "now": 10.0,
        "level_now": 0.1,
        "into": np.zeros(SIZE, np.int64),
    }


def featuring() -> Arguments:
    return {
        "dots": np.ones(SIZE),
        "held": np.ones(SIZE, np.bool_),
        "popular": np.zeros((SIZE, COLUMNS)),
        "buckets": np.full((SIZE, WIDTH), 2**16 - 1, np.uint16),
        "weights": np.ones((SIZE, WIDTH), np.float32),
        "into": np.zeros((SIZE, len(FEATURES)), np.float32),
    }


def finishing() -> Arguments:
    return {
        "raw": np.ones((SIZE, 2), np.float32),
        "weights": np.ones(2),
        "head": np.ones((2, len(FEATURES) + 3)),
        "features": np.zeros((SIZE, len(FEATURES)), np.float32),
        "item_ids": [f"i{n}" for n in range(SIZE)],
        "nameable": np.ones(SIZE, np.bool_),
        "count": 3,
        "field": 2,
        "logged": True,
    }


def choosing() -> Arguments:
    seen = np.zeros(2, SEEN)
    return {
        "servable": np.ones(SIZE, np.bool_),
        "held": np.ones(SIZE, np.bool_),
        "excluded": np.array([1, 1]),
        "seen": seen,
        "hides_us": np.array([2**62, 0]),
        "now_us": 100,
        "into": np.empty(SIZE, np.bool_),
    }


def drafts() -> Any:
    return CORE.SlateDraft()


STEPS: dict[str, Callable[[], Arguments]] = {
    "gather": gathering,
    "features": featuring,
    "finish": finishing,
    "eligible": choosing,
}


def run_until(step: str, wrong: Arguments) -> Any:
    """Run the steps up to one, this one with other arguments than it can use."""
    draft = drafts()
    for name, arguments in STEPS.items():
        if name == step:
            return getattr(draft, name)(**{**arguments(), **wrong})
        if step != "eligible":
            assert getattr(draft, name)(**arguments()) is not NotImplemented
    return None


def test_what_fits_works() -> None:
    slots, items, finite, logged = run_until("finish", {})
    assert items == len(pb.RecommendResponse.FromString(slots).slots) == 3
    assert finite
    assert logged
    assert run_until("eligible", {}) == (5, 4, 3)


@pytest.mark.parametrize("step", STEPS)
def test_arrays_of_other_types_orders_and_dimensions_are_refused(step: str) -> None:
    arrays = {k: v for k, v in STEPS[step]().items() if isinstance(v, np.ndarray)}
    assert arrays
    for name, array in arrays.items():
        other = np.int8 if array.dtype != np.int8 else np.float32
        plain = array if array.dtype.names is None else array["time"]
        apart = np.stack([array, array], axis=-1)[..., 0]
        assert apart.shape == array.shape
        for wrong in (
            np.zeros(array.shape, other),
            np.zeros(array.shape, ">i8"),
            plain[np.newaxis],
            np.zeros((), plain.dtype),
            apart,
            apart[::-1],
        ):
            with pytest.raises(ValueError, match=name):
                run_until(step, {name: wrong})
        for wrong in (list(array.ravel()), 3, object()):  # type: ignore[assignment]
            with pytest.raises(TypeError):
                run_until(step, {name: wrong})


def _recent(item: int) -> np.ndarray:
    recent = np.ones(2, RECENT)
    recent["item"] = [0, item]
    return recent


def _seen(item: int, kind: int) -> np.ndarray:
    seen = np.zeros(1, SEEN)
    seen["item"], seen["kind"] = item, kind
    return seen


OUTSIDE: list[tuple[str, Arguments]] = [
    *(("gather", {"recent": _recent(item)}) for item in (-1, SIZE, 2**62, -(2**62))),
    *(
        ("gather", {"targets": np.full((SIZE, 2), target, np.int32)})
        for target in (SIZE, 2**31 - 1)
    ),
    *(
        ("gather", {name: np.array([outside])})
        for name in ("order", "touched", "nearest", "asked")
        for outside in (-1, SIZE, 2**62)
    ),
    ("gather", {"eligible": np.ones(SIZE + 1, np.bool_)}),
    ("gather", {"is_touched": np.ones(SIZE - 1, np.bool_)}),
    ("gather", {"popular": np.zeros((SIZE - 1, COLUMNS))}),
    ("features", {"popular": np.zeros((SIZE - 1, COLUMNS))}),
    ("features", {"held": np.zeros(SIZE - 1, np.bool_)}),
    ("features", {"buckets": np.zeros((SIZE - 1, WIDTH), np.uint16)}),
    ("finish", {"nameable": np.zeros(SIZE - 1, np.bool_)}),
    ("finish", {"item_ids": ["a"] * (SIZE - 1)}),
    ("finish", {"features": np.zeros((SIZE - 1, len(FEATURES)), np.float32)}),
    *(("eligible", {"excluded": np.array([outside])}) for outside in (-1, SIZE, 2**62)),
    *(("eligible", {"seen": _seen(outside, 0)}) for outside in (-1, SIZE, 2**31 - 1)),
    *(("eligible", {"seen": _seen(0, kind)}) for kind in (-1, 2, 2**15 - 1)),
]


@pytest.mark.parametrize(("step", "wrong"), OUTSIDE)
def test_what_is_out_of_range_is_refused(step: str, wrong: Arguments) -> None:
    with pytest.raises(IndexError):
        run_until(step, wrong)


UNFIT: list[tuple[str, Arguments]] = [
    ("gather", {"weights": np.ones((SIZE, 3), np.float32)}),
    ("gather", {"popular": np.zeros((SIZE, COLUMNS - 1))}),
    ("gather", {"into": np.zeros(SIZE - 1, np.int64)}),
    ("gather", {"pool": -1}),
    ("gather", {"wanted": -1}),
    ("features", {"dots": np.ones(SIZE - 1)}),
    ("features", {"buckets": np.zeros((SIZE, WIDTH + 1), np.uint16)}),
    ("features", {"weights": np.ones((SIZE, WIDTH - 1), np.float32)}),
    ("features", {"weights": np.ones((SIZE + 1, WIDTH), np.float32)}),
    ("features", {"into": np.zeros((SIZE - 1, len(FEATURES)), np.float32)}),
    ("features", {"into": np.zeros((SIZE, len(FEATURES) + 1), np.float32)}),
    ("finish", {"features": np.zeros((SIZE, len(FEATURES) - 1), np.float32)}),
    ("finish", {"raw": np.ones((SIZE - 1, 2), np.float32)}),
    ("finish", {"raw": np.ones((SIZE, 3), np.float32)}),
    ("finish", {"weights": np.ones(3)}),
    ("finish", {"head": np.ones((1, len(FEATURES) + 3))}),
    ("finish", {"head": np.ones((2, len(FEATURES)))}),
    ("finish", {"count": -1}),
    ("finish", {"field": 0}),
    ("finish", {"field": 16}),
    ("eligible", {"held": np.ones(SIZE - 1, np.bool_)}),
    ("eligible", {"into": np.ones(SIZE + 1, np.bool_)}),
]


@pytest.mark.parametrize(("step", "wrong"), UNFIT)
def test_what_does_not_fit_together_is_refused(step: str, wrong: Arguments) -> None:
    with pytest.raises(ValueError):
        run_until(step, wrong)


def test_what_is_read_only_is_not_written() -> None:
    for step in ("gather", "features", "eligible"):
        into = STEPS[step]()["into"]
        into.flags.writeable = False
        with pytest.raises(ValueError, match="into"):
            run_until(step, {"into": into})


def test_arrays_that_are_not_aligned_are_refused() -> None:
    apart = np.zeros(8 * SIZE + 1, np.uint8)[1:].view(np.float64)
    with pytest.raises(ValueError, match="dots"):
        run_until("features", {"dots": apart})


def test_ids_are_a_list_of_texts() -> None:
    with pytest.raises(TypeError):
        run_until("finish", {"item_ids": ("a",) * SIZE})
    with pytest.raises(TypeError):
        run_until("finish", {"item_ids": [1] * SIZE})
    with pytest.raises(UnicodeEncodeError):
        run_until("finish", {"item_ids": ["\ud800"] * SIZE})


def test_steps_come_in_their_order() -> None:
    draft = drafts()
    with pytest.raises(RuntimeError):
        draft.features(**featuring())
    with pytest.raises(RuntimeError):
        draft.finish(**finishing())
    draft.gather(**gathering())
    with pytest.raises(RuntimeError):
        draft.finish(**finishing())
    draft.features(**featuring())
    draft.finish(**finishing())
    with pytest.raises(IndexError):
        draft.gather(**{**gathering(), "nearest": np.array([SIZE])})
    with pytest.raises(RuntimeError):
        draft.features(**featuring())


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("features", np.zeros((3, len(FEATURES) + 1), np.float32)),
        ("features", np.zeros((2, len(FEATURES)), np.float32)),
        ("features", np.zeros((3, len(FEATURES)))),
        ("weights", np.zeros((1, len(FEATURES)), np.float32)),
        ("weights", np.zeros((len(FEATURES), 2), np.float32).T),
        ("offsets", np.zeros((2, 1), np.float32)),
        ("into", np.zeros((3, 3), np.float32)),
    ],
)
def test_a_matrix_that_does_not_fit_is_refused(name: str, wrong: np.ndarray) -> None:
    given = {
        "features": np.zeros((3, len(FEATURES)), np.float32),
        "weights": np.zeros((2, len(FEATURES)), np.float32),
        "offsets": np.zeros(2, np.float32),
        "into": np.zeros((3, 2), np.float32),
    }
    CORE.SlateDraft.affine(**given)
    with pytest.raises(ValueError, match=name):
        CORE.SlateDraft.affine(**{**given, name: wrong})


@pytest.mark.parametrize(
    "weights",
    [[1.0, 3.0, -10.0], [1.0, 3.0, 0.5], [-1.0, 0.0, -2.0], [0.1, -50.0, -10.0], [0.0, 0.0, 0.0]],
)
@pytest.mark.parametrize("unscored", [[], [2], [0, 1, 2, 3, 4]])
def test_what_candidates_are_worth_is_what_numpy_says(
    weights: list[float], unscored: list[int]
) -> None:
    draft = CORE.SlateDraft()
    count = draft.gather(**gathering())
    draft.features(**featuring())
    raw = np.random.default_rng(7).normal(-1.0, 2.0, (count, 3)).astype(np.float32)
    raw[[place for place in unscored if place < count], 1] = np.nan
    by, nothing = np.array(weights), np.zeros(0, np.int64)
    scores, found = np.empty(count), np.empty(count)
    features = np.zeros((count, len(FEATURES)), np.float32)
    draft.weigh(raw, by, None, features, None, nothing, np.zeros(0), scores, found)
    penalties = blend(raw, np.maximum(-by, 0.0)) if (by < 0).any() else None
    np.testing.assert_allclose(scores, blend(raw, by), rtol=1e-12)
    np.testing.assert_allclose(
        found, log_odds(blend(raw, by), penalties, by), rtol=1e-11, atol=1e-12
    )
