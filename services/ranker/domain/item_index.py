"""Item vectors of one tenant and generation, in one FAISS index that is updated in place."""

import hashlib
from collections.abc import Sequence

import faiss
import numpy as np

from services.ranker.domain.arrays import Bools, Float32s, Float64s, Ordinals, grown

MAX_COUNT = 1000


class ItemIndex:
    """Exact inner product over rows that are item ordinals.

    A row is a vector with the item's bias as one more dimension; queries hold 1 there, so the
    score is vector . user + bias. Exact, because rows move all the time: an HNSW graph
    overwritten in place loses recall, a flat table does not.
    """

    def __init__(self, dimension: int) -> None:
        self.dimension = dimension
        self.revision = 0
        """Grows by one whenever vectors are set."""
        self.assigned = 0
        """How many rows were set so far."""
        self._index = faiss.IndexFlatIP(dimension + 1)
        self._rows: Float32s = np.empty((0, dimension + 1), dtype=np.float32)
        self._held: Bools = np.zeros(0, dtype=np.bool_)
        self._norms: Float32s = np.zeros(0, dtype=np.float32)
        self._set_at: Ordinals = np.zeros(0, dtype=np.int64)
        self._size = 0

    def grow(self, size: int) -> None:
        """Make room for ordinals below `size`; new ones hold no vector."""
        if size <= self._size:
            return
        self._index.add(np.zeros((size - self._size, self.dimension + 1), dtype=np.float32))
        # Adding may move the table, so the view is taken again.
        flat = faiss.rev_swig_ptr(self._index.get_xb(), size * (self.dimension + 1))
        self._rows = flat.reshape(size, self.dimension + 1)
        self._held = grown(self._held, size, 0)
        self._norms = grown(self._norms, size, 0)
        self._set_at = grown(self._set_at, size, 0)
        self._size = size

    def assign(self, ordinals: Ordinals, vectors: Float32s, biases: Float32s) -> None:
        """Set vectors [n, dimension] and biases [n]; the last of equal ordinals counts."""
        self._rows[ordinals, : self.dimension] = vectors
        self._rows[ordinals, self.dimension] = biases
        self._norms[ordinals] = np.sqrt(np.einsum("nd,nd->n", vectors, vectors))
        self._held[ordinals] = True
        self.revision += 1
        self._set_at[ordinals] = self.revision
        self.assigned += ordinals.size

    def held(self) -> Bools:
        """Return which ordinals have a vector, as a view [size]."""
        return self._held[: self._size]

    def newest(self, ordinals: Ordinals) -> int:
        """Return the revision at which the last of given vectors was set; 0: none was."""
        return int(self._set_at[ordinals].max(initial=0))

    def vectors(self, ordinals: Ordinals) -> Float32s:
        """Return the vectors [n, dimension] of ordinals, without biases."""
        return self._rows[ordinals, : self.dimension]

    def table(self) -> Float32s:
        """Return the vectors of all ordinals, without biases, as a view [size, dimension]."""
        return self._rows[:, : self.dimension]

    def search(self, vector: Float32s, eligible: Bools, count: int) -> tuple[Ordinals, Float64s]:
        """Return at most `count` (<= 1000) eligible ordinals with the largest scores, best first.

        `eligible` is [size] and must hold items with vectors only. Equal scores go by ordinal;
        of those equal to the last one any may be among them.
        """
        bitmap = np.packbits(eligible, bitorder="little")
        # FAISS keeps bare pointers: bitmap, selector and parameters live until the search is over.
        parameters = faiss.SearchParameters()
        parameters.sel = faiss.IDSelectorBitmap(bitmap.size, faiss.swig_ptr(bitmap))
        scores, found = self._index.search(
            self._query(vector)[np.newaxis, :], min(count, MAX_COUNT), params=parameters
        )
        there = found[0] >= 0
        ordinals: Ordinals = found[0][there]
        best: Float64s = scores[0][there].astype(np.float64)
        if (best[1:] == best[:-1]).any():
            order = np.lexsort((ordinals, -best))
            return ordinals[order], best[order]
        return ordinals, best

    def dots(self, vector: Float32s, ordinals: Ordinals) -> Float64s:
        """Return the scores [n] of given ordinals; 0 where there is no vector."""
        dots: Float32s = self._rows[ordinals] @ self._query(vector)
        return dots.astype(np.float64)

    def rough_cosines(self, ordinal: int, eligible: Bools) -> Float32s:
        """Return the cosine of an item with every ordinal, float32 [size]; -inf: not eligible."""
        vector = self._rows[ordinal, : self.dimension]
        norms = self._norms[: self._size] * self._norms[ordinal]
        dots = self._rows[:, : self.dimension] @ vector
        cosines: Float32s = np.divide(dots, norms, out=np.zeros_like(dots), where=norms > 0)
        cosines[~eligible] = -np.inf
        return cosines

    def copy_rows(self, ordinals: Ordinals) -> Float32s:
        """Return rows [n, dimension + 1], bias last, that later updates do not touch."""
        return self._rows[ordinals]

    def _query(self, vector: Float32s) -> Float32s:
        query = np.empty(self.dimension + 1, dtype=np.float32)
        query[:-1] = vector
        query[-1] = 1.0
        return query


def digest_of(item_ids: Sequence[str], rows: Float32s) -> bytes:
    """Return SHA-256 over ids, each followed by the little-endian bytes of its vector and bias.

    `item_ids` must be sorted; `rows` [n, dimension + 1] belong to them.
    """
    digest = hashlib.sha256()
    for item_id, row in zip(item_ids, rows.astype("<f4", copy=False), strict=True):
        digest.update(item_id.encode())
        digest.update(row.tobytes())
    return digest.digest()
