"""RankerService: checks, asks the domain, converts."""

import time
from collections.abc import AsyncIterator

import grpc

from harken.ranker.v1 import ranker_service_pb2 as pb
from harken.ranker.v1 import ranker_service_pb2_grpc, replayed_slate_pb2
from services.common.answer_size import check_answer_size
from services.common.deadline import seconds_to_wait
from services.common.errors import MissingResourceError
from services.common.reloadable import Reloadable
from services.common.tracing import traceparent_of
from services.common.user_key import Pseudonyms
from services.common.validation import Checks
from services.ranker.batches import Batches, check_template
from services.ranker.domain.compiled_slates import CompiledSlates
from services.ranker.domain.eligibility import unknown_categories
from services.ranker.domain.seen_rule import ALL_FOREVER, SeenRules
from services.ranker.domain.similar_items import NoVectorError, similar_items
from services.ranker.domain.surface.listing import Order
from services.ranker.envelopes import (
    DEFAULT_COUNT,
    MAX_COUNT,
    MAX_EXCLUDED,
    check_filter,
    check_surface,
    freshness_of,
)
from services.ranker.metrics import RankerMetrics
from services.ranker.numpy_slates import NumpySlates
from services.ranker.recommender import Recommender
from services.ranker.request_context import (
    RequestContexts,
)
from services.ranker.serving_state import ServingState
from services.ranker.slate_conversion import (
    degradation_messages,
    filter_of,
    of_expression,
    put_drops,
)
from services.ranker.slate_explainer import SlateExplainer
from services.ranker.slate_log import SlateLog
from services.ranker.slate_traces import SlateTraces
from services.ranker.surfaces.asked import Asked
from services.ranker.surfaces.expression_cache import ExpressionCache
from services.ranker.surfaces.item_lists import ItemLists, ListRequest
from services.ranker.surfaces.surface_slates import SurfaceSlates

MAX_RANKED = 1000
MAX_SUBJECTS = 10_000
MAX_SLATE_ID_BYTES = 64


class RankerServicer(ranker_service_pb2_grpc.RankerServiceServicer):
    """Makes slates."""

    def __init__(
        self,
        contexts: RequestContexts,
        serving_state: ServingState,
        metrics: RankerMetrics,
        slates: CompiledSlates | NumpySlates,
        slate_log: SlateLog,
        surface_weights: Reloadable[dict[str, dict[str, float]]],
        seen_rules: Reloadable[SeenRules],
        explainer: SlateExplainer,
        pseudonyms: Pseudonyms,
        traces: SlateTraces | None = None,
    ) -> None:
        """Answer with what `slates` makes, ordered by `surface_weights`, of outcomes by surface,
        where it has any; of surfaces that are configured by what is put, these only where that does
        not say.

        `seen_rules` say which items are left out as seen. `explainer` reads slates of the log.
        `traces`, when given, is told of slates that are answered.
        """
        self._contexts = contexts
        self._serving_state = serving_state
        self._metrics = metrics
        self._slates = slates
        self._explainer = explainer
        self._pseudonyms = pseudonyms
        self._traces = traces
        self._expressions = ExpressionCache()
        self._surfaces = SurfaceSlates(slates, surface_weights, seen_rules)
        self._lists = ItemLists(slates, self._surfaces)
        self._recommender = Recommender(
            contexts, metrics, slates, slate_log, surface_weights, seen_rules, self._surfaces,
            self._expressions,
        )  # fmt: skip
        self._batches = Batches(contexts, self._recommender, slate_log, pseudonyms)

    async def Recommend(  # type: ignore[override]  # noqa: N802
        self, request: pb.RecommendRequest, context: grpc.aio.ServicerContext
    ) -> bytes:
        """See ranker_service.proto. Returns a RecommendResponse on the wire."""
        began = time.time()
        checks = Checks()
        tenant = checks.tenant(request.tenant)
        checks.subject("subject", request.subject)
        asked = self._recommender.checked(checks, request)
        checks.done()
        user_key = self._pseudonyms.key_of(tenant, request.subject)
        found = await self._recommender.found(
            tenant, request.subject, user_key, request, asked.freshness, seconds_to_wait(context)
        )
        made = self._recommender.made(found, tenant, request.subject, user_key, request, asked)
        if self._traces is not None:
            caller = traceparent_of(context.invocation_metadata())
            self._traces.served(tenant, user_key, began, made.slate_id, caller)
        return made.answer

    async def BatchRecommend(  # type: ignore[override]  # noqa: N802
        self, request: pb.BatchRecommendRequest, context: grpc.aio.ServicerContext
    ) -> AsyncIterator[bytes]:
        """See ranker_service.proto. Yields BatchRecommendResponses on the wire."""
        checks = Checks()
        tenant = checks.tenant(request.tenant)
        checks.size("subjects", len(request.subjects), 1, MAX_SUBJECTS)
        with checks.within("request"):
            check_template(checks, request.request)
            asked = self._recommender.checked(checks, request.request)
        checks.done()
        async for answer in self._batches.answers(
            tenant, request.subjects, request.request, asked, seconds_to_wait(context)
        ):
            yield answer

    async def Rank(  # type: ignore[override]  # noqa: N802
        self, request: pb.RankRequest, context: grpc.aio.ServicerContext
    ) -> bytes:
        """See ranker_service.proto. Returns a RankResponse on the wire."""
        checks = Checks()
        tenant = checks.tenant(request.tenant)
        checks.subject("subject", request.subject)
        sound = checks.size("item_ids", len(request.item_ids), 1, MAX_RANKED)
        if sound and len(set(request.item_ids)) < len(request.item_ids):
            checks.fail("item_ids", "holds an id twice")
        check_surface(checks, request.surface)
        least = min(max(DEFAULT_COUNT, len(request.item_ids)), MAX_COUNT)
        count = checks.number("count", request.count, least, MAX_COUNT)
        check_filter(checks, request)
        expression = self._expressions.filter(
            checks, "filter.expression", request.filter.expression
        )
        freshness = freshness_of(checks, request)
        checks.done()
        user_key = self._pseudonyms.key_of(tenant, request.subject)
        found = self._contexts.at_once(tenant, user_key, freshness)
        if found is None:
            found = await self._contexts.personal(
                tenant, user_key, request.subject, freshness, seconds_to_wait(context)
            )
        now = time.time()
        wanted, weights = self._surfaces.order(
            found,
            request.surface,
            of_expression(
                filter_of(request, self._surfaces.seen_rule(found.replica, request.surface)),
                expression,
                now,
            ),
            now,
        )
        slate, unranked = self._slates.rank(
            found.replica,
            found.generation,
            found.user,
            list(request.item_ids),
            count,
            wanted,
            now,
            weights,
        )
        response = pb.RankResponse(
            unranked_item_ids=unranked,
            position=self._contexts.position(),
            learned_position=self._contexts.learned_position(),
            generation_id=found.generation.generation_id,
            stale=found.stale,
            degradations=self._recommender.degradations(found, slate),
            non_personal=found.non_personal,
        )
        answer = response.SerializeToString() + slate.slots
        check_answer_size("item_ids", len(answer))
        return answer

    async def SimilarItems(  # noqa: N802
        self, request: pb.SimilarItemsRequest, context: grpc.aio.ServicerContext
    ) -> pb.SimilarItemsResponse:
        """See ranker_service.proto."""
        checks = Checks()
        tenant = checks.tenant(request.tenant)
        checks.id("item_id", request.item_id)
        count = checks.number("count", request.count, DEFAULT_COUNT, MAX_COUNT)
        check_filter(checks, request)
        expression = self._expressions.filter(
            checks, "filter.expression", request.filter.expression
        )
        freshness = freshness_of(checks, request)
        checks.done()
        reached = await self._contexts.reach(tenant, freshness, seconds_to_wait(context))
        replica, generation = self._contexts.replica(tenant)
        # Nobody in particular asks: nothing was seen.
        wanted = of_expression(filter_of(request, ALL_FOREVER), expression, time.time())
        try:
            similar = similar_items(replica, request.item_id, count, wanted, time.time())
        except NoVectorError as error:
            raise MissingResourceError(str(error)) from error
        self._metrics.answered(not reached, ())
        return pb.SimilarItemsResponse(
            items=[pb.SimilarItem(item_id=item_id, cosine=cosine) for item_id, cosine in similar],
            position=self._contexts.position(),
            learned_position=self._contexts.learned_position(),
            generation_id=generation.generation_id,
            unknown_categories=unknown_categories(replica.catalogue, wanted),
            stale=not reached,
        )

    async def ListTrending(  # noqa: N802
        self, request: pb.ListTrendingRequest, context: grpc.aio.ServicerContext
    ) -> pb.ListTrendingResponse:
        """See ranker_service.proto."""
        response = pb.ListTrendingResponse()
        await self._list(Order.TRENDING, request, response, context)
        return response

    async def ListLatest(  # noqa: N802
        self, request: pb.ListLatestRequest, context: grpc.aio.ServicerContext
    ) -> pb.ListLatestResponse:
        """See ranker_service.proto."""
        response = pb.ListLatestResponse()
        await self._list(Order.LATEST, request, response, context)
        return response

    async def _list(
        self,
        order: Order,
        request: ListRequest,
        response: pb.ListTrendingResponse | pb.ListLatestResponse,
        context: grpc.aio.ServicerContext,
    ) -> None:
        """Write the list of a request into its response."""
        checks = Checks()
        tenant = checks.tenant(request.tenant)
        check_surface(checks, request.surface)
        count = checks.number("count", request.count, DEFAULT_COUNT, MAX_COUNT)
        check_filter(checks, request)
        checks.size("excluded_item_ids", len(request.excluded_item_ids), 0, MAX_EXCLUDED)
        asked = Asked.of_anybody(checks, request, self._expressions)
        freshness = freshness_of(checks, request)
        checks.done()
        found = await self._contexts.of_nobody(tenant, freshness, seconds_to_wait(context))
        answer = self._lists.answer(
            found.replica, found.generation, order, request, asked, count, time.time()
        )
        self._metrics.answered(found.stale, found.degradations)
        response.slots.extend(answer.slots)
        response.position = self._contexts.position()
        response.learned_position = self._contexts.learned_position()
        response.stale = found.stale
        put_drops(response.drops, answer.drops)
        response.unknown_categories.extend(
            unknown_categories(found.replica.catalogue, answer.wanted)
        )
        response.surface_revision = answer.revision
        response.lost_rules.extend(answer.lost)
        response.next_page_token = answer.next_page
        response.degradations.extend(degradation_messages(found.degradations))

    async def ExplainSlate(  # noqa: N802
        self, request: pb.ExplainSlateRequest, context: grpc.aio.ServicerContext
    ) -> replayed_slate_pb2.ExplainSlateResponse:
        """See ranker_service.proto."""
        checks = Checks()
        tenant = checks.tenant(request.tenant)
        checks.id("slate_id", request.slate_id, MAX_SLATE_ID_BYTES)
        checks.done()
        return await self._explainer.explained(tenant, request.slate_id, seconds_to_wait(context))

    async def GetServingState(  # noqa: N802
        self, request: pb.GetServingStateRequest, context: grpc.aio.ServicerContext
    ) -> pb.GetServingStateResponse:
        """See ranker_service.proto."""
        return await self._serving_state.read()
