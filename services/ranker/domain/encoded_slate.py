"""A slate as bytes on the wire, and who makes such slates."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from services.ranker.domain.degradation import Degradation
from services.ranker.domain.eligibility import Drops, ItemFilter
from services.ranker.domain.generation import Generation
from services.ranker.domain.tenant_replica import TenantReplica
from services.ranker.domain.user_state import UserState


class EncodedSlate(NamedTuple):
    """Slots as they stand in their answer, best first, and how they came about.

    items: how many. logged: what is logged of the first of them, which are the fields from
    item_ids on of harken.internal.slates.v1.ServedSlate; empty when it was not asked for.
    """

    slots: bytes
    items: int
    drops: Drops
    degradations: tuple[Degradation, ...]
    logged: bytes


class SlateMaker(Protocol):
    """Makes slates as `slate.make_slate` and `slate.rank_items` do, which say what is in them."""

    def recommend(
        self,
        replica: TenantReplica,
        generation: Generation,
        user: UserState,
        count: int,
        wanted: ItemFilter,
        now: float,
        weights: Mapping[str, float],
        logged: bool,
    ) -> EncodedSlate:
        """Return the best `count` items for a user; `logged`: they will be."""

    def rank(
        self,
        replica: TenantReplica,
        generation: Generation,
        user: UserState,
        item_ids: Sequence[str],
        count: int,
        wanted: ItemFilter,
        now: float,
        weights: Mapping[str, float],
    ) -> tuple[EncodedSlate, list[str]]:
        """Return given items in the order of the slate of `count`, and those left unranked."""
