"""FeedbackService: events in."""

from collections.abc import AsyncIterator

import grpc

from harken.feedback.v1 import event_pb2, feedback_service_pb2_grpc
from harken.feedback.v1 import feedback_service_pb2 as pb
from services.common.position import Position, token_of
from services.common.validation import Checks
from services.feedback.event_conversion import EventPreparer
from services.feedback.event_recorder import EventRecorder
from services.feedback.store.tenant_registry import TenantRegistry

_MAX_EVENTS = 1000
_MAX_CHUNK_EVENTS = 5000


class FeedbackServicer(feedback_service_pb2_grpc.FeedbackServiceServicer):
    """Takes what users did."""

    def __init__(
        self,
        tenants: TenantRegistry,
        recorder: EventRecorder,
        live: EventPreparer,
        history: EventPreparer,
    ) -> None:
        """Prepare events of RecordEvents with `live`, those of ImportEvents with `history`."""
        self._tenants = tenants
        self._recorder = recorder
        self._live = live
        self._history = history

    async def RecordEvents(  # noqa: N802
        self, request: pb.RecordEventsRequest, context: grpc.aio.ServicerContext
    ) -> pb.RecordEventsResponse:
        """See feedback_service.proto."""
        checks = Checks()
        tenant = checks.tenant(request.tenant)
        checks.size("events", len(request.events), 1, _MAX_EVENTS)
        checks.done()
        await self._tenants.require(tenant)
        recorded = await self._recorder.record(tenant, request.events, self._live)
        return pb.RecordEventsResponse(
            results=recorded.results,
            position=token_of(recorded.position),
        )

    async def ImportEvents(  # noqa: N802
        self,
        requests: AsyncIterator[pb.ImportEventsRequest],
        context: grpc.aio.ServicerContext,
    ) -> AsyncIterator[pb.ImportEventsResponse]:
        """See feedback_service.proto."""
        first_tenant: str | None = None
        chunk = 0
        async for request in requests:
            checks = Checks()
            tenant = checks.tenant(request.tenant)
            if tenant != (first_tenant or tenant):
                checks.fail("tenant", f"differs from {first_tenant!r} of the first chunk")
            checks.size("events", len(request.events), 1, _MAX_CHUNK_EVENTS)
            checks.done()
            if first_tenant is None:
                await self._tenants.require(tenant)
                first_tenant = tenant
            recorded = await self._recorder.record(tenant, request.events, self._history)
            yield _import_response(chunk, recorded.results, recorded.position)
            chunk += 1


def _import_response(
    chunk: int, results: list[event_pb2.EventResult], position: Position | None
) -> pb.ImportEventsResponse:
    outcomes = [result.outcome for result in results]
    fine = (event_pb2.EVENT_OUTCOME_ACCEPTED, event_pb2.EVENT_OUTCOME_DUPLICATE)
    return pb.ImportEventsResponse(
        chunk=chunk,
        accepted=outcomes.count(event_pb2.EVENT_OUTCOME_ACCEPTED),
        duplicates=outcomes.count(event_pb2.EVENT_OUTCOME_DUPLICATE),
        faults=[result for result in results if result.outcome not in fine],
        position=token_of(position),
    )
