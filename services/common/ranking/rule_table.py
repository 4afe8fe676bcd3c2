"""Sequential rules: what users went on to after an item."""

import numpy as np

from services.common.arrays import Float32s, Float64s, Int32s, Ordinals, grown

FREE = -1
_SLOTS_AT_ONCE = 8
"""Room is made for so many slots a row: to make it one by one copies the table each time."""


class RuleTable:
    """targets int32 [rows, slots] and weights float32 [rows, slots]; a free slot holds -1 and 0.

    Both are for reading only, and until the next change.
    """

    def __init__(self, targets: Int32s | None = None, weights: Float32s | None = None) -> None:
        """Begin empty, or look at a table that somebody else keeps."""
        self.targets = np.full((0, 0), FREE, np.int32) if targets is None else targets
        self.weights = np.zeros((0, 0), np.float32) if weights is None else weights

    def grow(self, size: int) -> None:
        """Make room for ordinals below `size`."""
        self.targets = grown(self.targets, size, FREE)
        self.weights = grown(self.weights, size, 0)

    def assign(
        self, sources: Ordinals, slots: Ordinals, targets: Ordinals, weights: Float32s
    ) -> None:
        """Set cells [n]: rows, slots, where they lead, and weights; 0 frees a cell."""
        if slots.size == 0:
            return
        self._widen(int(slots.max()) + 1)
        self.targets[sources, slots] = np.where(weights == 0, FREE, targets)
        self.weights[sources, slots] = weights

    def _widen(self, slots: int) -> None:
        rows, held = self.targets.shape
        if slots <= held:
            return
        width = -(-slots // _SLOTS_AT_ONCE) * _SLOTS_AT_ONCE
        targets: Int32s = np.full((rows, width), FREE, np.int32)
        weights: Float32s = np.zeros((rows, width), np.float32)
        targets[:, :held], weights[:, :held] = self.targets, self.weights
        self.targets, self.weights = targets, weights

    def successors(self, sources: Ordinals) -> tuple[Ordinals, Ordinals, Float64s]:
        """Return the rules that begin at `sources` [k].

        As three columns: index into `sources`, target ordinal, weight.
        """
        slots = self.targets.shape[1]
        targets = self.targets[sources].ravel()
        filled = np.flatnonzero(targets >= 0)
        weights = self.weights[sources].ravel()
        steps = filled // slots if slots else filled
        return steps, targets[filled].astype(np.int64), weights[filled].astype(np.float64)
