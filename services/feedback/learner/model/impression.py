"""A slate as it was shown, an event that names one, and one that shows that its user is back."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
_BYTES_PER_ID = 72
_BYTES_PER_SLATE = 1000
_FLOAT_BYTES = 4


@dataclass(frozen=True, slots=True, eq=False)
class Impression:
    """A slate: its items in order, and what the ranker knew of them.

    columns: float32, little-endian, one column after the other: propensities [items], in (0, 1];
    probabilities and logits [items, outcomes]; features [items, columns]. The last three are empty
    when nothing was scored. Thousands wait for their outcome: as arrays they would take twice as
    much. sequence: in the log; 0: not known.
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
    outcomes: int
    columns: bytes
    sequence: int = 0

    @property
    def propensities(self) -> Floats:
        """[items]."""
        return np.frombuffer(self.columns, "<f4", len(self.item_ids))

    @property
    def probabilities(self) -> Floats:
        """[items, outcomes]."""
        return self._table(1, self.outcomes)

    @property
    def logits(self) -> Floats:
        """[items, outcomes]."""
        return self._table(1 + self.outcomes, self.outcomes)

    @property
    def features(self) -> Floats:
        """[items, columns]."""
        return self._table(1 + 2 * self.outcomes, self.width)

    @property
    def width(self) -> int:
        """Columns of the features."""
        return len(self.columns) // (_FLOAT_BYTES * len(self.item_ids)) - 1 - 2 * self.outcomes

    def _table(self, before: int, width: int) -> Floats:
        """Return a table [items, width] that stands after `before` numbers an item."""
        items = len(self.item_ids)
        table = np.frombuffer(self.columns, "<f4", items * width, before * items * _FLOAT_BYTES)
        return table.reshape(items, width)

    def size_bytes(self) -> int:
        """Return about how much memory it takes while it waits, at most."""
        # What became of each item and outcome is held with it.
        items = len(self.item_ids)
        return _BYTES_PER_SLATE + len(self.columns) + items * (_BYTES_PER_ID + self.outcomes + 1)


def columns_of(
    propensities: Floats, probabilities: Floats, logits: Floats, features: Floats
) -> bytes:
    """Return the columns of a slate as it holds them."""
    arrays = (propensities, probabilities, logits, features)
    return b"".join(array.astype("<f4", copy=False).tobytes() for array in arrays)


@dataclass(frozen=True, slots=True)
class SlateEvent:
    """An event that names a slate. `value` is NaN when absent."""

    slate_id: str
    user_key: bytes
    item_id: str
    type: str
    value: float
    weight: float


@dataclass(frozen=True, slots=True)
class Visit:
    """An event as delayed outcomes see it. `value` is NaN when absent.

    time_us: of the event, or when it was accepted if that is earlier.
    """

    user_key: bytes
    type: str
    value: float
    time_us: int
