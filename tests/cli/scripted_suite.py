"""A suite by script: the services' protos on a real gRPC server, with memory instead of a store."""

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator, Sequence
from typing import Any

import grpc
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_status import rpc_status

from harken.feedback.v1 import (
    catalog_service_pb2,
    catalog_service_pb2_grpc,
    event_pb2,
    feedback_service_pb2,
    feedback_service_pb2_grpc,
    generation_pb2,
    generation_service_pb2,
    generation_service_pb2_grpc,
    item_pb2,
)
from harken.profile.v1 import profile_pb2, profile_service_pb2, profile_service_pb2_grpc
from harken.ranker.v1 import ranker_service_pb2, ranker_service_pb2_grpc, slate_pb2
from services.cli.endpoints import Endpoints
from services.common.errors import NothingToRollBackToError
from services.common.position import Position
from tests.event_columns import events_of
from tests.scripted_server import scripted_server, unscripted

BAD_ITEM = "no-such-item"
_PAGE_ITEMS = 3


class ScriptedSuite(
    feedback_service_pb2_grpc.FeedbackServiceServicer,
    catalog_service_pb2_grpc.CatalogServiceServicer,
    generation_service_pb2_grpc.GenerationServiceServicer,
    profile_service_pb2_grpc.ProfileServiceServicer,
    ranker_service_pb2_grpc.RankerServiceServicer,
):
    """Keeps the contract of the protos for what the command line uses.

    Events on the item BAD_ITEM are quarantined. `break_after` is a script for ImportEvents: each
    stream takes the next number and breaks with UNAVAILABLE after so many answers.
    """

    BatchGetProfiles = ListProfiles = MergeProfiles = UnmergeProfiles = ListMerges = unscripted
    FindSimilarUsers = Rank = SimilarItems = unscripted
    EraseUser = GetErasure = ListErasures = ExportUser = unscripted
    PutAttributeSchema = GetAttributeSchema = unscripted
    ListTrending = ListLatest = BatchRecommend = ExplainSlate = unscripted
    PublishGeneration = DownloadGeneration = unscripted
    RecordSlates = RetractEvents = ExportEvents = ExportSlates = unscripted

    def __init__(self) -> None:
        self.busy = False
        """True: a generation is staged, one retired, and the guard had to step in."""
        self.events: dict[str, event_pb2.Event] = {}
        self.positions: dict[str, bytes] = {}
        self.items: dict[str, item_pb2.Item] = {}
        self.masks: list[tuple[str, ...]] = []
        """The mask of each item that was written."""
        self.profiles: dict[str, profile_pb2.Profile] = {}
        self.break_after: deque[int] = deque()
        self.chunks: list[int] = []
        self.calls: list[tuple[str, str]] = []
        self.most_unanswered = 0
        self.refuse_with: status_pb2.Status | None = None
        self.answering = asyncio.Event()
        self.answering.set()
        self.order: list[str] = []
        self.streams = 0
        self.digest = b"d"
        self.version: int | None = None
        self.published_seconds = 0
        """When g1 was published, unix seconds; 0: it was not."""
        self.long_name = ""
        """Put before the id of g1."""

    async def RecordEvents(self, request: Any, context: Any) -> Any:  # noqa: N802
        await self._maybe_refuse(context)
        answer = feedback_service_pb2.RecordEventsResponse()
        for ordinal, event in enumerate(request.events):
            self.calls.append(("record", event.subject.user_id))
            answer.results.append(self._take(event, ordinal))
        answer.position = self._position()
        return answer

    async def ImportEvents(self, requests: AsyncIterator[Any], context: Any) -> Any:  # noqa: N802
        await self._maybe_refuse(context)
        self.streams += 1
        breaks_after = self.break_after.popleft() if self.break_after else None
        waiting: asyncio.Queue[Any] = asyncio.Queue()

        async def read() -> None:
            async for request in requests:
                await waiting.put(request)
                self.most_unanswered = max(self.most_unanswered, waiting.qsize())
            await waiting.put(None)

        reader = asyncio.create_task(read())
        try:
            chunk = 0
            while True:
                await self.answering.wait()
                if breaks_after is not None and chunk >= breaks_after:
                    await context.abort(grpc.StatusCode.UNAVAILABLE, "scripted")
                request = await waiting.get()
                if request is None:
                    return
                events = list(request.events)
                if request.HasField("columns"):
                    assert not events
                    events = events_of(request.columns)
                assert 1 <= len(events) <= (20_000 if request.HasField("columns") else 5000)
                self.chunks.append(len(events))
                yield self._import(chunk, events)
                chunk += 1
        finally:
            reader.cancel()

    async def UpsertItems(self, request: Any, context: Any) -> Any:  # noqa: N802
        await self._maybe_refuse(context)
        answer = catalog_service_pb2.UpsertItemsResponse(position=self._position())
        assert len({item.item_id for item in request.items}) == len(request.items)
        for ordinal, item in enumerate(request.items):
            result = answer.results.add(ordinal=ordinal)
            if len(item.title) > 512:
                result.outcome = catalog_service_pb2.ITEM_OUTCOME_REJECTED
                result.field, result.detail = "title", "is longer than 512 bytes"
                continue
            known = self.items.get(item.item_id)
            written = _written(known, item, request.update_mask.paths)
            if known is None:
                result.outcome = catalog_service_pb2.ITEM_OUTCOME_CREATED
            elif written == known:
                result.outcome = catalog_service_pb2.ITEM_OUTCOME_UNCHANGED
            else:
                result.outcome = catalog_service_pb2.ITEM_OUTCOME_UPDATED
            self.items[item.item_id] = written
            self.masks.append(tuple(request.update_mask.paths))
        return answer

    async def GetItems(self, request: Any, context: Any) -> Any:  # noqa: N802
        if not self.items:
            await context.abort(grpc.StatusCode.NOT_FOUND, "no such tenant")
        return catalog_service_pb2.GetItemsResponse(
            items=[self.items[i] for i in request.item_ids if i in self.items],
            missing_item_ids=[i for i in request.item_ids if i not in self.items],
        )

    async def ListItems(self, request: Any, context: Any) -> Any:  # noqa: N802
        names = sorted(name for name in self.items if name > request.page_token)
        page = names[:_PAGE_ITEMS]
        return catalog_service_pb2.ListItemsResponse(
            items=[self.items[name] for name in page],
            next_page_token=page[-1] if len(names) > len(page) else "",
        )

    async def DeleteItems(self, request: Any, context: Any) -> Any:  # noqa: N802
        missing = [name for name in request.item_ids if self.items.pop(name, None) is None]
        return catalog_service_pb2.DeleteItemsResponse(
            position=self._position(), missing_item_ids=missing
        )

    async def UpdateProfile(self, request: Any, context: Any) -> Any:  # noqa: N802
        profile = request.profile
        subject = profile.subject
        known = self.profiles.get(subject.user_id or subject.session_id)
        if request.update_mask.paths and known is not None:
            # Of attributes that stay, those that the mask does not name.
            for name, value in known.attributes.fields.items():
                if f"attributes.{name}" not in request.update_mask.paths:
                    profile.attributes.fields[name].CopyFrom(value)
        profile.etag = "1"
        self.profiles[subject.user_id or subject.session_id] = profile
        return profile_service_pb2.UpdateProfileResponse(profile=profile)

    async def GetProfile(self, request: Any, context: Any) -> Any:  # noqa: N802
        profile = self.profiles.get(request.subject.user_id)
        if profile is None:
            await context.abort(grpc.StatusCode.NOT_FOUND, "nobody")
        return profile_service_pb2.GetProfileResponse(profile=profile)

    async def Recommend(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Rank `order` without what the user had an event on."""
        await self._maybe_refuse(context)
        user = request.subject.user_id
        self.calls.append(("recommend", user))
        seen = {e.item_id for e in self.events.values() if e.subject.user_id == user}
        left = [item for item in self.order if item not in seen]
        return ranker_service_pb2.RecommendResponse(
            slate_id="scripted",
            slots=[
                slate_pb2.Slot(
                    item_id=item,
                    score=1.0 / place,
                    propensity=1.0,
                    sources=[slate_pb2.SourceScore(source="popularity", score=1.0, rank=place)],
                    reason=slate_pb2.Reason(code=slate_pb2.REASON_CODE_POPULAR),
                )
                for place, item in enumerate(left[: request.count or 10], 1)
            ],
            position=self._position(),
            learned_position=self._position(),
            stale=request.min_position > self._position(),
            unknown_subject=not seen,
            unknown_categories=[one for one in request.filter.categories if one == "typo"],
        )

    async def GetServingState(self, request: Any, context: Any) -> Any:  # noqa: N802
        return ranker_service_pb2.GetServingStateResponse(
            ready=True,
            connected=True,
            epoch=1,
            version=len(self.events) if self.version is None else self.version,
            head_version=len(self.events) if self.version is None else self.version,
            position=self._position(),
            learned_position=self._position(),
            tenants=[
                ranker_service_pb2.TenantState(
                    tenant="default", generation_id="g2", digest=self.digest
                )
            ],
        )

    async def ListGenerations(self, request: Any, context: Any) -> Any:  # noqa: N802
        answer = generation_service_pb2.ListGenerationsResponse()
        for name, state, trained in (
            ("g2", generation_pb2.GENERATION_STATE_ACTIVE, 1234),
            ("g1", generation_pb2.GENERATION_STATE_PUBLISHED, 0),
        ):
            summary = answer.generations.add(state=state)
            summary.manifest.generation_id = self.long_name + name if name == "g1" else name
            summary.manifest.trained_through_sequence = trained
            if self.published_seconds and not trained:
                summary.manifest.publish_time.FromSeconds(self.published_seconds)
        if self.busy:
            serving, stored = answer.generations
            serving.vector_rollbacks = 2
            serving.guard.CopyFrom(_compared(0.001))
            stored.state = generation_pb2.GENERATION_STATE_STAGED
            stored.validation.CopyFrom(_compared(0.02))
            summary = answer.generations.add(state=generation_pb2.GENERATION_STATE_RETIRED)
            summary.manifest.generation_id, summary.retired_reason = "g0", "worse: -0.01"
        return answer

    async def PromoteGeneration(self, request: Any, context: Any) -> Any:  # noqa: N802
        now = request.mode == generation_service_pb2.PROMOTION_MODE_NOW
        state = (
            generation_pb2.GENERATION_STATE_ACTIVE
            if now
            else generation_pb2.GENERATION_STATE_STAGED
        )
        return generation_service_pb2.PromoteGenerationResponse(position=b"\1", state=state)

    async def RollbackGeneration(self, request: Any, context: Any) -> Any:  # noqa: N802
        if not self.busy:
            raise NothingToRollBackToError("tenant default had no other generation")
        return generation_service_pb2.RollbackGenerationResponse(
            position=b"\2", generation_id="g1", state=generation_pb2.GENERATION_STATE_STAGED
        )

    def _import(self, chunk: int, events: Sequence[event_pb2.Event]) -> Any:
        answer = feedback_service_pb2.ImportEventsResponse(chunk=chunk)
        for ordinal, event in enumerate(events):
            result = self._take(event, ordinal)
            if result.outcome == event_pb2.EVENT_OUTCOME_ACCEPTED:
                answer.accepted += 1
            elif result.outcome == event_pb2.EVENT_OUTCOME_DUPLICATE:
                answer.duplicates += 1
            else:
                answer.faults.append(result)
        answer.position = self._position()
        return answer

    def _take(self, event: Any, ordinal: int) -> Any:
        result = event_pb2.EventResult(ordinal=ordinal)
        known = self.events.get(event.event_id)
        if event.item_id == BAD_ITEM:
            result.outcome = event_pb2.EVENT_OUTCOME_QUARANTINED
            result.reason = event_pb2.EVENT_REASON_UNKNOWN_ITEM
            result.detail = "the item is not in the catalogue"
        elif known is not None:
            assert known == event
            result.outcome = event_pb2.EVENT_OUTCOME_DUPLICATE
        else:
            result.outcome = event_pb2.EVENT_OUTCOME_ACCEPTED
            self.events[event.event_id] = event
        return result

    def _position(self) -> bytes:
        return Position(0, 1, len(self.events)).encode() if self.events else b""

    async def _maybe_refuse(self, context: Any) -> None:
        if self.refuse_with is not None:
            await context.abort_with_status(rpc_status.to_status(self.refuse_with))


def invalid_argument(field: str, description: str) -> status_pb2.Status:
    """Return a status as the services send it for a wrong envelope."""
    status = status_pb2.Status(code=code_pb2.INVALID_ARGUMENT, message="the request is wrong")
    detail = error_details_pb2.BadRequest()
    detail.field_violations.add(field=field, description=description)
    status.details.add().Pack(detail)
    return status


@contextlib.asynccontextmanager
async def serving(suite: ScriptedSuite, healthy: bool = False) -> AsyncIterator[Endpoints]:
    """Serve a scripted suite on a free port; without `healthy` it has no health service."""
    server = scripted_server()
    for add in (
        feedback_service_pb2_grpc.add_FeedbackServiceServicer_to_server,
        catalog_service_pb2_grpc.add_CatalogServiceServicer_to_server,
        generation_service_pb2_grpc.add_GenerationServiceServicer_to_server,
        profile_service_pb2_grpc.add_ProfileServiceServicer_to_server,
        ranker_service_pb2_grpc.add_RankerServiceServicer_to_server,
    ):
        add(suite, server)
    if healthy:
        checks = health.aio.HealthServicer()
        await checks.set("", health_pb2.HealthCheckResponse.SERVING)
        health_pb2_grpc.add_HealthServicer_to_server(checks, server)
    target = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    await server.start()
    try:
        yield Endpoints(target, target, (target,))
    finally:
        await server.stop(None)


def _compared(mean: float) -> generation_service_pb2.LiveComparison:
    return generation_service_pb2.LiveComparison(
        events=1500, mean_difference=mean, lower=mean - 0.01, upper=mean + 0.01
    )


def _written(
    known: item_pb2.Item | None, item: item_pb2.Item, paths: Sequence[str]
) -> item_pb2.Item:
    """Return what an upsert leaves, as the contract of update_mask has it."""
    if known is None or not paths:
        return item
    written = item_pb2.Item()
    written.CopyFrom(known)
    for path in paths:
        field, _, name = path.partition(".")
        if name:
            written.numbers.pop(name, None)
            if name in item.numbers:
                written.numbers[name] = item.numbers[name]
            continue
        written.ClearField(field)
        part = item_pb2.Item()
        part.CopyFrom(item)
        for descriptor, _ in item.ListFields():
            if descriptor.name != field:
                part.ClearField(descriptor.name)
        written.MergeFrom(part)
    return written
