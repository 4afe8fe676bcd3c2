"""What is trending, what was published last: lists as surfaces shape them, as messages."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple
from weakref import WeakKeyDictionary

from harken.ranker.v1 import ranker_service_pb2 as pb
from harken.ranker.v1 import slate_pb2
from services.common.expressions.request import Request
from services.common.user_attributes import NO_ATTRIBUTES
from services.ranker.domain.eligibility import Drops, ItemFilter
from services.ranker.domain.generation import Generation
from services.ranker.domain.seen_rule import ALL_FOREVER
from services.ranker.domain.surface.drafts import Drafts
from services.ranker.domain.surface.listing import Listed, Order, listed
from services.ranker.domain.surface.shaping import Wish
from services.ranker.domain.surface.sources.kept import Finds
from services.ranker.domain.tenant_replica import TenantReplica
from services.ranker.slate_conversion import filter_of
from services.ranker.surfaces.asked import Asked
from services.ranker.surfaces.page import Page, encode_page
from services.ranker.surfaces.surface_slates import SurfaceSlates

ListRequest = pb.ListTrendingRequest | pb.ListLatestRequest
_REASONS: Mapping[Order, slate_pb2.ReasonCode] = MappingProxyType(
    {
        Order.TRENDING: slate_pb2.REASON_CODE_POPULAR,
        Order.LATEST: slate_pb2.REASON_CODE_LATEST,
    }
)


class ListAnswer(NamedTuple):
    """A list, and what its answer says beside."""

    slots: Sequence[slate_pb2.Slot]
    wanted: ItemFilter
    drops: Drops
    revision: int
    lost: Sequence[slate_pb2.LostRule]
    next_page: str


class ItemLists:
    """Makes lists of what surfaces are configured to show."""

    def __init__(self, drafts: Drafts, surfaces: SurfaceSlates) -> None:
        self._drafts = drafts
        self._surfaces = surfaces
        self._finds: WeakKeyDictionary[TenantReplica, Finds] = WeakKeyDictionary()

    def answer(
        self,
        replica: TenantReplica,
        generation: Generation,
        order: Order,
        request: ListRequest,
        asked: Asked,
        count: int,
        now: float,
    ) -> ListAnswer:
        """Return the list of a request, `asked` of which was checked."""
        surface = self._surfaces.surface(replica, request.surface)
        before = asked.page.item_ids if asked.page is not None else ()
        # Nobody in particular asks: nothing was seen.
        wanted = filter_of(request, ALL_FOREVER, request.excluded_item_ids)._replace(
            gates=surface.gates,
            expression=asked.expression,
            shown=replica.catalogue.find_all(before),
            request=Request(NO_ATTRIBUTES, dict(request.context.values), round(now * 1e6)),
        )
        finds = self._finds.setdefault(replica, Finds())
        if request.min_learned_position:
            finds.trends.forget()
        found = listed(
            self._drafts, replica, generation, surface, order, Wish(count, wanted, now, 0), finds
        )
        slots = _slots(replica, order, found)
        shown = (*before, *(slot.item_id for slot in slots))
        return ListAnswer(
            slots,
            wanted,
            found.drops,
            surface.revision,
            [slate_pb2.LostRule(rule=one.rule, why=one.why) for one in found.selection.lost],
            encode_page(Page(0, shown)) if found.more else "",
        )


def _slots(replica: TenantReplica, order: Order, found: Listed) -> list[slate_pb2.Slot]:
    slots = []
    for place, ordinal in enumerate(found.items.tolist()):
        by, rank = float(found.by[place]), int(found.ranks[place])
        slot = slate_pb2.Slot(
            item_id=replica.catalogue.item_id(ordinal),
            score=by,
            reason=slate_pb2.Reason(code=_REASONS[order]),
            propensity=1.0,
        )
        if rank:
            slot.sources.add(source=order.value, score=by, rank=rank)
        for rule, effect in found.selection.applied[place]:
            slot.applied_rules.add(rule=rule, effect=effect)
        slots.append(slot)
    return slots
