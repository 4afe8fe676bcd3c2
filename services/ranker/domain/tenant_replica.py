"""All that ranking knows of one tenant: a fold of the feed's changes."""

import numpy as np

from services.ranker.domain.arrays import Bools, Ordinals
from services.ranker.domain.catalogue import Catalogue
from services.ranker.domain.changes import TenantChanges, VectorChanges
from services.ranker.domain.changes_check import check_changes
from services.ranker.domain.generation import Generation
from services.ranker.domain.item_index import ItemIndex
from services.ranker.domain.popularity import Popularity
from services.ranker.domain.rule_table import RuleTable
from services.ranker.domain.user_cache import UserCache


class TenantReplica:
    """One tenant's catalogue, vectors, rules, popularity and cached users.

    Not safe for threads: all of it runs on the event loop.
    """

    def __init__(self, tenant: str, half_life_seconds: float, max_users: int) -> None:
        self.tenant = tenant
        self.generation: Generation | None = None
        self.catalogue = Catalogue()
        self.index = ItemIndex(1)
        self.rules = RuleTable()
        self.popularity = Popularity(half_life_seconds)
        self.users = UserCache(max_users)

    def check(self, changes: TenantChanges) -> None:
        """Raise RefusedChangesError when anything in `changes` is wrong. Changes nothing."""
        check_changes(changes, changes.activated or self.generation)

    def fold(self, version: int, changes: TenantChanges) -> None:
        """Assign what changed with frame `version`. The changes must have been checked."""
        if changes.activated is not None:
            self.generation = changes.activated
            self.index = ItemIndex(changes.activated.dimension)
        self.catalogue.fold(changes.catalogue)
        ordinals = self.ordinals(changes.item_ids)
        if changes.vectors is not None:
            self._assign_vectors(changes.vectors, ordinals)
        if changes.rules is not None:
            self.rules.fold(changes.rules, ordinals)
        if changes.popularity is not None:
            self.popularity.fold(changes.popularity, ordinals)
        if changes.users is not None:
            self.users.fold(version, changes.users, ordinals)

    def _assign_vectors(self, changes: VectorChanges, ordinals: Ordinals) -> None:
        self.index.assign(ordinals[changes.items], changes.vectors, changes.biases)

    def ordinals(self, item_ids: tuple[str, ...] | list[str]) -> Ordinals:
        """Return the ordinals of ids; ids not heard of yet get one, and room everywhere."""
        ordinals = self.catalogue.ordinals(item_ids)
        size = self.catalogue.size
        self.index.grow(size)
        self.rules.grow(size)
        self.popularity.grow(size)
        return ordinals

    def eligible(self, now: float) -> Bools:
        """Return a copy, [size], of which ordinals may be in a slate at unix time `now`."""
        eligible: Bools = self.catalogue.servable(now) & self.index.held()
        return eligible

    def digest_order(self) -> tuple[list[str], Ordinals]:
        """Return the listed items with a vector: ids, sorted, and their ordinals."""
        there = np.flatnonzero(self.catalogue.listed() & self.index.held()).tolist()
        pairs = sorted((self.catalogue.item_id(ordinal), ordinal) for ordinal in there)
        return [item_id for item_id, _ in pairs], np.array([o for _, o in pairs], dtype=np.int64)
