"""Sequential rules: what users went on to after an item."""

from typing import Protocol

import numpy as np

from services.common.arrays import Float32s, Float64s, Int32s, Ordinals, grown

FREE = -1
_SLOTS_AT_ONCE = 8
"""Room is made for so many slots a row: to make it one by one copies the table each time."""


class RuleChanges(Protocol):
    """New cells [n] of a table: indices of sources, slots, indices of targets, weights."""

    @property
    def sources(self) -> Ordinals:
        """Indices of rows."""

    @property
    def slots(self) -> Ordinals:
        """Columns."""

    @property
    def targets(self) -> Ordinals:
        """Indices of what they lead to."""

    @property
    def weights(self) -> Float32s:
        """Weights; 0 frees a cell."""


class RuleTable:
    """targets int32 [rows, slots] and weights float32 [rows, slots]; a free slot holds -1 and 0.

    Both are for reading only, and until the next change.
    """

    def __init__(self) -> None:
        self.targets: Int32s = np.full((0, 0), FREE, dtype=np.int32)
        self.weights: Float32s = np.zeros((0, 0), dtype=np.float32)

    def grow(self, size: int) -> None:
        """Make room for ordinals below `size`."""
        self.targets = grown(self.targets, size, FREE)
        self.weights = grown(self.weights, size, 0)

    def fold(self, changes: RuleChanges, ordinals: Ordinals) -> None:
        """Assign cells; `ordinals` translates the indices of the changes."""
        if changes.slots.size == 0:
            return
        self._widen(int(changes.slots.max()) + 1)
        rows = ordinals[changes.sources]
        self.targets[rows, changes.slots] = np.where(
            changes.weights == 0, FREE, ordinals[changes.targets]
        )
        self.weights[rows, changes.slots] = changes.weights

    def _widen(self, slots: int) -> None:
        rows, held = self.targets.shape
        if slots <= held:
            return
        width = -(-slots // _SLOTS_AT_ONCE) * _SLOTS_AT_ONCE
        targets: Int32s = np.full((rows, width), FREE, np.int32)
        weights: Float32s = np.zeros((rows, width), np.float32)
        targets[:, :held], weights[:, :held] = self.targets, self.weights
        self.targets, self.weights = targets, weights

    def successors(
        self, sources: Ordinals, factors: Float64s
    ) -> tuple[Ordinals, Ordinals, Float64s]:
        """Return the rules that begin at `sources` [k], their weights times `factors` [k].

        As three columns: index into `sources`, target ordinal, weighted rule.
        """
        slots = self.targets.shape[1]
        targets = self.targets[sources].ravel()
        filled = np.flatnonzero(targets >= 0)
        weights = (self.weights[sources] * factors[:, np.newaxis]).ravel()
        steps = filled // slots if slots else filled
        return steps, targets[filled].astype(np.int64), weights[filled]
