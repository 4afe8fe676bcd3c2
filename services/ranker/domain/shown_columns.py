"""What is logged of the items of a slate, beside their ids."""

from dataclasses import dataclass

from services.common.arrays import Float32s

MAX_LOGGED = 100
"""Items of a slate that are logged, the first ones."""


@dataclass(frozen=True, slots=True)
class ShownColumns:
    """Rows for the first items of a slate, at most MAX_LOGGED of them.

    logits, probabilities [items, outcomes]: what the scorer gave; what was predicted, for the
    place shown. features [items, columns]. No columns when nothing was scored.
    """

    items: int
    logits: Float32s
    probabilities: Float32s
    features: Float32s

    @property
    def nbytes(self) -> int:
        """Bytes of all columns."""
        return self.logits.nbytes + self.probabilities.nbytes + self.features.nbytes
