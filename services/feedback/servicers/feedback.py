"""FeedbackService: events and slates in, retractions, events out."""

from collections.abc import AsyncIterator

import grpc

from harken.feedback.v1 import event_pb2, feedback_service_pb2_grpc
from harken.feedback.v1 import feedback_service_pb2 as pb
from services.common.live import Live
from services.common.position import Position, token_of
from services.common.tracing import traceparent_of
from services.common.validation import Checks
from services.feedback.event_conversion import EventPreparer
from services.feedback.event_export_conversion import export_page
from services.feedback.event_recorder import EventRecorder
from services.feedback.event_retractor import EventRetractor
from services.feedback.slate_recorder import SlateRecorder
from services.feedback.store.event_export import EventExport
from services.feedback.store.tenant_registry import TenantRegistry

_MAX_EVENTS = 1000
_MAX_CHUNK_EVENTS = 5000
_MAX_SLATES = 500
_MAX_RETRACTIONS = 1000
_PAGE_EVENTS = 1000
_MAX_PAGE_EVENTS = 5000


class FeedbackServicer(feedback_service_pb2_grpc.FeedbackServiceServicer):
    """Takes what users did."""

    def __init__(
        self,
        tenants: TenantRegistry,
        recorder: EventRecorder,
        slates: SlateRecorder,
        retractor: EventRetractor,
        export: EventExport,
        live: Live[EventPreparer],
        history: Live[EventPreparer],
    ) -> None:
        """Prepare events of RecordEvents with `live`, those of ImportEvents with `history`."""
        self._tenants = tenants
        self._recorder = recorder
        self._slates = slates
        self._retractor = retractor
        self._export = export
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
        recorded = await self._recorder.record(
            tenant, request.events, self._live.value, self._caller(context)
        )
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
            recorded = await self._recorder.record(
                tenant, request.events, self._history.value, self._caller(context)
            )
            yield _import_response(chunk, recorded.results, recorded.position)
            chunk += 1

    async def RecordSlates(  # noqa: N802
        self, request: pb.RecordSlatesRequest, context: grpc.aio.ServicerContext
    ) -> pb.RecordSlatesResponse:
        """See feedback_service.proto."""
        checks = Checks()
        tenant = checks.tenant(request.tenant)
        checks.size("slates", len(request.slates), 1, _MAX_SLATES)
        checks.done()
        await self._tenants.require(tenant)
        results, position = await self._slates.record(tenant, request.slates)
        return pb.RecordSlatesResponse(results=results, position=token_of(position))

    async def RetractEvents(  # noqa: N802
        self, request: pb.RetractEventsRequest, context: grpc.aio.ServicerContext
    ) -> pb.RetractEventsResponse:
        """See feedback_service.proto."""
        checks = Checks()
        tenant = checks.tenant(request.tenant)
        checks.size("event_ids", len(request.event_ids), 1, _MAX_RETRACTIONS)
        checks.done()
        await self._tenants.require(tenant)
        results, position = await self._retractor.retract(tenant, request.event_ids)
        return pb.RetractEventsResponse(results=results, position=token_of(position))

    async def ExportEvents(  # noqa: N802
        self, request: pb.ExportEventsRequest, context: grpc.aio.ServicerContext
    ) -> AsyncIterator[pb.ExportEventsResponse]:
        """See feedback_service.proto."""
        checks = Checks()
        tenant = checks.tenant(request.tenant)
        after = checks.position("after_position", request.after_position)
        until = checks.position("until_position", request.until_position)
        size = checks.number("page_size", request.page_size, _PAGE_EVENTS, _MAX_PAGE_EVENTS)
        checks.done()
        await self._tenants.require(tenant)
        async for page in self._export.pages(tenant, after, until, size):
            yield export_page(page)

    def _caller(self, context: grpc.aio.ServicerContext) -> str:
        """Return the W3C traceparent of a call, when events are traced at all."""
        return traceparent_of(context.invocation_metadata()) if self._recorder.traced else ""


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
