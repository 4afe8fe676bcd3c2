"""One generation with the item vectors that belong to it."""

from collections.abc import Callable
from weakref import ref

import numpy as np

from services.common.arrays import Bools, Float32s, Ordinals
from services.common.fold_in import CompiledEncoder
from services.ranker.domain.generation import Generation
from services.ranker.domain.item_index import ItemIndex
from services.ranker.domain.user_state import EncodedVector, UserState

_FACTOR_ROWS = 16_384
_DRIFT = 0.1


class ServingSpace:
    """What slates of a generation are made with, and how users are encoded for it.

    `vector_rollbacks`: how often its vectors went back to earlier ones.
    """

    def __init__(
        self,
        generation: Generation,
        size: int,
        new_index: Callable[[int], ItemIndex] = ItemIndex,
        core: CompiledEncoder | None = None,
    ) -> None:
        """Begin without vectors, with room for ordinals below `size`; `new_index` of a dimension
        makes what vectors are found in. `core` encodes users; default: NumPy does.
        """
        self._core = core
        self.generation = generation
        self.index = new_index(generation.dimension)
        self.index.grow(size)
        self.vector_rollbacks = 0
        # Vectors made here are told from those of an earlier space of the same generation.
        self._mark = object()
        self._factor: Float32s | None = None
        self._factor_number = 0
        self._factor_published = False
        self._factor_of = self._factor_looked_at = 0

    def set_factor(self, factor: Float32s) -> None:
        """Encode users with a factor [dimension, dimension] that the learner published."""
        self._take_factor(factor)
        self._factor_published = True

    def user_vector(self, user: UserState, listed: Bools) -> Float32s | None:
        """Return the vector of a user in this space, None when there is none.

        One that a backend set counts while it stands. Otherwise it is made from the user's recent
        items, unless it would be the same as the last one: it depends on the user's state, the
        vectors of these items, the factor, and which of them are in the catalogue (`listed`), so
        it is the same on every replica at one version and position.
        """
        put, own = user.put, self.generation
        if put is not None and (put.generation_id, put.vector.size) == (
            own.generation_id,
            own.dimension,
        ):
            return put.vector
        history = user.history
        if history.size == 0:
            return None
        factor, revision = self._current_factor(), self.index.revision
        made = user.encoded
        if made is not None and (
            made.space is not self._mark or made.factor != self._factor_number
        ):
            made = None
        if made is not None and made.looked_revision == revision and made.looked_listed() is listed:
            # Nothing has changed at all.
            return made.vector
        items = history["item"]
        present: Bools = listed[items] & self.index.held()[items]
        if (
            made is not None
            and made.revision >= self.index.newest(items)
            and bool((made.present == present).all())
        ):
            made.looked_revision, made.looked_listed = revision, ref(listed)
            return made.vector
        vector = self._encoded(history[present], factor)
        user.encoded = EncodedVector(
            vector, self._mark, self._factor_number, revision, present, revision, ref(listed)
        )
        return vector

    def _encoded(self, history: np.ndarray, factor: Float32s) -> Float32s | None:
        if history.size == 0:
            return None
        # Not the whole table: it may lie in a file.
        vector: Float32s = self.generation.encoder.encode(
            self.index.vectors(history["item"]),
            np.arange(history.size)[np.newaxis],
            np.ascontiguousarray(history["weight"])[np.newaxis],
            (history["time"] * 1e6).astype(np.int64)[np.newaxis],
            factor,
            core=self._core,
        )[0]
        return vector if vector.any() else None

    def _current_factor(self) -> Float32s:
        """Return the factor that was published; before one was, one of the vectors that are here,
        taken anew when a tenth of the rows was set since.

        Of many items an even sample is enough: only the shape of the Gramian counts, not its size
        (see services/common/fold_in.py), and this runs between slates.
        """
        if self._factor is not None and (
            self._factor_published or self._factor_looked_at == self.index.assigned
        ):
            return self._factor
        self._factor_looked_at = self.index.assigned
        changed = self.index.assigned - self._factor_of
        if self._factor is None or changed > _DRIFT * self.index.held().sum():
            held = np.flatnonzero(self.index.held())
            sample: Ordinals = held[:: max(1, -(-held.size // _FACTOR_ROWS))]
            rows = self.index.vectors(sample)
            gramian = (rows.T @ rows).astype(np.float64)
            self._factor_of = self.index.assigned
            return self._take_factor(self.generation.encoder.factor(gramian))
        return self._factor

    def _take_factor(self, factor: Float32s) -> Float32s:
        # A copy of our own: what came with a frame may lie anyhow.
        self._factor = np.array(factor, np.float32, order="C")
        self._factor_number += 1
        return self._factor
