"""The loops of a learner's step that the compiled core runs (see docs/native.md).

Each has a twin in NumPy: the reference, and what runs without the core. Arrays are C-contiguous.
Which state has to be equal to the bit between the twins follows from who computes it again: what
frames carry may differ in the last digits, as nobody but the leader learns it. What a standby makes
of the log itself (recent items, influence, Gramians) may not.

All raise TypeError for another dtype, number of axes or memory layout, ValueError for shapes that
do not belong together, and IndexError for ordinals without a row; then nothing was written, except
by `record_events` and `update_rules` what came before.
"""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from services.common.fold_in import CompiledEncoder

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Int32s = npt.NDArray[np.int32]
Flags = npt.NDArray[np.bool_]


class CompiledLoops(CompiledEncoder, Protocol):
    """What a learner asks the compiled core to do."""

    def learn_items(
        self,
        users: Floats,
        positives: Ints,
        weights: Floats,
        sequences: Ints,
        exists: Flags,
        item_count: int,
        table: Floats,
        base: Floats,
        eta: float,
        temperature: float,
        negatives: int,
        seed: int,
        pull: float,
        max_norm: float,
        max_drift: float,
        max_weight: float,
        pool: int,
    ) -> tuple[Ints, Floats]:
        """Do what `draw_negatives` and `bpr_step` do, for those events that teach; negatives that
        do not exist teach nothing. The sums differ by 1e-6, so a value may be on the next unit.
        """

    def update_rules(
        self,
        columns: Int32s,
        values: Floats,
        items: Ints,
        histories: Ints,
        weights: Floats,
        window: int,
        reverse: float,
        again: float,
    ) -> tuple[Int32s, Int32s, Int32s, Floats]:
        """Do what `RuleTable.update_batch` does, to the bit."""

    def count_events(
        self,
        table: Doubles,
        events_before: float,
        items: Ints,
        weights: Floats,
        times_us: Ints,
        before_items: Ints,
        before_times_us: Ints,
        half_life_s: float,
        half_life_events: float,
        trend_events: float,
    ) -> tuple[Ints, Doubles, Doubles, Doubles, Ints, Doubles]:
        """Do what `add_events`, `add_counts` and `add_in_contexts` do; levels within 1e-6.

        Returns rows, their levels and counts; cells and their levels.
        """

    def record_events(
        self,
        table_items: Ints,
        table_weights: Floats,
        table_times_us: Ints,
        table_sequences: Ints,
        latest_us: Ints,
        rows: Ints,
        items: Ints,
        weights: Floats,
        times_us: Ints,
        sequences: Ints,
        before_items: Ints,
        before_weights: Floats,
        before_times_us: Ints,
        start: int,
    ) -> tuple[int, Ints, Ints, Ints, Floats, Ints]:
        """Do what `UserTable.record` does from the event `start` to the next late one, to the bit.

        Returns where it stopped, and what recent items no longer show, in order: rows, sequences,
        items, weights, times.
        """

    def admit_events(
        self,
        days: Int32s,
        counts: Int32s,
        cap: int,
        rows: Ints,
        times_us: Ints,
        teach: Flags,
        admitted: Flags,
    ) -> tuple[Ints, npt.NDArray[np.int8]]:
        """Do what `DailyCap.admit` does, to the bit, and fill `admitted`.

        Returns which events were beyond the cap, and of which of them the one before was, too.
        """

    def contest_gains(
        self,
        sequences: Ints,
        items: Ints,
        exists: Flags,
        users: Floats,
        vectors: Floats,
        biases: Floats,
        negatives: int,
        seed: int,
    ) -> Doubles:
        """Do what `contest` and `ProgressiveValidation.gains` do, up to ties within rounding."""

    def index_ordinals(self, columns: Sequence[Ints], rows: int) -> tuple[Ints, list[Ints]]:
        """Return the different ordinals of all columns, ascending, and each column as indices."""

    def add_symmetric(self, gramian: Doubles, change: Floats) -> None:
        """Add (change + change.T) / 2 to a Gramian, to the bit as NumPy does."""
