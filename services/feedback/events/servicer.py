"""FeedbackService: events in, retractions, events and slates out."""

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from datetime import timedelta

import grpc
from google.protobuf.duration_pb2 import Duration

from harken.feedback.v1 import feedback_service_pb2 as pb
from harken.feedback.v1 import feedback_service_pb2_grpc
from harken.internal.log.v1 import entry_pb2
from services.common.bulk_work import BulkWork
from services.common.consent import Purpose
from services.common.errors import MissingResourceError
from services.common.position import token_of
from services.common.reloadable import Reloadable
from services.common.tracing import traceparent_of
from services.common.validation import Checks
from services.common.vault.vault import UserVault
from services.feedback.events.event_columns import EventColumns
from services.feedback.events.event_conversion import EventPreparer, PreparedRequest
from services.feedback.events.event_export import EventExport, LogPage
from services.feedback.events.event_export_conversion import events_of, exported_events
from services.feedback.events.event_recorder import EventRecorder
from services.feedback.events.event_retractor import EventRetractor
from services.feedback.events.sealed_contexts import open_contexts
from services.feedback.generations.generation_store import GenerationStore
from services.feedback.log.log_store import LogRow
from services.feedback.log.tenant_registry import TenantRegistry
from services.feedback.slates.slate_export import SlateExport, SlatePage
from services.feedback.slates.slate_export_conversion import exported_slate
from services.feedback.slates.slate_outcomes import TooManyOutcomesError
from services.feedback.user_facts.consent_reader import ConsentReader

_MAX_EVENTS = 1000
_MAX_CHUNK_EVENTS = 5000
_MAX_RETRACTIONS = 1000
_PAGE_EVENTS = 1000
_MAX_PAGE_EVENTS = 5000
_EXPORT_SLICE = 50
_PAGE_SLATES = 500
_MAX_PAGE_SLATES = 1000
_SLATE_SLICE = 10
_SHARED_PAGE_SLATES = 50
_MAX_WINDOW = timedelta(days=30)
_SHARED_PAGE_EVENTS = 200
"""In a page when several export: reading, making and sending one holds up others for so long."""
_SHARED_REST = 2.0
"""How much longer several exports rest than they work, all together."""


class FeedbackServicer(feedback_service_pb2_grpc.FeedbackServiceServicer):
    """Takes what users did."""

    def __init__(
        self,
        tenants: TenantRegistry,
        recorder: EventRecorder,
        retractor: EventRetractor,
        export: EventExport,
        slates: SlateExport,
        consents: ConsentReader,
        generations: GenerationStore,
        bulk: BulkWork,
        window_seconds: Reloadable[float],
        vault: UserVault,
        live: Reloadable[EventPreparer],
        history: Reloadable[EventPreparer],
    ) -> None:
        """Prepare events of RecordEvents with `live`, those of ImportEvents with `history`.

        `window_seconds`: how long events count for a slate, unless a call says otherwise.
        """
        self._tenants = tenants
        self._recorder = recorder
        self._retractor = retractor
        self._export = export
        self._slates = slates
        self._consents = consents
        self._generations = generations
        self._window_seconds = window_seconds
        self._vault = vault
        self._bulk = bulk
        self._exporting = asyncio.Lock()
        self._exports = 0
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
        return await self._recorder.record(
            tenant, request.events, self._live.value, self._caller(context)
        )

    async def ImportEvents(  # noqa: N802
        self,
        requests: AsyncIterator[pb.ImportEventsRequest],
        context: grpc.aio.ServicerContext,
    ) -> AsyncIterator[pb.ImportEventsResponse]:
        """See feedback_service.proto."""
        caller = self._caller(context)
        number = 0
        # One chunk is prepared while the one before is appended.
        async with contextlib.aclosing(_one_ahead(self._chunks(requests))) as chunks:
            async for chunk in chunks:
                imported = await self._recorder.append(chunk, caller)
                yield pb.ImportEventsResponse(
                    chunk=number,
                    accepted=imported.accepted,
                    duplicates=imported.duplicates,
                    faults=imported.faults,
                    position=imported.position,
                )
                number += 1

    async def _chunks(
        self, requests: AsyncIterator[pb.ImportEventsRequest]
    ) -> AsyncIterator[PreparedRequest]:
        first_tenant: str | None = None
        async for request in requests:
            checks = Checks()
            tenant = checks.tenant(request.tenant)
            if tenant != (first_tenant or tenant):
                checks.fail("tenant", f"differs from {first_tenant!r} of the first chunk")
            columns = None
            if not request.HasField("columns"):
                checks.size("events", len(request.events), 1, _MAX_CHUNK_EVENTS)
            elif request.events:
                checks.fail("columns", "must not be given beside events")
            else:
                columns = EventColumns(request.columns, checks)
            checks.done()
            if first_tenant is None:
                await self._tenants.require(tenant)
                first_tenant = tenant
            history = self._history.value
            if columns is None:
                yield await self._recorder.prepare(tenant, request.events, history)
            else:
                yield await self._recorder.prepare_columns(tenant, columns, history)

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
        self._exports += 1
        try:
            pages = aiter(self._export.pages(tenant, after, until, lambda: self._page_size(size)))
            purposes = (Purpose.EXPORT, Purpose.LEARNING)[: 1 + request.for_learning]
            while (answer := await self._page(tenant, pages, purposes)) is not None:
                yield answer
        finally:
            self._exports -= 1

    async def ExportSlates(  # noqa: N802
        self, request: pb.ExportSlatesRequest, context: grpc.aio.ServicerContext
    ) -> AsyncIterator[pb.ExportSlatesResponse]:
        """See feedback_service.proto."""
        checks = Checks()
        tenant = checks.tenant(request.tenant)
        after = checks.position("after_position", request.after_position)
        until = checks.position("until_position", request.until_position)
        size = checks.number("page_size", request.page_size, _PAGE_SLATES, _MAX_PAGE_SLATES)
        window_us = self._window_us(request, checks)
        checks.done()
        await self._tenants.require(tenant)
        surface = request.surface if request.HasField("surface") else None
        names = _OutcomeNames(self._generations, tenant)
        self._exports += 1
        try:
            pages = aiter(
                self._slates.pages(
                    tenant, after, until, window_us,
                    lambda: self._page_size(size, _SHARED_PAGE_SLATES),
                    not request.without_outcomes,
                )
            )  # fmt: skip
            while (answer := await self._slate_page(tenant, pages, surface, names)) is not None:
                answer.window.FromMicroseconds(window_us)
                yield answer
        except TooManyOutcomesError as error:
            checks.fail("window", f"{error}: ask for a shorter one")
            checks.done()
        finally:
            self._exports -= 1

    def _window_us(self, request: pb.ExportSlatesRequest, checks: Checks) -> int:
        if not request.HasField("window"):
            return int(self._window_seconds.value * 1e6)
        window = _length(request.window)
        if not timedelta(seconds=1) <= window <= _MAX_WINDOW:
            checks.fail("window", "must be 1 second to 30 days")
        return window // timedelta(microseconds=1)

    async def _slate_page(
        self,
        tenant: str,
        pages: AsyncIterator[SlatePage],
        surface: str | None,
        names: "_OutcomeNames",
    ) -> pb.ExportSlatesResponse | None:
        """Return the next page of slates, None after the last; exports of both kinds take turns."""
        async with self._exporting:
            began = time.monotonic()
            page = await anext(pages, None)
            if page is None:
                return None
            asked = [one for one in page.slates if surface in (None, one.slate.surface)]
            denying = await self._consents.denying(
                tenant, {one.slate.user_key for one in asked}, (Purpose.EXPORT,)
            )
            wanted = [one for one in asked if one.slate.user_key not in denying]
            answer = pb.ExportSlatesResponse(
                position=token_of(page.through), left_out=len(asked) - len(wanted)
            )
            subjects = await self._vault.subjects(tenant, {one.slate.user_key for one in wanted})
            # Of nobody, who was erased, there are none: readers would take them for one user's.
            wanted = [one for one in wanted if one.slate.user_key in subjects]
            for start in range(0, len(wanted), _SLATE_SLICE):
                slates = wanted[start : start + _SLATE_SLICE]
                known = [await names.of(one.slate.generation_id) for one in slates]
                async with self._bulk:
                    of_users = [subjects[one.slate.user_key] for one in slates]
                    answer.slates.extend(map(exported_slate, slates, known, of_users))
            await self._rest(began)
            return answer

    def _page_size(self, asked: int, shared: int = _SHARED_PAGE_EVENTS) -> int:
        return asked if self._exports == 1 else min(asked, shared)

    async def _page(
        self, tenant: str, pages: AsyncIterator[LogPage], purposes: Sequence[Purpose]
    ) -> pb.ExportEventsResponse | None:
        """Return the next page, None after the last. All exports take turns, as a page costs the
        store and us as much as many events do; several together rest longer than they work.
        """
        async with self._exporting:
            began = time.monotonic()
            page = await anext(pages, None)
            if page is None:
                return None
            events: list[tuple[LogRow, entry_pb2.LoggedEvent]] = []
            for start in range(0, len(page.rows), _EXPORT_SLICE):
                async with self._bulk:
                    events += events_of(page.rows[start : start + _EXPORT_SLICE])
            denying = await self._consents.denying(
                tenant, {event.user_key for _, event in events}, purposes
            )
            wanted = [one for one in events if one[1].user_key not in denying]
            answer = pb.ExportEventsResponse(
                position=token_of(page.through), left_out=len(events) - len(wanted)
            )
            logged = [event for _, event in wanted]
            await open_contexts(self._vault, tenant, logged)
            subjects = await self._vault.subjects(tenant, {event.user_key for event in logged})
            for start in range(0, len(wanted), _EXPORT_SLICE):
                async with self._bulk:
                    some = wanted[start : start + _EXPORT_SLICE]
                    answer.events.extend(exported_events(some, subjects))
            await self._rest(began)
            return answer

    async def _rest(self, began: float) -> None:
        if self._exports > 1:
            await asyncio.sleep(_SHARED_REST * (time.monotonic() - began))

    def _caller(self, context: grpc.aio.ServicerContext) -> str:
        """Return the W3C traceparent of a call, when events are traced at all."""
        return traceparent_of(context.invocation_metadata()) if self._recorder.traced else ""


class _OutcomeNames:
    """What generations predict, by their id."""

    def __init__(self, generations: GenerationStore, tenant: str) -> None:
        self._generations = generations
        self._tenant = tenant
        self._known: dict[str, list[str]] = {}

    async def of(self, generation_id: str) -> list[str]:
        """Return the names of a generation's outcomes, none when it is gone."""
        names = self._known.get(generation_id)
        if names is None:
            try:
                manifest = await self._generations.manifest(self._tenant, generation_id)
                names = [outcome.name for outcome in manifest.outcomes]
            except MissingResourceError:
                names = []
            self._known[generation_id] = names
        return names


def _length(duration: Duration) -> timedelta:
    """Return a duration; one that is longer than a timedelta can be is cut to years."""
    return timedelta(seconds=max(min(duration.seconds, 10**9), -(10**9)),
                     microseconds=duration.nanos // 1000)  # fmt: skip


async def _one_ahead(
    source: AsyncIterator[PreparedRequest],
) -> AsyncGenerator[PreparedRequest, None]:
    """Yield what a source does, and let it make the next one meanwhile."""
    pull = asyncio.ensure_future(anext(source, None))
    try:
        while (one := await pull) is not None:
            pull = asyncio.ensure_future(anext(source, None))
            yield one
    finally:
        pull.cancel()
        await asyncio.wait([pull])
