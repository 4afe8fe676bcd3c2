"""Base vectors of items: iALS with checkpoints, in the space of the generation before."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from services.trainer.checkpoint import Checkpoint
from services.trainer.engine import Engine
from services.trainer.ials import IalsOptions, train_ials
from services.trainer.interactions import Interactions
from services.trainer.procrustes import onto
from services.trainer.timeline import Floats

PreviousVectors = Mapping[str, Floats]
"""Vectors of the generation before, by item id."""


def fit_base_vectors(
    interactions: Interactions,
    options: IalsOptions,
    folder: Path,
    name: str,
    facts: Mapping[str, object],
    engine: Engine,
    start: Floats | None = None,
    progress: Callable[[int], None] = lambda _: None,
) -> Floats:
    """Return item vectors [items, d]; resumes from `folder`/`name`.checkpoint of the same facts."""
    checkpoint = Checkpoint(folder / f"{name}.checkpoint", {"options": str(options), **facts})
    saved = checkpoint.read()
    first_sweep = int(saved["sweep"]) if saved else 0
    return train_ials(
        interactions,
        options,
        folder / f"{name}.users",
        start=saved["vectors"] if saved else start,
        first_sweep=first_sweep,
        engine=engine,
        on_sweep=lambda sweep, vectors: checkpoint.write(
            {"sweep": np.array(sweep), "vectors": vectors}
        ),
        progress=lambda rows: progress(
            rows + first_sweep * (interactions.users + interactions.items)
        ),
    )


def start_from(item_ids: Sequence[str], previous: PreviousVectors, dimension: int) -> Floats | None:
    """Return rows to warm-start from [N, d], zero for items that were not there; None for none."""
    start = np.zeros((len(item_ids), dimension), np.float32)
    for row, item_id in enumerate(item_ids):
        vector = previous.get(item_id)
        if vector is not None and vector.shape == (dimension,):
            start[row] = vector
    return start if start.any() else None


def turned_onto(
    item_ids: Sequence[str], vectors: Floats, previous: PreviousVectors
) -> tuple[Floats, int]:
    """Return a cold fit rotated onto the previous space, and by how many common items."""
    old = start_from(item_ids, previous, vectors.shape[1])
    if old is None:
        return vectors, 0
    common = old.any(axis=1) & vectors.any(axis=1)
    if not common.any():
        return vectors, 0
    return onto(vectors, vectors[common], old[common]), int(common.sum())
