"""Candidates of a slate, weighed, of which somebody else chooses."""

from collections.abc import Mapping
from typing import NamedTuple, Protocol

from services.common.arrays import Bools, Float32s, Float64s, Ordinals
from services.common.surfaces.sources import SIMILAR
from services.ranker.domain.eligibility import Drops, ItemFilter
from services.ranker.domain.encoded_slate import EncodedSlate
from services.ranker.domain.generation import Generation
from services.ranker.domain.selection.plan import Plan
from services.ranker.domain.selection.pool import Pool
from services.ranker.domain.selection.selection import Selection
from services.ranker.domain.surface.weighing import SourceWeights
from services.ranker.domain.tenant_replica import TenantReplica
from services.ranker.domain.user_state import UserState


class OtherSources(NamedTuple):
    """What other sources proposed, best first, by name; resembled: what SIMILAR's are like."""

    lists: list[tuple[str, Ordinals]]
    resembled: int | None

    def alike(self) -> int:
        """Return which list is that of SIMILAR, -1: none."""
        return next((at for at, (name, _) in enumerate(self.lists) if name == SIMILAR), -1)


NO_OTHER_SOURCES = OtherSources([], None)


class Draft(Protocol):
    """One slate's candidates [n], good until the next draft is begun.

    ordinals int64 [n], ascending. features float32 [n, columns]. weights float64 [outcomes]. head
    float64 [outcomes, columns + 3], None: as trained.
    """

    @property
    def ordinals(self) -> Ordinals:
        """Return the items."""

    @property
    def features(self) -> Float32s:
        """Return what the scorer saw."""

    @property
    def weights(self) -> Float64s:
        """Return the weights of outcomes."""

    @property
    def head(self) -> Float64s | None:
        """Return what was learned online."""

    def weighed(
        self, sources: SourceWeights | None, given: Ordinals, priors: Float64s
    ) -> tuple[Float64s, Float64s]:
        """Return scores [n], the sum over outcomes of weight * probability; and utilities [n], what
        a surface makes of them: see weighing.
        """

    def finished(
        self,
        count: int,
        field: int,
        logged: bool,
        places: Ordinals | None = None,
        propensities: Float64s | None = None,
        others: OtherSources = NO_OTHER_SOURCES,
        beside: list[bytes] | None = None,
    ) -> EncodedSlate:
        """Return candidates at `places` [k] as slots of field `field`, without drops.

        propensities [k]. others: who proposed, beside the sources of every slate. beside [k]: more
        fields of each slot, on the wire.
        """


class Drafts(Protocol):
    """Makes drafts, as `slate.make_slate` does, and selects of them."""

    def eligible(
        self,
        replica: TenantReplica,
        generation: Generation,
        user: UserState,
        wanted: ItemFilter,
        now: float,
    ) -> tuple[Bools, Drops]:
        """Return the mask [size] of items that a slate may hold, and what was dropped."""

    def draft(
        self,
        replica: TenantReplica,
        generation: Generation,
        user: UserState,
        eligible: Bools,
        others: Ordinals | None,
        count: int,
        now: float,
        overrides: Mapping[str, float],
    ) -> Draft:
        """Return what the sources propose, and `others` as if they stood beside it."""

    def merged(
        self, lists: list[tuple[Ordinals, Float64s]], eligible: Bools, count: int
    ) -> Ordinals:
        """Return at most `count` eligible items of lists (ordinals, best first, and how good they
        are), best first, equal ones by ordinal, each once: as good as where it is best.
        """

    def select(self, pool: Pool, plan: Plan, count: int, seed: int) -> Selection:
        """Return what selection.select does."""
