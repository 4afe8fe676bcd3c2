"""Slates made with NumPy, and written by protobuf's own classes: where no core is compiled."""

from collections.abc import Mapping, Sequence

from harken.ranker.v1 import ranker_service_pb2 as pb
from services.ranker.domain.eligibility import ItemFilter
from services.ranker.domain.encoded_slate import EncodedSlate
from services.ranker.domain.generation import Generation
from services.ranker.domain.slate import Slate, make_slate, rank_items
from services.ranker.domain.tenant_replica import TenantReplica
from services.ranker.domain.user_state import UserState
from services.ranker.slate_conversion import logged_columns, slot_messages


class NumpySlates:
    """The reference for what the compiled core makes."""

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
        """See SlateMaker."""
        slate = make_slate(replica, generation, user, count, wanted, now, weights)
        slots = pb.RecommendResponse(slots=slot_messages(slate.slots)).SerializeToString()
        columns = logged_columns(slate).SerializeToString() if logged else b""
        return _encoded(slate, slots, columns)

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
        """See SlateMaker."""
        slate, unranked = rank_items(
            replica, generation, user, item_ids, count, wanted, now, weights
        )
        slots = pb.RankResponse(slots=slot_messages(slate.slots)).SerializeToString()
        return _encoded(slate, slots, b""), unranked


def _encoded(slate: Slate, slots: bytes, columns: bytes) -> EncodedSlate:
    return EncodedSlate(slots, len(slate.slots), slate.drops, slate.degradations, columns)
