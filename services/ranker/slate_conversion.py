"""Slates as messages."""

from collections.abc import Iterable
from types import MappingProxyType

from harken.ranker.v1 import slate_pb2
from services.ranker.domain.eligibility import Drops, ItemFilter
from services.ranker.domain.reasons import ReasonCode
from services.ranker.domain.seen_rule import ALL_FOREVER, SeenRule
from services.ranker.domain.slate import Slot

_CODES = MappingProxyType(
    {
        ReasonCode.FOLLOWS: slate_pb2.REASON_CODE_FOLLOWS,
        ReasonCode.TASTE: slate_pb2.REASON_CODE_TASTE,
        ReasonCode.POPULAR: slate_pb2.REASON_CODE_POPULAR,
    }
)


def slot_messages(slots: Iterable[Slot]) -> list[slate_pb2.Slot]:
    """Return slots as messages, in order."""
    return [
        slate_pb2.Slot(
            item_id=slot.item_id,
            score=slot.score,
            sources=[
                slate_pb2.SourceScore(source=source.source, score=source.score, rank=source.rank)
                for source in slot.sources
            ],
            reason=slate_pb2.Reason(
                code=_CODES[slot.reason.code], because_item_id=slot.reason.because_item_id
            ),
            propensity=slot.propensity,
        )
        for slot in slots
    ]


def drops_message(drops: Drops) -> slate_pb2.Drops:
    """Return drop counts as a message."""
    return slate_pb2.Drops(
        seen=drops.seen,
        excluded=drops.excluded,
        unavailable=drops.unavailable,
        category=drops.category,
    )


def filter_of(
    wanted: slate_pb2.Filter, seen_rule: SeenRule, excluded_item_ids: Iterable[str] = ()
) -> ItemFilter:
    """Return what a request wants left out; `seen_rule` is that of its surface."""
    return ItemFilter(
        tuple(wanted.categories),
        tuple(wanted.excluded_categories),
        tuple(excluded_item_ids),
        wanted.allow_seen,
        ALL_FOREVER if wanted.seen_by_any_event else seen_rule,
    )
