"""What serves while a generation is judged: as large as the part looked at, not as the history."""

import weakref
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.common.content_features import Content
from services.feedback.learner.model.tenant_state import LearningConfig
from services.trainer import serving
from services.trainer.serving import Serving, known_items
from services.trainer.training_data import TrainingData, training_data
from tests.trainer.made import TYPES, events_of, tasteful

pytest.importorskip("torch", reason="PyTorch is not installed: extra `train`")
from services.trainer import base_vectors, contest, run, scorer_data
from services.trainer.run import TrainingRun
from tests.trainer.test_run import plan_of, silent


def lone(count: int, described: int = 0) -> TrainingData:
    """One event an item; items beyond them are known by their content only."""
    events = events_of([n % 7 for n in range(count)], list(range(count)), list(range(count)))
    contents = {f"more{n}": Content(f"more{n}", title="More") for n in range(described)}
    return training_data(events, contents, TYPES, 0.2)


@given(
    st.lists(st.integers(0, 9), min_size=1, max_size=40),
    st.integers(0, 3),
    st.integers(0, 40),
    st.integers(1, 15),
)
def test_known_are_those_with_content_or_events_and_of_many_those_with_most(
    items: list[int], described: int, begin: int, at_most: int
) -> None:
    events = events_of([0] * len(items), items, list(range(len(items))))
    contents = {f"more{n}": Content(f"more{n}") for n in range(described)}
    data = training_data(events, contents, TYPES, 0.2)
    begin = min(begin, len(items))
    counts = {item: items[:begin].count(item) for item in items[:begin]}
    counts |= dict.fromkeys(range(data.n_items - described, data.n_items), 0)
    found = known_items(data, begin, at_most).tolist()
    assert found == sorted(set(found))
    assert set(found) <= set(counts)
    assert len(found) == min(len(counts), at_most)
    left = [counts[item] for item in counts if item not in found]
    assert max(left, default=0) <= min((counts[item] for item in found), default=0) or not left


def test_a_part_holds_the_items_it_needs_and_few_of_those_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What the learner and the ranker hold does not grow with the history."""
    monkeypatch.setattr(serving, "KNOWN", 20)
    held = set()
    for count in (300, 3000):
        data = lone(count, described=count)
        one = Serving(data, count - 50, count, 8, LearningConfig(), warm_up=100)
        for _ in one.turns():
            pass
        held.add(int(one.learner.vectors(data.item_ids).any(axis=1).sum()))
    # Those from before, those of the warm-up, those of the part.
    assert held == {20 + 100 + 50}


def test_one_system_is_in_memory_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each costs kilobytes an item: that of one contestant is gone before the next one begins."""
    begun: list[weakref.ref[Serving]] = []

    class Watched(Serving):
        def __init__(self, *given: object) -> None:
            assert not any(one() is not None for one in begun)
            begun.append(weakref.ref(self))
            super().__init__(*given)  # type: ignore[arg-type]

    for module in (contest, run, scorer_data):
        monkeypatch.setattr(module, "Serving", Watched)
    data = tasteful(people=120, events=1800)
    assert TrainingRun(data, plan_of(tmp_path), silent).run().made
    assert len(begun) >= 5


def test_tables_of_one_stage_are_gone_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Base vectors fitted for constants and scorer are not kept while contestants are judged."""
    made: list[weakref.ref[np.ndarray]] = []
    alive: list[int] = []
    fit, judge = base_vectors.fit_base_vectors, contest.judged

    def fitted(*given: object) -> np.ndarray:
        vectors = fit(*given)  # type: ignore[arg-type]
        made.append(weakref.ref(vectors))
        return vectors

    def judged(*given: object) -> object:
        alive.append(sum(one() is not None for one in made))
        return judge(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(run, "fit_base_vectors", fitted)
    monkeypatch.setattr(run, "judged", judged)
    data = tasteful(people=120, events=1800)
    TrainingRun(data, replace(plan_of(tmp_path), groups=200), silent).run()
    assert len(made) >= 2
    assert alive
    assert max(alive) == 0
