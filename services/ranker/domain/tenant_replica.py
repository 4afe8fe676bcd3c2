"""All that ranking knows of one tenant: a fold of the feed's two lanes."""

from collections.abc import Callable, Sequence

import numpy as np

from services.common.arrays import Bools, Ordinals
from services.common.fold_in import CompiledEncoder
from services.common.ranking.popularity import Popularity
from services.common.ranking.rule_table import RuleTable
from services.feed.parameters import Document, OutcomeFigures, RefusedParametersError
from services.ranker.domain.catalogue import Catalogue
from services.ranker.domain.changes import TenantChanges
from services.ranker.domain.generation import Generation
from services.ranker.domain.item_index import ItemIndex
from services.ranker.domain.order_posterior import OrderPosterior
from services.ranker.domain.scorer_head import ScorerHead
from services.ranker.domain.serving_space import ServingSpace
from services.ranker.domain.user_cache import UserCache
from services.ranker.domain.visibility import Overlay


class TenantReplica:
    """One tenant's catalogue, vectors, rules, popularity and cached users.

    `documents` are surfaces and experiments as configured, by kind and name: each is replaced as a
    whole, and so is the mapping: what was made of one is good while it is the same object.

    `spaces` holds each generation that is built; `active` names the one that serves. `unserved`
    names one that should serve instead and cannot, else it is empty; `outlived`: those that are
    kept only because of that.

    Not safe for threads: all of it runs on the event loop.
    """

    def __init__(
        self,
        tenant: str,
        half_life_seconds: float,
        max_users: int,
        overlay: Overlay | None = None,
        new_index: Callable[[int], ItemIndex] = ItemIndex,
        core: CompiledEncoder | None = None,
    ) -> None:
        """`overlay`: entries that are newer than frames, of an owner that outlives the replica.
        `new_index` of a dimension: what the vectors of a generation are found in. `core` encodes
        users; default: NumPy does.
        """
        self.tenant = tenant
        self.active = ""
        self.unserved = ""
        self.outlived: set[str] = set()
        self.spaces: dict[str, ServingSpace] = {}
        self.head: ScorerHead | None = None
        self.order_posterior: OrderPosterior | None = None
        self.figures: dict[tuple[str, str], OutcomeFigures] = {}
        self.catalogue = Catalogue(overlay)
        self.documents: dict[tuple[str, str], Document] = {}
        self._new_index = new_index
        self._core = core
        self._no_index = ItemIndex(1)
        self._room = 0
        self.rules = RuleTable()
        self.popularity = Popularity(half_life_seconds)
        self.users = UserCache(max_users)

    @property
    def generation(self) -> Generation | None:
        """The generation that serves; None while there is none."""
        space = self.spaces.get(self.active)
        return None if space is None else space.generation

    @property
    def index(self) -> ItemIndex:
        """The item vectors that serve; none while there is no generation."""
        space = self.spaces.get(self.active)
        if space is not None:
            return space.index
        # Not with every item: it would be kept for nothing once there is a generation.
        self._no_index.grow(self.catalogue.size)
        return self._no_index

    @property
    def vector_rollbacks(self) -> int:
        """How often the vectors that serve went back to earlier ones."""
        space = self.spaces.get(self.active)
        return 0 if space is None else space.vector_rollbacks

    @property
    def other_generation_id(self) -> str:
        """Id of the generation that is built beside the one that serves; empty: none is."""
        return next((name for name in sorted(self.spaces) if name != self.active), "")

    def built_after(
        self, changes: TenantChanges, earlier: Sequence[TenantChanges] = ()
    ) -> tuple[Generation | None, dict[str, Generation]]:
        """Return the generation that serves once changes are folded, and all that are built then.

        `earlier`: changes of the same frame that will be folded before.

        Raises:
            RefusedParametersError: a generation cannot be retired.

        """
        serving = self.generation
        built = {name: space.generation for name, space in self.spaces.items()}
        for part in (*earlier, changes):
            for name in part.retired:
                if name not in built or (serving is not None and name == serving.generation_id):
                    raise RefusedParametersError(f"generation {name!r} cannot be retired")
                del built[name]
            for added in (part.staged, part.activated):
                if added is not None:
                    built[added.generation_id] = added
            serving = part.activated or serving
        return serving, built

    def fold(self, changes: TenantChanges) -> None:
        """Assign what changed with a frame. The changes must have been checked."""
        for name in changes.retired:
            del self.spaces[name]
        for added in (changes.staged, changes.activated):
            if added is not None and added.generation_id not in self.spaces:
                space = ServingSpace(added, self.catalogue.size, self._new_index, self._core)
                self.spaces[added.generation_id] = space
        if changes.activated is not None:
            # The flip: generation and vectors at once; users are encoded anew when they come.
            self.active = changes.activated.generation_id
        if changes.rollback is not None and changes.rollback.generation_id in self.spaces:
            rollback = changes.rollback
            self.spaces[rollback.generation_id].vector_rollbacks = rollback.count
        self.catalogue.fold(changes.catalogue)
        if changes.documents:
            documents = dict(self.documents)
            for document in changes.documents:
                if document.body:
                    documents[document.key] = document
                else:
                    documents.pop(document.key, None)
            self.documents = documents
        ordinals = self.ordinals(changes.item_ids)
        for name, rows in changes.vectors.items():
            if rows.items.size:
                index = self.spaces[name].index
                index.assign(ordinals[rows.items], rows.vectors, rows.biases)
        for name, factor in changes.factors.items():
            self.spaces[name].set_factor(factor)
        if changes.rules is not None:
            cells = changes.rules
            self.rules.assign(
                ordinals[cells.sources], cells.slots, ordinals[cells.targets], cells.weights
            )
        if changes.popularity is not None:
            levels = changes.popularity
            self.popularity.assign(ordinals[levels.items], levels.levels, levels.counts)
        if changes.context_popularity is not None:
            there = changes.context_popularity
            self.popularity.assign_places(ordinals[there.items], there.places, there.levels)
        if changes.trends is not None:
            fast = changes.trends
            self.popularity.assign_trends(ordinals[fast.items], fast.levels)
        if changes.order_posterior is not None:
            self.order_posterior = changes.order_posterior
        if changes.head is not None:
            self.head = changes.head
            self.figures.update((one[:2], one) for one in changes.head.figures)

    def ordinals(self, item_ids: tuple[str, ...] | list[str]) -> Ordinals:
        """Return the ordinals of ids; ids not heard of yet get one, and room everywhere."""
        ordinals = self.catalogue.ordinals(item_ids)
        size = self.catalogue.size
        if size != self._room:
            for space in self.spaces.values():
                space.index.grow(size)
            self.rules.grow(size)
            self.popularity.grow(size)
            self._room = size
        return ordinals

    def eligible(self, now: float) -> Bools:
        """Return a copy, [size], of which ordinals may be in a slate at unix time `now`."""
        eligible: Bools = self.catalogue.servable(now) & self.index.held()
        return eligible

    def digest_order(self) -> tuple[list[str], Ordinals]:
        """Return the items that frames list, with a vector: ids, sorted, and their ordinals."""
        there = np.flatnonzero(self.catalogue.catalogued() & self.index.held()).tolist()
        pairs = sorted((self.catalogue.item_id(ordinal), ordinal) for ordinal in there)
        return [item_id for item_id, _ in pairs], np.array([o for _, o in pairs], dtype=np.int64)
