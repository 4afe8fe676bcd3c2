"""Young items start where items of like content have come to be.

The item tower of day 0 knows nothing of behaviour: alike content gives alike vectors, but not where
such items end up. That is learned from the items that events have placed: with X [n, buckets] their
content and V [n, d] their vectors, a ridge regression (Hoerl & Kennard 1970)

    E = (X'X + ridge I)^-1 X'V

expects an item of content x at x E. Now and then the young items that were popular last get that as
their base: each moves by as much as its base does, and keeps what it learned by itself. An item
without any event stays where the tower puts it: its time is unknown, and the vectors of a large
catalogue would weigh on how users are encoded. What was tried else: DECISIONS.md.

Nothing is remembered from one time to the next, so what comes out follows from the state and the
log sequences. Bounded: in items, in norm, and in time, as looking at choices is. A generation with
trained vectors is left alone: its tower was trained on behaviour.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from services.common.content_features import hash_features, item_feature
from services.common.norm_bound import within_norm
from services.common.splitmix import mix
from services.feed.parameters import Doubles, Flags, Floats, Ints
from services.feedback.learner.model.entries import FeaturesOf
from services.feedback.learner.model.item_step import ItemStepConfig, within_grid
from services.feedback.learner.model.item_table import ItemTable
from services.feedback.learner.model.vector_space import VectorSpace

_COST_US = 25_000.0
_COST_OF_ITEM_US = 0.02
_SEED = np.uint64(0x796F_756E_67)


@dataclass(frozen=True, slots=True)
class YoungConfig:
    """Constants of placing young items.

    mature: events from which on an item says where its content belongs; before, it is young.
    buckets: of hashed content. ridge: > 0. most_mature, most_young: items that are learned from and
    placed at a time; least_mature: below, nothing is learned. least_move: of a base, else it stays.
    budget_us, budget_of_event_us: time of a step, and of each of its events, that may go into it.
    """

    mature: int = 20
    buckets: int = 512
    ridge: float = 1.0
    most_mature: int = 1024
    least_mature: int = 50
    most_young: int = 128
    least_move: float = 0.05
    budget_us: float = 100.0
    budget_of_event_us: float = 1.0


class Alike(NamedTuple):
    """Items by ordinal, ascending, and their content [n, buckets]; all have some."""

    mature: Ints
    mature_content: Floats
    young: Ints
    young_content: Floats


class Moves(NamedTuple):
    """Where items move: rows [n], ascending, vectors [n, d]. based [m], bases [m, d]: those of them
    that start elsewhere, and where.
    """

    rows: Ints
    vectors: Floats
    based: Ints
    bases: Floats


class YoungItems:
    """Young items of a tenant, and what is known of their content.

    Hashed content is kept for the items looked at last, most of which are looked at again.
    """

    def __init__(self, config: YoungConfig, features_of: FeaturesOf | None) -> None:
        """`features_of`: of an item, given its payload; None: no item has content."""
        self.config = config
        self._features_of = features_of
        self._kept: dict[int, tuple[bytes, Floats]] = {}

    def alike(
        self, items: ItemTable, levels: Doubles, counts: Doubles, sequences: Ints
    ) -> Alike | None:
        """Return what is to be learned from and what to be placed, after a step of events.

        levels, counts [rows]: of popularity. sequences [n]: of the events in the log; they say
        whether it is time. None: it is not, or there is too little.
        """
        if self._features_of is None or not self._is_due(sequences, len(items)):
            return None
        config, size = self.config, len(items)
        there = items.exists[:size] & (counts[:size] > 0)
        old = counts[:size] >= config.mature
        mature = _latest(there & old, levels, config.most_mature)
        young = _latest(there & ~old, levels, config.most_young)
        if mature.size < config.least_mature or not young.size:
            return None
        content = self._content(items, np.concatenate([mature, young]), self._features_of)
        known: Flags = np.asarray(content.any(axis=1))
        learned, placed = known[: mature.size], known[mature.size :]
        if np.count_nonzero(learned) < config.least_mature or not placed.any():
            return None
        return Alike(
            mature[learned],
            content[: mature.size][learned],
            young[placed],
            content[mature.size :][placed],
        )

    def _is_due(self, sequences: Ints, items: int) -> bool:
        if not sequences.size:
            return False
        budget = self.config.budget_us + self.config.budget_of_event_us * sequences.size
        drawn = int(mix(sequences[-1:].astype(np.uint64) ^ _SEED)[0])
        return (drawn >> 11) * 2.0**-53 < budget / (_COST_US + _COST_OF_ITEM_US * items)

    def _content(self, items: ItemTable, ordinals: Ints, features_of: FeaturesOf) -> Floats:
        """Return content [n, buckets] of items: of norm 1, or 0 where there is nothing but an id,
        which says nothing of others.
        """
        before, self._kept = self._kept, {}
        rows = np.zeros((ordinals.size, self.config.buckets), np.float32)
        for place, ordinal in enumerate(ordinals.tolist()):
            payload = items.payloads[ordinal]
            held = before.get(ordinal)
            if held is None or held[0] != payload:
                features = dict(features_of(payload))
                features.pop(item_feature(items.ids[ordinal]), None)
                held = payload, hash_features(features, self.config.buckets)
            self._kept[ordinal] = held
            rows[place] = held[1]
        return rows

    def with_young(
        self,
        space: VectorSpace,
        found: Alike | None,
        rows: Ints,
        vectors: Floats,
        step: ItemStepConfig,
    ) -> Moves:
        """Return what a step moves, given what its events move: rows [n], vectors [n, d]."""
        nothing = Moves(rows, vectors, rows[:0], vectors[:0])
        # Vectors that are on their way back to the reference rest meanwhile.
        if found is None or space.trained.any() or space.status.rolling_back_since:
            return nothing
        free = ~space.pinned[found.young]
        young, content = found.young[free], found.young_content[free]
        bases = within_norm(content @ self._expected(space, found), space.generation.max_norm)
        change = bases - space.bases[young]
        moved = np.vecdot(change, change) > self.config.least_move**2
        if not moved.any():
            return nothing
        young, bases, change = young[moved], bases[moved], change[moved]
        together = np.union1d(rows, young)
        own = space.vectors[together]
        own[together.searchsorted(rows)] = vectors
        places = together.searchsorted(young)
        own[places] = within_grid(own[places] + change, space.bounded(step).max_norm)
        return Moves(together, own, young, bases)

    def _expected(self, space: VectorSpace, found: Alike) -> Floats:
        """Return E float32 [buckets, d]."""
        content = found.mature_content
        weighed = content.T @ content
        weighed[np.diag_indices_from(weighed)] += np.float32(self.config.ridge)
        expected: Floats = np.linalg.solve(weighed, content.T @ space.vectors[found.mature])
        return expected


def _latest(wanted: Flags, levels: Doubles, most: int) -> Ints:
    """Return those that were popular last, ascending."""
    rows = wanted.nonzero()[0]
    if rows.size > most:
        rows = np.sort(rows[np.lexsort((rows, -levels[rows]))[:most]])
    return rows
