"""Slates as messages."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from harken.internal.slates.v1 import slate_service_pb2
from harken.ranker.v1 import ranker_service_pb2 as pb
from harken.ranker.v1 import slate_pb2
from services.common.expressions.expression import Expression
from services.common.expressions.request import Request
from services.common.user_attributes import NO_ATTRIBUTES, Attributes
from services.ranker.domain.degradation import Degradation
from services.ranker.domain.eligibility import Drops, ItemFilter
from services.ranker.domain.reasons import ReasonCode
from services.ranker.domain.seen_rule import ALL_FOREVER, SeenRule
from services.ranker.domain.slate import Slate, Slot

_CODES = MappingProxyType(
    {
        ReasonCode.FOLLOWS: slate_pb2.REASON_CODE_FOLLOWS,
        ReasonCode.TASTE: slate_pb2.REASON_CODE_TASTE,
        ReasonCode.POPULAR: slate_pb2.REASON_CODE_POPULAR,
    }
)


_DEGRADATIONS: Mapping[Degradation, slate_pb2.Degradation] = MappingProxyType(
    {
        Degradation.PROFILE_UNAVAILABLE: slate_pb2.DEGRADATION_PROFILE_UNAVAILABLE,
        Degradation.PROFILE_BEHIND: slate_pb2.DEGRADATION_PROFILE_BEHIND,
        Degradation.FEED_DISCONNECTED: slate_pb2.DEGRADATION_FEED_DISCONNECTED,
        Degradation.VECTOR_OF_OTHER_GENERATION: (slate_pb2.DEGRADATION_VECTOR_OF_OTHER_GENERATION),
        Degradation.SCORER_NOT_FINITE: slate_pb2.DEGRADATION_SCORER_NOT_FINITE,
        Degradation.GENERATION_UNUSABLE: slate_pb2.DEGRADATION_GENERATION_UNUSABLE,
        Degradation.SOURCE_FAILED: slate_pb2.DEGRADATION_SOURCE_FAILED,
    }
)


def degradation_messages(degradations: Iterable[Degradation]) -> list[slate_pb2.Degradation]:
    """Return what an answer lacks, in order."""
    return [_DEGRADATIONS[one] for one in degradations]


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


def logged_columns(slate: Slate) -> slate_service_pb2.ServedSlate:
    """Return what is logged of a slate's items."""
    shown = slate.shown
    first = slate.slots[: shown.items]
    return slate_service_pb2.ServedSlate(
        item_ids=[slot.item_id for slot in first],
        propensities=_bytes(np.array([slot.propensity for slot in first])),
        probabilities=_bytes(shown.probabilities),
        logits=_bytes(shown.logits),
        features=_bytes(shown.features),
    )


def _bytes(column: npt.NDArray[np.floating]) -> bytes:
    return np.ascontiguousarray(column, "<f4").tobytes()


def put_drops(message: slate_pb2.Drops, drops: Drops) -> None:
    """Write drop counts into a message, which is there even when all are 0."""
    message.SetInParent()
    message.seen = drops.seen
    message.excluded = drops.excluded
    message.unavailable = drops.unavailable
    message.category = drops.category
    message.gate = drops.gate
    message.own = drops.own
    message.expression = drops.expression
    message.shown = drops.shown


def filter_of(
    request: pb.RecommendRequest
    | pb.RankRequest
    | pb.SimilarItemsRequest
    | pb.ListTrendingRequest
    | pb.ListLatestRequest,
    seen_rule: SeenRule,
    excluded_item_ids: Iterable[str] = (),
) -> ItemFilter:
    """Return what a request wants left out; `seen_rule` is that of its surface."""
    if not request.HasField("filter"):
        return ItemFilter((), (), tuple(excluded_item_ids), False, seen_rule)
    wanted = request.filter
    return ItemFilter(
        tuple(wanted.categories),
        tuple(wanted.excluded_categories),
        tuple(excluded_item_ids),
        wanted.allow_seen,
        ALL_FOREVER if wanted.seen_by_any_event else seen_rule,
    )


def of_expression(
    wanted: ItemFilter,
    expression: Expression | None,
    now: float,
    attributes: Attributes = NO_ATTRIBUTES,
) -> ItemFilter:
    """Return a filter with an expression, which sees these attributes and no context."""
    if expression is None:
        return wanted
    return wanted._replace(expression=expression, request=Request(attributes, {}, round(now * 1e6)))


def varint(value: int) -> bytes:
    """Return a number >= 0 as the wire has it."""
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    found.append(value)
    return bytes(found)


def nested(field: int, message: bytes) -> bytes:
    """Return a message as an element of a field, 1 to 15, of another one."""
    return bytes([field << 3 | 2]) + varint(len(message)) + message
