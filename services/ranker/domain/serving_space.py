"""One generation with the item vectors that belong to it."""

import numpy as np

from services.ranker.domain.arrays import Bools, Float32s, Ordinals
from services.ranker.domain.generation import Generation
from services.ranker.domain.item_index import ItemIndex
from services.ranker.domain.user_state import UserState

_FACTOR_ROWS = 16_384
_DRIFT = 0.1


class ServingSpace:
    """What slates of a generation are made with, and how users are encoded for it.

    `vector_rollbacks`: how often its vectors went back to earlier ones.
    """

    def __init__(self, generation: Generation, size: int) -> None:
        """Begin without vectors, with room for ordinals below `size`."""
        self.generation = generation
        self.index = ItemIndex(generation.dimension)
        self.index.grow(size)
        self.vector_rollbacks = 0
        self._factor: Float32s | None = None
        self._factor_of = 0

    def user_vector(self, user: UserState, listed: Bools) -> Float32s | None:
        """Return the vector of a user in this space, None when there is none.

        One that was made for another generation,
        is made anew from the user's recent items, by the learner's formula, and kept in the state:
        frames bring the learner's own with the user's next event. `listed`: which ordinals are in
        the catalogue.
        """
        if user.vector is not None and user.generation_id == self.generation.generation_id:
            return user.vector
        vector = self._encoded(user.recent, listed)
        if vector is not None:
            user.vector = vector
            user.generation_id = self.generation.generation_id
        return vector

    def _encoded(self, recent: np.ndarray, listed: Bools) -> Float32s | None:
        history = _history(recent)
        history = history[(listed & self.index.held())[history["item"]]]
        if history.size == 0:
            return None
        vector: Float32s = self.generation.encoder.encode(
            self.index.table(),
            history["item"][np.newaxis],
            history["weight"][np.newaxis],
            (history["time"] * 1e6).astype(np.int64)[np.newaxis],
            self._current_factor(),
        )[0]
        return vector if vector.any() else None

    def _current_factor(self) -> Float32s:
        """Return the factor of the Gramian; taken anew when a tenth of the rows was set since.

        Of many items an even sample is enough: only the shape of the Gramian counts, not its size
        (see services/common/fold_in.py), and this runs between slates.
        """
        changed = self.index.assigned - self._factor_of
        if self._factor is None or changed > _DRIFT * self.index.held().sum():
            held = np.flatnonzero(self.index.held())
            sample: Ordinals = held[:: max(1, -(-held.size // _FACTOR_ROWS))]
            rows = self.index.vectors(sample)
            gramian = (rows.T @ rows).astype(np.float64)
            self._factor = self.generation.encoder.factor(gramian)
            self._factor_of = self.index.assigned
        return self._factor


def _history(recent: np.ndarray) -> np.ndarray:
    """Return what a user vector is made from, latest first: each item once, by its latest event.

    `recent` is newest last. As in the learner an item with a negative event since is left out, and
    events of weight 0 change nothing.
    """
    latest_first = recent[recent["weight"] != 0][::-1]
    _, first = np.unique(latest_first["item"], return_index=True)
    distinct = latest_first[np.sort(first)]
    positive: np.ndarray = distinct[distinct["weight"] > 0]
    return positive
