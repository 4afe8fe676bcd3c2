"""`warm_250`: what online vectors are measured against. Item vectors are not moved by events, but
refitted with iALS from where they are, on everything so far, every 250 events; the rest is `full`.
"""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from services.feedback.learner.model.entries import (
    EmbeddingPut,
    GenerationActivated,
    Kind,
    TrainedVectors,
)
from services.system.history_entries import HistoryEntries
from services.system.learner import SystemLearner
from services.system.replica import SystemReplica
from services.system.timeline import Ints, Timeline
from services.trainer.ials import IalsOptions, train_ials
from services.trainer.interactions import write_interactions
from services.trainer.vector_scale import scaled

WARM = "warm_250"
EVERY = 250
SWEEPS = 2
"""Alternations in a refit: one is what keeps up, two are what a refit could afford."""
_PUTS = 500


class WarmRetraining:
    """Learns groups as they come, without moving vectors, and refits. Needs the extra `train`."""

    names: tuple[str, ...] = (WARM,)

    def __init__(
        self,
        learner: SystemLearner,
        entries: HistoryEntries,
        timeline: Timeline,
        replica: SystemReplica,
        generation: GenerationActivated,
        trained: TrainedVectors,
    ) -> None:
        """`learner` must not move vectors by itself; `trained` are those of the split."""
        self._learner = learner
        self._entries = entries
        self._timeline = timeline
        self._replica = replica
        self._generation = generation
        self._vectors = np.zeros((len(timeline.item_ids), generation.dimension), np.float32)
        for item, item_id in enumerate(timeline.item_ids):
            row = trained.rows.get(item_id)
            if row is not None:
                self._vectors[item] = trained.vectors[row]
        norms = np.linalg.norm(self._vectors, axis=1)
        self._median_norm = float(np.median(norms[norms > 0]))
        self._revealed = 0
        self._refitted = 0

    def reveal(self, events: Ints) -> None:
        """See Learner."""
        now_us = int(self._timeline.events.times_us[events[-1]])
        self._learn(self._entries.of(events), now_us)
        self._revealed += events.size
        if self._revealed - self._refitted >= EVERY:
            self._refitted = self._revealed
            for puts in self._refit():
                self._learn(puts, now_us)

    def _learn(self, kinds: list[Kind], now_us: int) -> None:
        for step in self._learner.take(kinds, now_us):
            self._replica.fold(step)

    def _refit(self) -> Iterator[list[Kind]]:
        before = np.arange(self._timeline.split)
        so_far = np.concatenate([before, self._timeline.order[: self._revealed]])
        fitted = self._ials(so_far)
        vectors, _ = scaled(fitted, self._median_norm, self._generation.max_norm)
        there = np.flatnonzero(vectors.any(axis=1))
        self._vectors[there] = vectors[there]
        for begin in range(0, there.size, _PUTS):
            yield [
                EmbeddingPut(
                    item_id=self._timeline.item_ids[item],
                    user_key=None,
                    vector=self._vectors[item].copy(),
                    bias=0.0,
                    pinned=False,
                    generation_id=self._generation.generation_id,
                )
                for item in there[begin : begin + _PUTS].tolist()
            ]

    def _ials(self, events: Ints) -> npt.NDArray[np.float32]:
        columns = self._timeline.events
        chunk = (columns.users[events], columns.items[events], self._timeline.weights[events])
        with tempfile.TemporaryDirectory(prefix="harken-warm-") as name:
            folder = Path(name)
            interactions = write_interactions(
                folder / "interactions", [chunk], len(columns.user_ids), len(columns.item_ids)
            )
            options = IalsOptions(dimension=self._generation.dimension, sweeps=SWEEPS)
            return train_ials(interactions, options, folder / "users", start=self._vectors)
