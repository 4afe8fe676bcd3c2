"""Item vectors of one tenant and generation, found by score, updated in place."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from services.common.arrays import Bools, Float32s, Float64s, Ordinals, grown
from services.common.ranking import plain_scan
from services.ranker.domain.coarse_quantizer import CoarseQuantizer
from services.ranker.domain.list_training import DEPTH, SAMPLED, ListTraining, Rows, lists_for
from services.ranker.domain.scans import Lists, Scans

MAX_COUNT = 1000
_ONE_LIST: Float32s = np.zeros(1, dtype=np.float32)
_GROWN = 1.5
"""Times the vectors that lists were made of: then they are made anew."""
_MOVED = 0.3
"""Share of the vectors that went to another list: then, too."""
_FOR_COSINE = 2
"""Times as much is looked at for a cosine."""
_AT_ONCE = 256
"""Rows that are put into new lists between two calls: well below a millisecond."""
_ROW_OF_CODES = 1 / 3
"""What looking at the code of a row costs, to reading a vector somewhere in the table."""
_ROW_OF_SIGNS = 1 / 24
"""What looking at its signs does, with codes of those that these let pass."""
_OF_SIGNS = range(64, 2049)
"""Dimensions of vectors that have signs."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """From how many vectors on codes, signs before codes, and lists are used, and which share of
    the vectors lists may look at and still be used: as measured at d = 128
    (tests/benchmarks/index.py). Of vectors as learned ones are, lists were no faster than signs of
    all from 10,000 to 100,000; where they begin is reckoned from there, not measured.
    """

    codes: int = 1_000
    lists: int = 4_000_000
    share: float = 1 / 8
    signs: int = 50_000


class Table(Protocol):
    """Where vectors are kept."""

    def room_for(self, rows: int) -> Float32s:
        """Return all vectors [>= rows, dimension]: those that are there, and zeros."""


class MemoryTable:
    """Vectors in memory."""

    def __init__(self, dimension: int) -> None:
        self._rows: Float32s = np.empty((0, dimension), dtype=np.float32)

    def room_for(self, rows: int) -> Float32s:
        """Return all vectors [>= rows, dimension]."""
        self._rows = grown(self._rows, rows, 0)
        return self._rows


class ItemIndex:
    """The largest vector . user + bias, over rows that are item ordinals.

    Few vectors are all looked at. Of more, 8-bit codes are, and then the vectors of those that can
    be among the best: the answer is the same. Of many, one bit a dimension is looked at first, and
    codes where that lets hope; of very many, where it saves much, only what is in the lists that
    promise most: at least .98 of the answer is the same. Lists are made anew beside those that
    serve when the index has grown or its vectors have moved: see `wants_training`. Where few items
    are eligible, their vectors are all looked at, however many there are.
    """

    def __init__(
        self,
        dimension: int,
        scans: Scans | None = None,
        table: Table | None = None,
        wants_training: Callable[["ItemIndex"], None] | None = None,
        sizes: Sizes = Sizes(),
    ) -> None:
        """Begin without vectors.

        scans: the compiled core; default: NumPy, which always looks at all vectors, as nothing
        else is faster there. table: where vectors are kept; default: in memory. wants_training:
        told when lists should be made, which the index does not do by itself; default: they never
        are.
        """
        self.dimension = dimension
        self.revision = 0
        """Grows by one whenever vectors are set."""
        self.assigned = 0
        """How many rows were set so far."""
        self._exact: plain_scan.ExactScans = plain_scan if scans is None else scans
        self._scans = scans
        self._sizes = sizes
        self._wants_training = wants_training
        self._table: Table = table or MemoryTable(dimension)
        self._vectors = self._table.room_for(0)
        self._biases: Float32s = np.zeros(0, dtype=np.float32)
        self._held: Bools = np.zeros(0, dtype=np.bool_)
        self._norms: Float32s = np.zeros(0, dtype=np.float32)
        self._set_at: Ordinals = np.zeros(0, dtype=np.int64)
        self._size = 0
        self._held_count = 0
        self._lists: Lists | None = None
        self._quantizer: CoarseQuantizer | None = None
        self._enough = 0
        self._training: ListTraining | None = None
        self._trained_at = 0
        self._moved = 0

    def grow(self, size: int) -> None:
        """Make room for ordinals below `size`; new ones hold no vector."""
        if size <= self._size:
            return
        self._vectors = self._table.room_for(size)
        room = self._vectors.shape[0]
        self._biases = grown(self._biases, room, 0)
        self._held = grown(self._held, room, 0)
        self._norms = grown(self._norms, room, 0)
        self._set_at = grown(self._set_at, room, 0)
        self._size = size

    def assign(self, ordinals: Ordinals, vectors: Float32s, biases: Float32s) -> None:
        """Set vectors [n, dimension] and biases [n]; the last of equal ordinals counts."""
        self._vectors[ordinals] = vectors
        self._biases[ordinals] = biases
        self._norms[ordinals] = np.sqrt(np.einsum("nd,nd->n", vectors, vectors))
        self._held[ordinals] = True
        self.revision += 1
        self._set_at[ordinals] = self.revision
        self.assigned += ordinals.size
        if self._lists is not None:
            self._put(Rows(ordinals, vectors, biases))
            self._held_count = len(self._lists)
        else:
            self._held_count = int(np.count_nonzero(self._held))
            if self._scans is not None and self._held_count >= self._sizes.codes:
                self._begin_codes(self._scans)
        self._ask_for_training()

    def held(self) -> Bools:
        """Return which ordinals have a vector, as a view [size]."""
        return self._held[: self._size]

    def newest(self, ordinals: Ordinals) -> int:
        """Return the revision at which the last of given vectors was set; 0: none was."""
        return int(self._set_at[ordinals].max(initial=0))

    def table(self) -> tuple[Float32s, Float32s]:
        """Return vectors [size, dimension] by ordinal, without biases, and their lengths [size]: as
        views.
        """
        return self._vectors[: self._size], self._norms[: self._size]

    def vectors(self, ordinals: Ordinals) -> Float32s:
        """Return the vectors [n, dimension] of ordinals, without biases."""
        return self._vectors[ordinals]

    def search(self, vector: Float32s, eligible: Bools, count: int) -> tuple[Ordinals, Float64s]:
        """Return at most `count` (<= 1000) eligible ordinals with the largest scores, best first.

        `eligible` is [size] and must hold items with vectors only. Equal scores go by ordinal.
        """
        return self._top(np.ascontiguousarray(vector, np.float32), eligible, count, cosine=False)

    def nearest(self, ordinal: int, eligible: Bools, count: int) -> Ordinals:
        """Return at most `count` (<= 1000) eligible ordinals by cosine with an item, best first.

        As `search` does: cosines are float32.
        """
        query = self._vectors[ordinal]
        norm = self._norms[ordinal]
        return self._top(query / norm if norm > 0 else query, eligible, count, cosine=True)[0]

    def dots(self, vector: Float32s, ordinals: Ordinals) -> Float64s:
        """Return the scores [n] of given ordinals; 0 where there is no vector."""
        query = np.ascontiguousarray(vector, np.float32)
        return self._exact.dots(query, self._vectors, self._biases, ordinals)

    def copy_rows(self, ordinals: Ordinals) -> Float32s:
        """Return rows [n, dimension + 1], bias last, that later updates do not touch."""
        rows = np.empty((ordinals.size, self.dimension + 1), dtype=np.float32)
        rows[:, :-1] = self._vectors[ordinals]
        rows[:, -1] = self._biases[ordinals]
        return rows

    def training(self) -> ListTraining | None:
        """Return the training that was asked for; None: it has been adopted, or is not needed."""
        return self._training

    def behind(self, training: ListTraining, limit: int) -> Rows:
        """Return at most `limit` vectors that a training has not taken as they are now.

        They count as taken.
        """
        taken = training.room_for(self._size)
        ordinals: Ordinals = (self._set_at[: self._size] > taken).nonzero()[0][:limit]
        taken[ordinals] = self._set_at[ordinals]
        return Rows(ordinals, self._vectors[ordinals], self._biases[ordinals])

    def adopt(self, training: ListTraining) -> bool:
        """Serve from the lists of a training, at once; return whether it was near enough.

        False: many vectors were set since: take what is `behind` first.
        """
        rows = self.behind(training, _AT_ONCE)
        training.take(rows)
        if rows.ordinals.size == _AT_ONCE:
            return False
        self._training = None
        self._trained_at, self._moved = training.size, 0
        if training.quantizer is not None:
            self._lists, self._quantizer = training.lists, training.quantizer
            self._enough = training.enough
        elif self._quantizer is not None:
            self._quantizer = None
            self._begin_codes(training.scans)
        self._ask_for_training()
        return True

    def _put(self, rows: Rows) -> None:
        assert self._lists is not None
        ordinals, biases = rows.ordinals, np.ascontiguousarray(rows.biases)
        vectors = np.ascontiguousarray(rows.vectors)
        if self._quantizer is None:
            lists = np.zeros(ordinals.size, dtype=np.int64)
        else:
            lists = self._quantizer.lists_of(vectors, biases)
        self._moved += self._lists.put(ordinals, lists, vectors, biases)

    def _begin_codes(self, scans: Scans) -> None:
        self._lists = scans.VectorLists(self.dimension, 1)
        held: Ordinals = self.held().nonzero()[0]
        self._put(Rows(held, self._vectors[held], self._biases[held]))

    def _ask_for_training(self) -> None:
        if (
            self._wants_training is None
            or self._scans is None
            or self._training is not None
            or self._held_count < self._sizes.lists
            or (
                self._held_count < _GROWN * self._trained_at
                and self._moved < _MOVED * self._held_count
            )
        ):
            return
        held: Ordinals = self.held().nonzero()[0]
        # Of the very vectors that are here now, so that replicas that fold the same train alike.
        step = max(1, held.size // (SAMPLED * lists_for(held.size)))
        sample = self.copy_rows(held[::step])
        self._training = ListTraining(
            self._scans, sample, held.size, self._sizes.share, self.revision
        )
        self._wants_training(self)

    def _top(
        self, query: Float32s, eligible: Bools, count: int, *, cosine: bool
    ) -> tuple[Ordinals, Float64s]:
        count = min(count, MAX_COUNT)
        norms = self._norms if cosine else None
        asked = (query, self._vectors, self._biases, eligible, count)
        if self._lists is None:
            return self._exact.exact_top(*asked, norms=norms)
        alive = int(np.count_nonzero(eligible))
        enough, probes = self._held_count, _ONE_LIST
        if self._quantizer is not None:
            # Deeper answers lie in more lists; so do those to a cosine, as lists go by scores.
            deeper = max(1.0, count / DEPTH) * (_FOR_COSINE if cosine else 1)
            enough = int(self._enough * deeper)
        looked_at = min(self._held_count, enough * self._held_count / max(alive, 1))
        by_signs = self._held_count >= self._sizes.signs and self.dimension in _OF_SIGNS
        if alive < looked_at * (_ROW_OF_SIGNS if by_signs else _ROW_OF_CODES):
            return self._exact.exact_top(*asked, norms=norms)
        if self._quantizer is not None:
            probes = self._quantizer.probes(query, cosine=cosine)
        return self._lists.search(*asked, probes, enough, norms=norms, by_signs=by_signs)


def digest_of(item_ids: Sequence[str], rows: Float32s) -> bytes:
    """Return SHA-256 over ids, each followed by the little-endian bytes of its vector and bias.

    `item_ids` must be sorted; `rows` [n, dimension + 1] belong to them.
    """
    digest = hashlib.sha256()
    for item_id, row in zip(item_ids, rows.astype("<f4", copy=False), strict=True):
        digest.update(item_id.encode())
        digest.update(row.tobytes())
    return digest.digest()
