"""Item vectors with the Gramian of them all, and the user vectors that follow from both."""

import numpy as np

from services.common.compiled_loops import CompiledLoops
from services.common.fold_in import FoldInEncoder
from services.feed.parameters import Doubles, Flags, Floats, Ints
from services.feedback.learner.model.user_table import Histories

FACTOR_DRIFT = 0.005


class VectorTable:
    """Rows by item ordinal.

    vectors: float32 [rows, dimension]. gramian: float64 [dimension, dimension], the sum of outer
    products of all vectors. factor_gramian: the one that user vectors are made with.
    """

    def __init__(
        self,
        encoder: FoldInEncoder,
        dimension: int,
        capacity: int,
        core: CompiledLoops | None = None,
    ) -> None:
        self._encoder = encoder
        self._core = core
        self.vectors: Floats = np.zeros((capacity, dimension), np.float32)
        self.gramian: Doubles = np.zeros((dimension, dimension), np.float64)
        self.factor_gramian: Doubles = np.zeros_like(self.gramian)
        self._factor: Floats | None = None
        self._moved = True

    def copy(self) -> "VectorTable":
        """Return a table of its own with the same content."""
        other = VectorTable(self._encoder, self.vectors.shape[1], 0, self._core)
        other.vectors = self.vectors.copy()
        other.restore(self.gramian.copy(), self.factor_gramian.copy())
        return other

    def restore(self, gramian: Doubles, factor_gramian: Doubles) -> None:
        """Take over Gramians, as of a checkpoint."""
        self.gramian = gramian
        self.factor_gramian = factor_gramian
        self._factor = None
        self._moved = True

    def grow(self, capacity: int) -> None:
        """Make room for ordinals below `capacity`."""
        rows, dimension = self.vectors.shape
        more = np.zeros((capacity - rows, dimension), np.float32)
        self.vectors = np.concatenate([self.vectors, more])

    def assign(self, ordinals: Ints, vectors: Floats) -> None:
        """Replace vectors, each ordinal at most once, and keep the Gramian up.

        The Gramian depends on how changes are grouped into calls; live learning and folding group
        them alike. It is not in frames: with or without the compiled core it has the same bits.
        """
        old = self.vectors[ordinals]
        # N'N - O'O is the symmetric part of (N - O)'(N + O): half the work. Single precision will
        # do for a change: it is a small part of the sum, which is in double.
        change = (vectors - old).T @ (vectors + old)
        if self._core is not None:
            self._core.add_symmetric(self.gramian, change)
        else:
            change = change + change.T
            change *= 0.5
            self.gramian += change
        self.vectors[ordinals] = vectors
        self._moved = True

    def settle_factor(self) -> None:
        """Decide, before a step of events, whether its user vectors need a newer Gramian.

        A factor costs as much as all the rest of a step of one event, and the Gramian hardly moves
        by one: it is taken anew when the Gramian has moved by more than FACTOR_DRIFT of its
        Frobenius norm. Live learning and folding decide alike, having the same bits.
        """
        if not self._moved:
            return
        self._moved = False
        moved = (self.gramian - self.factor_gramian).ravel()
        reference = self.factor_gramian.ravel()
        if np.dot(moved, moved) > FACTOR_DRIFT**2 * np.dot(reference, reference):
            self.factor_gramian = self.gramian.copy()
            self._factor = None

    def encode(self, histories: Histories, exists: Flags) -> Floats:
        """Return user vectors [n, d] of histories; items that do not exist count nothing."""
        if self._factor is None:
            self._factor = self._encoder.factor(self.factor_gramian)
        return self._encoder.encode(
            self.vectors, histories.items, histories.weights, histories.times_us, self._factor,
            exists, self._core,
        )  # fmt: skip
