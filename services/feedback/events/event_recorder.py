"""Records a batch of events: prepares, appends, and says what became of each."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from prometheus_client import CollectorRegistry
from prometheus_client import Counter as EventCounter

from harken.feedback.v1 import event_pb2 as pb
from harken.feedback.v1 import feedback_service_pb2 as service_pb
from services.common.bulk_work import BulkWork
from services.common.pipeline_latency import PipelineStage
from services.common.vault.vault import UserVault
from services.feedback.events.domain.event_cleaning import Reason
from services.feedback.events.event_columns import ColumnPreparer, EventColumns
from services.feedback.events.event_conversion import EventPreparer, PreparedRequest
from services.feedback.events.event_flusher import EventFlusher
from services.feedback.events.repeated_events import FINE, Fate, FlushedEvents
from services.feedback.events.sealed_contexts import admit_users

_SLICE = 50
_COLUMN_SLICE = 500
_INSERT_EVENTS = 2000
"""Events of a chunk in one insert, which live calls may have to wait for; more is no faster."""
_LIVE_EVENTS = 100
"""The same of a large live call: other tenants' events are written between."""
_END = object()


class RecorderMetrics:
    """What became of events."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._events = EventCounter(
            "harken_events", "Events received, by outcome and the reason for it.",
            ["outcome", "reason"], registry=registry,
        )  # fmt: skip
        self._bound: dict[tuple[int, int], EventCounter] = {}

    def count(self, outcome: int, reason: int, events: int) -> None:
        """Count events of which the same became."""
        bound = self._bound.get((outcome, reason))
        if bound is None:
            bound = self._bound[outcome, reason] = self._events.labels(
                pb.EventOutcome.Name(outcome).removeprefix("EVENT_OUTCOME_"),
                pb.EventReason.Name(reason).removeprefix("EVENT_REASON_"),
            )
        bound.inc(events)


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of a chunk: how many of its events were accepted or known, results of the others
    in the order of their ordinals, and the token of the latest position.
    """

    accepted: int
    duplicates: int
    faults: list[pb.EventResult]
    position: bytes


class EventRecorder:
    """Takes events of RecordEvents and ImportEvents alike."""

    def __init__(
        self,
        flusher: EventFlusher,
        metrics: RecorderMetrics,
        accepted: PipelineStage,
        bulk: BulkWork,
        vault: UserVault,
    ) -> None:
        self._bulk = bulk
        self._vault = vault
        self._flusher = flusher
        self._metrics = metrics
        self._accepted = accepted

    @property
    def traced(self) -> bool:
        """Whether events are traced."""
        return self._accepted.traced

    async def prepare(
        self, tenant: str, events: Sequence[pb.Event], preparer: EventPreparer
    ) -> PreparedRequest:
        """Return events as they go into the log.

        Raises:
            StoreUnavailableError: the vault of users' keys is away.

        """
        request = PreparedRequest(tenant)
        preparer.add(request, events[:_SLICE], 0)
        for start in range(_SLICE, len(events), _SLICE):
            async with self._bulk:
                preparer.add(request, events[start : start + _SLICE], start)
        await admit_users(self._vault, request)
        return request

    async def prepare_columns(
        self, tenant: str, columns: EventColumns, preparer: EventPreparer
    ) -> PreparedRequest:
        """Return events in columns as they go into the log. Raises as `prepare`."""
        work = ColumnPreparer(tenant, columns, preparer)
        slices = work.slices(_COLUMN_SLICE)
        more = True
        while more:
            async with self._bulk:
                more = next(slices, _END) is not _END
        request = work.done()
        await admit_users(self._vault, request)
        return request

    async def record(
        self,
        tenant: str,
        events: Sequence[pb.Event],
        preparer: EventPreparer,
        caller: str = "",
    ) -> service_pb.RecordEventsResponse:
        """Return after all that can be kept is durable. Raises what the flusher raises.

        `caller`: W3C traceparent of the call, if any.
        """
        began = time.time() if self.traced else 0.0
        request = await self.prepare(tenant, events, preparer)
        if len(request.ordinals) > _LIVE_EVENTS:
            return await self._record_in_parts(request, began, caller)
        if not request.ordinals:
            return self._answer(request, [])
        flushed = await self._flusher.append(request.events, patient=False)
        self._trace(flushed, began, caller)
        return self._answer(request, _results(request, flushed))

    async def _record_in_parts(
        self, request: PreparedRequest, began: float, caller: str
    ) -> service_pb.RecordEventsResponse:
        results: list[pb.EventResult] = []
        for start in range(0, len(request.ordinals), _LIVE_EVENTS):
            part = request.events.part(start, start + _LIVE_EVENTS)
            flushed = await self._flusher.append(part, patient=False)
            self._trace(flushed, began, caller)
            results += _results(request, flushed, start)
        return self._answer(request, results)

    def _answer(
        self, request: PreparedRequest, results: list[pb.EventResult]
    ) -> service_pb.RecordEventsResponse:
        """Return the answer, given what became of the events that were appended."""
        if request.rejections:
            results += _rejections(request)
            results.sort(key=_ordinal)
        self._count(results)
        # Tokens are in order as positions are, and who is not in the log has none.
        latest = max([result.position for result in results], default=b"")
        return service_pb.RecordEventsResponse(results=results, position=latest)

    async def append(self, request: PreparedRequest, caller: str = "") -> Imported:
        """Append a chunk, part after part; return after all that can be kept is durable. It waits
        patiently for its turn rather than be shed.

        Raises what the flusher raises; parts may have been appended then.
        """
        accepted = duplicates = 0
        latest = b""
        faults = _rejections(request)
        for start in range(0, len(request.events), _INSERT_EVENTS):
            began = time.time()
            part = request.events.part(start, start + _INSERT_EVENTS)
            flushed = await self._flusher.append(part, patient=True)
            self._trace(flushed, began, caller)
            latest = max(latest, flushed.latest_token())
            new = flushed.fates.count(Fate.ACCEPTED)
            known = flushed.fates.count(Fate.DUPLICATE)
            accepted, duplicates = accepted + new, duplicates + known
            if new + known < len(part):
                faults += [
                    _result(request, flushed, index, start)
                    for index, fate in enumerate(flushed.fates)
                    if fate not in FINE
                ]
        self._metrics.count(pb.EVENT_OUTCOME_ACCEPTED, 0, accepted)
        self._metrics.count(pb.EVENT_OUTCOME_DUPLICATE, 0, duplicates)
        self._count(faults)
        faults.sort(key=_ordinal)
        return Imported(accepted, duplicates, faults, latest)

    def _count(self, results: Sequence[pb.EventResult]) -> None:
        counts: dict[tuple[int, int], int] = {}
        for result in results:
            became = (result.outcome, result.reason)
            counts[became] = counts.get(became, 0) + 1
        for (outcome, reason), events in counts.items():
            self._metrics.count(outcome, reason, events)

    def _trace(self, flushed: FlushedEvents, began: float, caller: str) -> None:
        if not self.traced:
            return
        durable = time.time()
        for fate, sequence in zip(flushed.fates, flushed.sequences, strict=True):
            if fate is Fate.ACCEPTED:
                self._accepted.trace(sequence, began, durable, caller)


def _ordinal(result: pb.EventResult) -> int:
    return result.ordinal


def _rejections(request: PreparedRequest) -> list[pb.EventResult]:
    return [
        _rejected(ordinal, rejection.reason, rejection.detail)
        for ordinal, rejection in request.rejections.items()
    ]


def _results(
    request: PreparedRequest, flushed: FlushedEvents, start: int = 0
) -> list[pb.EventResult]:
    """Return what became of the events that were flushed, the first of which has index `start`."""
    return [_result(request, flushed, index, start) for index in range(len(flushed.fates))]


def _rejected(ordinal: int, reason: Reason, detail: str) -> pb.EventResult:
    return pb.EventResult(
        ordinal=ordinal,
        outcome=pb.EVENT_OUTCOME_REJECTED,
        reason=int(reason),  # type: ignore[arg-type]
        detail=detail,
    )


def _result(
    request: PreparedRequest, flushed: FlushedEvents, index: int, start: int
) -> pb.EventResult:
    """Return what became of an event, by its index in what was flushed from index `start` on."""
    ordinal = request.ordinals[start + index]
    match flushed.fates[index]:
        case Fate.ACCEPTED | Fate.DUPLICATE as fate:
            outcome = pb.EVENT_OUTCOME_ACCEPTED
            if fate is Fate.DUPLICATE:
                outcome = pb.EVENT_OUTCOME_DUPLICATE
            token = flushed.token(index)
            return pb.EventResult(ordinal=ordinal, outcome=outcome, position=token)
        case Fate.REUSED:
            detail = "the event id was accepted before with other fields"
            return _rejected(ordinal, Reason.EVENT_ID_REUSED, detail)
        case Fate.ERASED:
            detail = "the user was erased, and the event has no event_time that is later"
            return _rejected(ordinal, Reason.USER_ERASED, detail)
        case Fate.QUARANTINED:
            item_id = request.events.item_ids[start + index]
            detail = request.details.get(ordinal) or f"item {item_id!r} is not in the catalogue"
            return pb.EventResult(
                ordinal=ordinal,
                outcome=pb.EVENT_OUTCOME_QUARANTINED,
                reason=int(flushed.reasons[index]),  # type: ignore[arg-type]
                detail=detail,
            )
