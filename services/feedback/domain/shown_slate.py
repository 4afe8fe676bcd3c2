"""A slate as it was shown, and an event that names one."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
_BYTES_PER_ID = 64
_BYTES_PER_SLATE = 600


@dataclass(frozen=True, slots=True, eq=False)
class ShownSlate:
    """A slate: its items in order, and what the ranker knew of them.

    propensities: float32 [items], in (0, 1]. probabilities, logits: float32 [items, outcomes];
    features: float32 [items, columns]; these three have no columns when nothing was scored.
    """

    slate_id: str
    user_key: bytes
    surface: str
    served_sequence: int
    generation_id: str
    policy: str
    seed: int
    served_at_us: int
    item_ids: tuple[str, ...]
    propensities: Floats
    probabilities: Floats
    logits: Floats
    features: Floats

    @property
    def outcomes(self) -> int:
        """How many outcomes it was scored for; 0 when it was not."""
        return int(self.logits.shape[1])

    def size_bytes(self) -> int:
        """Return about how much memory it takes."""
        arrays = (self.propensities, self.probabilities, self.logits, self.features)
        # A slate that waits also holds what became of each item and outcome.
        held = sum(array.nbytes for array in arrays) + len(self.item_ids) * (self.outcomes + 1)
        return _BYTES_PER_SLATE + held + _BYTES_PER_ID * len(self.item_ids)


@dataclass(frozen=True, slots=True)
class SlateEvent:
    """An event that names a slate. `value` is NaN when absent."""

    slate_id: str
    user_key: bytes
    item_id: str
    type: str
    value: float
    weight: float
