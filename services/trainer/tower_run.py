"""The item tower within a training run: graph, held-out items, and what it is worth."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import nn

from services.common.content_features import Content, content_features, hash_features
from services.common.onnx_model import INPUTS, OUTPUTS, TOWER, open_session
from services.feedback.generations.domain.bootstrap_models import BUCKETS, item_tower
from services.trainer.checkpoint import Checkpoint
from services.trainer.content_matrix import ContentMatrix
from services.trainer.fold_in_model import FoldInOptions
from services.trainer.item_graph import graph_of_features
from services.trainer.item_tower import ItemTowerModel, tower_vectors, train_tower
from services.trainer.parameters import Parameters
from services.trainer.placement import hold_out, placements
from services.trainer.timeline import Floats, Groups, Ints, Timeline
from services.trainer.training_data import TrainingData
from services.trainer.vector_scale import scaled

_HELD_OUT = 0.15


class ScaledTower(nn.Module):
    """A tower whose vectors are multiplied by a factor, and bounded."""

    def __init__(self, tower: ItemTowerModel, factor: float, max_norm: float) -> None:
        super().__init__()
        self.tower = tower
        self.linear = tower.linear
        self.factor = factor
        self.max_norm = max_norm

    def forward(self, content: torch.Tensor) -> torch.Tensor:
        """Return vectors [n, d] of content [n, buckets]."""
        vectors = self.tower(content) * self.factor
        norm = vectors.pow(2).sum(dim=1, keepdim=True).clamp_min(1e-12).sqrt()
        bounded: torch.Tensor = vectors * (self.max_norm / norm).clamp_max(1.0)
        return bounded


@dataclass(frozen=True, slots=True)
class TowerRun:
    """The tower, and what it is worth.

    starts: [N, d], what it makes of all items where base vectors have a median norm of 1. epochs:
    how many were best.
    """

    model: ItemTowerModel
    starts: Floats
    epochs: int
    metrics: dict[str, float]

    def scaled_model(self, factor: float, max_norm: float) -> ScaledTower:
        """Return the tower for base vectors that were multiplied by `factor`."""
        return ScaledTower(self.model, factor, max_norm).eval()


def tower_run(
    data: TrainingData,
    content: ContentMatrix,
    vectors: Floats,
    end: int,
    timeline: Timeline,
    groups: Groups | None,
    parameters: Parameters,
    work: Path,
    name: str,
    epochs: int | None,
    progress: Callable[[str, int], AbstractContextManager[Callable[[int], None]]],
) -> TowerRun:
    """Train a tower on base vectors [N, d] of events before number `end`.

    groups: where placement is judged, with items held out; None: no item is held out, and `epochs`
    are run to the last.
    """
    # Items of which nothing is known but their ids teach nothing about content.
    counts: Ints = np.where(content.described(), data.item_counts(end), 0)
    options = parameters.tower
    share = _HELD_OUT if groups is not None else 0.0
    train, held_out = hold_out(counts, share, options.seed)
    if groups is None:
        options = replace(options, epochs=epochs or options.epochs, patience=10**9)
    known = vectors.copy()
    known[held_out] = 0
    neighbours = graph_of_features(content.features).averages(known)
    facts = {"options": str(options), "targets": float(np.abs(vectors).sum()), "end": end}
    checkpoint = Checkpoint(work / f"{name}.tower.checkpoint", facts)
    losses: list[float] = []
    with progress(f"{name}: item tower", options.epochs) as show:

        def after(epoch: int, loss: float) -> None:
            losses.append(loss)
            show(epoch)

        model = train_tower(
            content, vectors, counts, train, held_out, neighbours, options, checkpoint, after
        )
        show(options.epochs)
    made = tower_vectors(model, content, np.arange(data.n_items))
    metrics: dict[str, float] = {}
    if groups is not None and held_out.size:
        metrics = _judge(data, timeline, groups, vectors, held_out, made)
    norm = float(np.median(np.linalg.norm(vectors[train], axis=1))) if train.size else 1.0
    best = int(np.argmin(losses)) + 1 if losses and not np.isnan(losses).any() else options.epochs
    return TowerRun(model, (made / max(norm, 1e-9)).astype(np.float32), best, metrics)


def _judge(
    data: TrainingData,
    timeline: Timeline,
    groups: Groups,
    vectors: Floats,
    held_out: Ints,
    made: Floats,
) -> dict[str, float]:
    base, _ = scaled(vectors, 0.5, 3.0)
    towers = {
        "tower": made[held_out],
        "projection": projected(data, held_out, vectors.shape[1]),
        "oracle": base[held_out],
    }
    metrics: dict[str, float] = {}
    found = placements(timeline, groups, base, held_out, towers, FoldInOptions())
    for tower, placement in found.items():
        metrics |= placement.among_held_out.as_metrics(f"new_items_{tower}")
    cosine = np.sum(made[held_out] * vectors[held_out], axis=1) / np.maximum(
        np.linalg.norm(made[held_out], axis=1) * np.linalg.norm(vectors[held_out], axis=1), 1e-12
    )
    return metrics | {"tower_cosine": float(cosine.mean())}


def projected(data: TrainingData, rows: Ints, dimension: int) -> Floats:
    """Return what the bootstrap generation's tower makes of items [n, dimension]."""
    session = open_session(item_tower(dimension))
    parts = [np.zeros((0, dimension), np.float32)]
    for begin in range(0, len(rows), 512):
        hashed = [
            hash_features(
                content_features(data.contents[row] or Content(data.item_ids[row])), BUCKETS
            )
            for row in rows[begin : begin + 512]
        ]
        parts.append(session.run([OUTPUTS[TOWER]], {INPUTS[TOWER]: np.stack(hashed)})[0])
    return np.concatenate(parts)
