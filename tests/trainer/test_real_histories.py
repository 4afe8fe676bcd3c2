"""Training does not fail on what real histories are like; what it could not do, it says."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.common.content_features import Content
from services.dataset.history.events import Events
from services.trainer.generation import read_generation
from services.trainer.training_data import TrainingDataError, training_data
from tests.trainer.made import TYPES, events_of

pytest.importorskip("torch", reason="PyTorch is not installed: extra `train`")
from services.trainer import run
from services.trainer.run import TrainingRun
from tests.trainer.test_run import plan_of, silent

N = 400
GENERATOR = np.random.default_rng(4)
EVERY_SECOND = list(range(1, N + 1))


def history(users: np.ndarray, items: np.ndarray, seconds: list[int] | None = None) -> Events:
    return events_of(users.tolist(), items.tolist(), seconds or EVERY_SECOND)


SOME = GENERATOR.integers(0, 30, N)
FEW = GENERATOR.integers(0, 20, N)
HISTORIES: Mapping[str, Events] = {
    "short sessions": history(np.arange(N) // 3, FEW),
    "items that come late": history(SOME, np.arange(N) // 8 + GENERATOR.integers(0, 3, N)),
    "one event an item": history(SOME, np.arange(N)),
    "one event a user": history(np.arange(N), FEW),
    "one user": history(np.zeros(N, np.int64), FEW),
    "one item": history(SOME, np.zeros(N, np.int64)),
    "one user, one item": history(np.zeros(N, np.int64), np.zeros(N, np.int64)),
    "one second": history(SOME, FEW, [7] * N),
    "two seconds": history(SOME, FEW, [7] * (N // 2) + [8] * (N // 2)),
    "repeated rows": history(np.repeat(SOME[::4], 4), np.repeat(FEW[::4], 4),
                             np.repeat(EVERY_SECOND[::4], 4).tolist()),
    "one day": history(SOME, FEW, np.sort(GENERATOR.integers(0, 86_400, N)).tolist()),
    "a handful": history(SOME[:3], FEW[:3], [1, 2, 3]),
    "one event": history(SOME[:1], FEW[:1], [1]),
}  # fmt: skip


@pytest.mark.parametrize("content", [False, True])
@pytest.mark.parametrize("kind", HISTORIES)
def test_training_comes_to_an_end(kind: str, content: bool, tmp_path: Path) -> None:
    events = HISTORIES[kind]
    # One kind of item, and half of them without content.
    contents = {name: Content(name, tags=("thing",)) for name in events.item_ids[::2]}
    data = training_data(events, contents if content else {}, TYPES, 0.2)
    plan = plan_of(tmp_path)
    trained = TrainingRun(data, plan, silent).run()
    assert trained.made
    manifest, _ = read_generation(plan.out)
    assert manifest.dimension == 16
    assert "better" in trained.notes
    if not content:
        assert trained.notes["tower"] == "not trained: no item has content"
    if kind == "one second":
        assert "not judged" in trained.notes["better"]


@settings(max_examples=10, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 3), st.integers(0, 4), st.integers(0, 3), st.booleans()),
        min_size=1, max_size=60,
    ),
    st.floats(0.0, 0.9),
)  # fmt: skip
def test_any_history_is_trained_on_or_said_to_teach_nothing(
    tmp_path_factory: pytest.TempPathFactory,
    rows: list[tuple[int, int, int, bool]],
    validation: float,
) -> None:
    users, items, gaps, good = (np.array(column) for column in zip(*rows, strict=True))
    events = history(users, items, np.cumsum(gaps).tolist())
    try:
        data = training_data(events, {}, TYPES, validation, good.astype(np.float32))
    except TrainingDataError as error:
        assert not good.any()
        assert "positive" in str(error)
        return
    plan = plan_of(tmp_path_factory.mktemp("any"))
    assert TrainingRun(data, plan, silent).run().made
    read_generation(plan.out)


def test_of_many_items_fewer_groups_are_ranked_and_it_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "_SCORES", 30 * N)
    monkeypatch.setattr(run, "_LEAST_GROUPS", 10)
    data = training_data(HISTORIES["one event an item"], {}, TYPES, 0.2)
    trained = TrainingRun(data, plan_of(tmp_path), silent).run()
    assert trained.notes["groups"].startswith("30:")


def test_a_part_without_positive_events_is_no_obstacle(tmp_path: Path) -> None:
    data = training_data(HISTORIES["short sessions"], {}, TYPES, 0.2)
    weights = data.weights.copy()
    weights[: data.validation_start] = 0.0
    trained = TrainingRun(replace(data, weights=weights), plan_of(tmp_path), silent).run()
    assert trained.made
