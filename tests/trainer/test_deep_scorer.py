"""The deep scorer finds what features cannot say: that a candidate is like a recent item."""

# What needs PyTorch is imported where it is known to be there.

import numpy as np
import pytest

from services.common.candidate_features import COLUMNS
from services.common.onnx_model import open_session
from services.trainer.scorer import group_quality
from services.trainer.scorer_data import CandidateGroup

pytest.importorskip("torch", reason="PyTorch is not installed: extra `train`")
from services.trainer.deep_scorer import inputs_of, train_deep_scorer
from services.trainer.export import export_deep_scorer

ITEMS, LENGTH = 60, 5
TABLE = np.eye(6, dtype=np.float32)[np.arange(ITEMS) % 6]
HISTORIES = np.random.default_rng(4).integers(0, ITEMS, (2000, LENGTH))


def histories(group: CandidateGroup) -> np.ndarray:
    recent: np.ndarray = HISTORIES[group.event]
    return recent


def groups(count: int, first: int) -> list[CandidateGroup]:
    """Of ten candidates the one of the kind of the latest item is taken; features are noise."""
    generator = np.random.default_rng(first)
    made = []
    for event in range(first, first + count):
        kind = HISTORIES[event, -1] % 6
        others = np.flatnonzero(np.arange(ITEMS) % 6 != kind)
        items = generator.permutation(others)[:10]
        items[3] = kind + 6 * generator.integers(0, 10)
        features = generator.standard_normal((10, len(COLUMNS))).astype(np.float32)
        made.append(CandidateGroup(features, items, np.array([3]), ("view",), 0, event, 0))
    return made


def test_it_beats_what_sees_features_only_and_exports_as_it_is() -> None:
    fit, validation = groups(500, 0), groups(100, 1000)
    flat = np.zeros(len(COLUMNS))
    heard: list[float] = []
    model, quality = train_deep_scorer(
        fit, validation, histories, TABLE, flat, epochs=8, on_epoch=lambda _, v: heard.append(v)
    )
    linear = group_quality(validation, [one.features @ flat for one in validation])
    assert quality.ndcg > linear.ndcg + 0.1
    assert quality.ndcg == max(heard)
    exported = export_deep_scorer(model, validation, histories, TABLE)
    assert exported.difference < 1e-4
    tensors = inputs_of(validation[5], np.arange(4), histories(validation[5]), TABLE)
    names = ("features", "candidates", "history", "mask")
    inputs = {name: np.ascontiguousarray(one) for name, one in zip(names, tensors, strict=True)}
    made = open_session(exported.model).run(["scores"], inputs)[0]
    np.testing.assert_allclose(made, model(*tensors).detach().numpy(), atol=1e-4)


def test_it_starts_as_the_linear_scorer() -> None:
    weights = np.random.default_rng(0).standard_normal(len(COLUMNS))
    validation = groups(50, 1500)
    _, quality = train_deep_scorer(groups(5, 0), validation, histories, TABLE, weights, epochs=0)
    assert quality == group_quality(validation, [one.features @ weights for one in validation])
