"""The item tower: content that says something places new items; the id says nothing."""

# What needs PyTorch is imported where it is known to be there.

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from services.common.content_features import Content, content_features, hash_features
from services.common.onnx_model import INPUTS, OUTPUTS, TOWER, open_session
from services.trainer.checkpoint import Checkpoint
from services.trainer.content_matrix import ContentMatrix
from services.trainer.item_graph import graph_of_features
from services.trainer.tower_options import TowerOptions

pytest.importorskip("torch", reason="PyTorch is not installed: extra `train`")
from services.trainer.export import ExportError, export_tower
from services.trainer.item_tower import ItemTowerModel, tower_vectors, train_tower
from services.trainer.tower_run import ScaledTower

BUCKETS = 256


def catalogue(items: int = 200) -> tuple[list[str], list[Content]]:
    ids = [f"i{n}" for n in range(items)]
    return ids, [Content(one, title="thing", tags=(f"k{n % 5}",)) for n, one in enumerate(ids)]


def targets(items: int = 200) -> np.ndarray:
    """Five directions, one per tag, and noise."""
    generator = np.random.default_rng(0)
    kinds = generator.standard_normal((5, 16))
    noise = 0.3 * generator.standard_normal((items, 16))
    return (kinds[np.arange(items) % 5] + noise).astype(np.float32)


OPTIONS = TowerOptions(hidden=32, epochs=12, patience=12, dropout=0.1, learning_rate=5e-3)
TRAIN, HELD_OUT = np.arange(160), np.arange(160, 200)
COUNTS = np.full(200, 20)


def trained(
    checkpoint: Checkpoint | None = None,
    options: TowerOptions = OPTIONS,
    after: Callable[[int, float], None] = lambda epoch, loss: None,
) -> tuple[ItemTowerModel, ContentMatrix]:
    ids, contents = catalogue()
    content = ContentMatrix(ids, contents, BUCKETS)
    model = train_tower(
        content, targets(), COUNTS, TRAIN, HELD_OUT, None, options, checkpoint, after
    )
    return model, content


def test_dense_content_is_what_serving_hashes_but_for_the_id() -> None:
    ids, contents = catalogue(20)
    found = ContentMatrix(ids, contents, BUCKETS).dense(np.arange(20))
    for row, content in enumerate(contents):
        features = content_features(content)
        del features[f"item={content.item_id}"]
        np.testing.assert_allclose(found[row], hash_features(features, BUCKETS), atol=1e-6)


def test_a_random_id_has_the_weight_of_an_id() -> None:
    ids, contents = catalogue(50)
    matrix = ContentMatrix(ids, contents, BUCKETS)
    drawn = matrix.dense(np.arange(50), np.random.default_rng(0))
    np.testing.assert_allclose(np.linalg.norm(drawn, axis=1), 1, atol=1e-5)
    again = matrix.dense(np.arange(50), np.random.default_rng(1))
    assert not np.array_equal(drawn, again)
    served = np.stack([hash_features(content_features(one), BUCKETS) for one in contents])
    assert np.median((drawn * served).sum(axis=1)) > 0.8, "it is not like what serving sends"


def test_it_places_new_items_where_a_projection_does_not() -> None:
    model, _ = trained()
    _, contents = catalogue()
    # As served: with ids that training never saw.
    new = np.stack([hash_features(content_features(contents[row]), BUCKETS) for row in HELD_OUT])
    scaled = ScaledTower(model, 1.0, 3.0).eval()
    made = open_session(export_tower(scaled, new).model).run([OUTPUTS[TOWER]], {INPUTS[TOWER]: new})
    projection = np.random.default_rng(7).standard_normal((BUCKETS, 16))
    own, random = (nearest_kind(one) for one in (made[0], new @ projection))
    assert own > 0.9
    assert random < 0.5


def nearest_kind(made: np.ndarray) -> float:
    """Share of held-out items whose nearest trained item is of their kind."""
    base = targets()[TRAIN]
    unit = made / np.linalg.norm(made, axis=1, keepdims=True)
    near = np.argmax(unit @ (base / np.linalg.norm(base, axis=1, keepdims=True)).T, axis=1)
    return float((near % 5 == HELD_OUT % 5).mean())


def test_norms_follow_the_targets() -> None:
    model, content = trained()
    made = np.linalg.norm(tower_vectors(model, content, HELD_OUT), axis=1)
    wanted = np.linalg.norm(targets()[HELD_OUT], axis=1)
    assert np.median(made) == pytest.approx(np.median(wanted), rel=0.25)


class StopError(Exception):
    pass


def test_a_resumed_training_ends_with_the_same_bits(tmp_path: Path) -> None:
    whole, content = trained()
    checkpoint = Checkpoint(tmp_path / "tower", {"run": 1})

    def stop(epoch: int, loss: float) -> None:
        if epoch == 5:
            raise StopError

    with pytest.raises(StopError):
        trained(checkpoint, after=stop)
    heard: list[int] = []
    resumed, _ = trained(checkpoint, after=lambda epoch, loss: heard.append(epoch))
    assert heard[0] == 6, "it started over"
    rows = np.arange(200)
    one, other = (tower_vectors(model, content, rows) for model in (whole, resumed))
    assert one.tobytes() == other.tobytes()


def test_a_checkpoint_of_other_facts_is_not_resumed(tmp_path: Path) -> None:
    Checkpoint(tmp_path / "c", {"run": 1}).write({"a": np.arange(3)})
    assert Checkpoint(tmp_path / "c", {"run": 2}).read() is None
    found = Checkpoint(tmp_path / "c", {"run": 1}).read()
    assert found is not None
    assert found["a"].tolist() == [0, 1, 2]


def test_an_export_that_differs_is_refused() -> None:
    model, content = trained(options=TowerOptions(hidden=8, epochs=1))
    with pytest.raises(ExportError, match="differs by"):
        export_tower(ScaledTower(model, 1.0, 3.0), content.dense(HELD_OUT), tolerance=-1.0)


def test_a_scaled_tower_is_bounded() -> None:
    model, content = trained()
    exported = export_tower(ScaledTower(model, 100.0, 3.0).eval(), content.dense(HELD_OUT))
    made = open_session(exported.model).run(None, {INPUTS[TOWER]: content.dense(TRAIN)})[0]
    np.testing.assert_allclose(np.linalg.norm(made, axis=1), 3.0, rtol=1e-3)


def test_neighbours_share_rare_features() -> None:
    rows = [{"a": 1.0, "all": 1.0}, {"a": 1.0, "all": 1.0}, {"b": 1.0, "all": 1.0}, {"all": 1.0}]
    graph = graph_of_features(rows, common=3)
    vectors = np.eye(4, dtype=np.float32)
    np.testing.assert_allclose(
        graph.averages(vectors), [[0, 1, 0, 0], [1, 0, 0, 0], [0] * 4, [0] * 4]
    )
    # An item without a vector is no neighbour; of several, what is rarer weighs more.
    rows = [{"a": 1.0, "b": 1.0}, {"a": 1.0}, {"a": 1.0}, {"b": 1.0}]
    rare, common = 1 / np.log2(2 + 2), 1 / np.log2(2 + 3)
    share = np.array([0, common, common, rare]) / (2 * common + rare)
    graph = graph_of_features(rows)
    np.testing.assert_allclose(graph.averages(vectors)[0], share, rtol=1e-6)
    vectors[2] = 0
    share[2] = 0
    np.testing.assert_allclose(graph.averages(vectors)[0], share / share.sum(), rtol=1e-6)
