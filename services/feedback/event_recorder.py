"""Records a batch of events: prepares, appends, and says what became of each."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter

from harken.feedback.v1 import event_pb2 as pb
from services.common.loop_stages import LoopStage
from services.common.position import Position, token_of
from services.feedback.domain.event_cleaning import Reason
from services.feedback.event_conversion import EventPreparer, Prepared, Rejection
from services.feedback.store.event_flusher import EventFlusher
from services.feedback.store.repeated_events import Fate, FlushedEvent

_SLICE = 250


class RecorderMetrics:
    """What became of events."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._events = Counter(
            "harken_events", "Events received, by outcome and the reason for it.",
            ["outcome", "reason"], registry=registry,
        )  # fmt: skip
        self._bound: dict[tuple[int, int], Counter] = {}

    def count(self, result: pb.EventResult) -> None:
        """Count what became of an event."""
        key = (result.outcome, result.reason)
        bound = self._bound.get(key)
        if bound is None:
            bound = self._bound[key] = self._events.labels(
                pb.EventOutcome.Name(result.outcome).removeprefix("EVENT_OUTCOME_"),
                pb.EventReason.Name(result.reason).removeprefix("EVENT_REASON_"),
            )
        bound.inc()


@dataclass(frozen=True, slots=True)
class Recorded:
    """Results in the order of the events, and the latest position among them."""

    results: list[pb.EventResult]
    position: Position | None


class EventRecorder:
    """Takes events of RecordEvents and ImportEvents alike."""

    def __init__(
        self, flusher: EventFlusher, metrics: RecorderMetrics, accepted: LoopStage
    ) -> None:
        self._flusher = flusher
        self._metrics = metrics
        self._accepted = accepted

    @property
    def traced(self) -> bool:
        """Whether events are traced."""
        return self._accepted.traced

    async def record(
        self,
        tenant: str,
        events: Sequence[pb.Event],
        preparer: EventPreparer,
        caller: str = "",
    ) -> Recorded:
        """Return after all that can be kept is durable. Raises what the flusher raises.

        `caller`: W3C traceparent of the call, if any.
        """
        began = time.time()
        prepared: list[Prepared | Rejection] = []
        for start in range(0, len(events), _SLICE):
            if start:
                # Others get their turn: a chunk of an import takes long to prepare.
                await asyncio.sleep(0)
            prepared += [
                preparer.prepare(tenant, event) for event in events[start : start + _SLICE]
            ]
        kept = [outcome for outcome in prepared if isinstance(outcome, Prepared)]
        pairs = [(one.event, one.item_id) for one in kept]
        flushed = iter(await self._flusher.append(pairs, patient=preparer.patient) if kept else ())
        durable = time.time()
        latest: Position | None = None
        results = []
        for ordinal, outcome in enumerate(prepared):
            if ordinal and ordinal % _SLICE == 0:
                await asyncio.sleep(0)
            if isinstance(outcome, Rejection):
                result = _rejected(ordinal, outcome.reason, outcome.detail)
            else:
                one = next(flushed)
                result = _result(ordinal, outcome, one)
                if one.position is not None and one.fate is not Fate.REUSED:
                    latest = max(latest or one.position, one.position)
                    if one.fate is Fate.ACCEPTED:
                        self._accepted.trace(one.position.sequence, began, durable, caller)
            results.append(result)
            self._metrics.count(result)
        return Recorded(results, latest)


def _rejected(ordinal: int, reason: Reason, detail: str) -> pb.EventResult:
    return pb.EventResult(
        ordinal=ordinal,
        outcome=pb.EVENT_OUTCOME_REJECTED,
        reason=int(reason),  # type: ignore[arg-type]
        detail=detail,
    )


def _result(ordinal: int, prepared: Prepared, flushed: FlushedEvent) -> pb.EventResult:
    match flushed.fate:
        case Fate.ACCEPTED | Fate.DUPLICATE:
            outcome = pb.EVENT_OUTCOME_ACCEPTED
            if flushed.fate is Fate.DUPLICATE:
                outcome = pb.EVENT_OUTCOME_DUPLICATE
            position = token_of(flushed.position)
            return pb.EventResult(ordinal=ordinal, outcome=outcome, position=position)
        case Fate.REUSED:
            detail = "the event id was accepted before with other fields"
            return _rejected(ordinal, Reason.EVENT_ID_REUSED, detail)
        case Fate.QUARANTINED:
            detail = prepared.detail or f"item {prepared.item_id!r} is not in the catalogue"
            return pb.EventResult(
                ordinal=ordinal,
                outcome=pb.EVENT_OUTCOME_QUARANTINED,
                reason=int(flushed.reason),  # type: ignore[arg-type]
                detail=detail,
            )
