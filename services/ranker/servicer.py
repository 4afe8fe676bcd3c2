"""RankerService: checks, asks the domain, converts."""

import time

import grpc

from harken.ranker.v1 import ranker_service_pb2 as pb
from harken.ranker.v1 import ranker_service_pb2_grpc, slate_pb2
from services.common.answer_size import check_answer_size
from services.common.deadline import seconds_to_wait
from services.common.errors import MissingResourceError
from services.common.reloadable import Reloadable
from services.common.tracing import traceparent_of
from services.common.user_key import user_key_of
from services.common.validation import Checks, time_fault
from services.ranker.config import SURFACE
from services.ranker.domain.compiled_slates import CompiledSlates
from services.ranker.domain.eligibility import unknown_categories
from services.ranker.domain.encoded_slate import EncodedSlate
from services.ranker.domain.outcome_blend import NO_OVERRIDES
from services.ranker.domain.seen_rule import ALL_FOREVER, SeenRules
from services.ranker.domain.similar_items import NoVectorError, similar_items
from services.ranker.domain.slate import POLICY
from services.ranker.metrics import RankerMetrics
from services.ranker.numpy_slates import NumpySlates
from services.ranker.request_context import (
    WHATEVER,
    Freshness,
    RequestContext,
    RequestContexts,
)
from services.ranker.serving_state import ServingState
from services.ranker.slate_conversion import (
    degradation_messages,
    filter_of,
    of_expression,
    put_drops,
)
from services.ranker.slate_id import SlateIds
from services.ranker.slate_log import ServedSlate, SlateLog
from services.ranker.slate_traces import SlateTraces
from services.ranker.surfaces.asked import Asked
from services.ranker.surfaces.expression_cache import ExpressionCache
from services.ranker.surfaces.surface_slates import SurfaceSlates

DEFAULT_COUNT = 10
MAX_COUNT = 1000
MAX_EXCLUDED = 5000
MAX_CATEGORIES = 100
MAX_RANKED = 1000


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
        traces: SlateTraces | None = None,
    ) -> None:
        """Answer with what `slates` makes, ordered by `surface_weights`, of outcomes by surface,
        where it has any; of surfaces that are configured by what is put, these only where that does
        not say.

        `seen_rules` say which items are left out as seen.
        `traces`, when given, is told of slates that are answered.
        """
        self._contexts = contexts
        self._serving_state = serving_state
        self._metrics = metrics
        self._slates = slates
        self._slate_log = slate_log
        self._surface_weights = surface_weights
        self._seen_rules = seen_rules
        self._traces = traces
        self._slate_ids = SlateIds()
        self._expressions = ExpressionCache()
        self._surfaces = SurfaceSlates(slates, surface_weights, seen_rules)

    async def Recommend(  # type: ignore[override]  # noqa: N802
        self, request: pb.RecommendRequest, context: grpc.aio.ServicerContext
    ) -> bytes:
        """See ranker_service.proto. Returns a RecommendResponse on the wire."""
        began = time.time()
        checks = Checks()
        tenant = checks.tenant(request.tenant)
        checks.subject("subject", request.subject)
        _check_surface(checks, request.surface)
        count = checks.number("count", request.count, DEFAULT_COUNT, MAX_COUNT)
        _check_filter(checks, request)
        checks.size("excluded_item_ids", len(request.excluded_item_ids), 0, MAX_EXCLUDED)
        as_of = request.as_of if request.HasField("as_of") else None
        if as_of is not None and (wrong_time := time_fault(as_of)):
            checks.fail("as_of", wrong_time)
        freshness = _freshness(checks, request)
        asked = Asked.checked(checks, request, self._expressions)
        checks.done()
        user_key = user_key_of(request.subject)
        if request.non_personal:
            found = await self._contexts.of_nobody(tenant, freshness, seconds_to_wait(context))
        else:
            held = self._contexts.at_once(tenant, user_key, freshness)
            found = held or await self._contexts.personal(
                tenant, user_key, freshness, seconds_to_wait(context)
            )
        shown = as_of is None and not request.preview
        decided = self._surfaces.decided(found.replica, request)
        # What an experiment decided is logged whatever share of slates is.
        logged = (
            shown
            and not request.non_personal
            and (bool(decided.exposures) or self._slate_log.wanted())
        )
        # Making the slate is one turn of the event loop: both positions are of its moment.
        making = time.perf_counter()
        now = time.time() if as_of is None else as_of.seconds + as_of.nanos / 1e9
        shaped = None
        if self._surfaces.is_plain(decided, request):
            wanted = filter_of(
                request, self._seen_rules.value.of(request.surface), request.excluded_item_ids
            )
            slate = self._slates.recommend(
                found.replica,
                found.generation,
                found.user,
                count,
                wanted,
                now,
                self._surface_weights.value.get(request.surface, NO_OVERRIDES),
                logged,
            )
        else:
            shaped, wanted = self._surfaces.answer(
                found, request, decided, asked, user_key, count, now, shown, logged
            )
            slate = shaped.slate
        self._metrics.slates.inc()
        response = pb.RecommendResponse(
            slate_id=self._slate_ids.next(),
            position=self._contexts.position(),
            learned_position=self._contexts.learned_position(),
            generation_id=found.generation.generation_id,
            policy=POLICY,
            stale=found.stale,
            unknown_subject=found.user.unknown,
            experiments=decided.exposures,
        )
        if shaped is not None:
            shaped.put(response)
        put_drops(response.drops, slate.drops)
        # Of most there is nothing to say, and after a pause each function costs microseconds.
        if found.stale or found.degradations or slate.degradations:
            response.degradations.extend(self._degradations(found, slate))
        if wanted.categories or wanted.excluded_categories:
            response.unknown_categories.extend(unknown_categories(found.replica.catalogue, wanted))
        self._metrics.make_seconds.observe(time.perf_counter() - making)
        if self._traces is not None:
            caller = traceparent_of(context.invocation_metadata())
            self._traces.served(tenant, user_key, began, response.slate_id, caller)
        if logged and slate.items:
            decision = None if shaped is None else shaped.decision
            served = ServedSlate(tenant, request, response, slate.logged, int(now * 1e6), decision)
            self._slate_log.offer(served)
            self._metrics.exposed(decided.exposures)
        # What comes one after the other is one message.
        return response.SerializeToString() + slate.slots

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
        _check_surface(checks, request.surface)
        least = min(max(DEFAULT_COUNT, len(request.item_ids)), MAX_COUNT)
        count = checks.number("count", request.count, least, MAX_COUNT)
        _check_filter(checks, request)
        expression = self._expressions.filter(
            checks, "filter.expression", request.filter.expression
        )
        freshness = _freshness(checks, request)
        checks.done()
        user_key = user_key_of(request.subject)
        found = self._contexts.at_once(tenant, user_key, freshness)
        if found is None:
            found = await self._contexts.personal(
                tenant, user_key, freshness, seconds_to_wait(context)
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
            degradations=self._degradations(found, slate),
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
        _check_filter(checks, request)
        expression = self._expressions.filter(
            checks, "filter.expression", request.filter.expression
        )
        freshness = _freshness(checks, request)
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

    async def GetServingState(  # noqa: N802
        self, request: pb.GetServingStateRequest, context: grpc.aio.ServicerContext
    ) -> pb.GetServingStateResponse:
        """See ranker_service.proto."""
        return await self._serving_state.read()

    def _degradations(
        self, found: RequestContext, slate: EncodedSlate
    ) -> list[slate_pb2.Degradation]:
        degradations = [*found.degradations, *slate.degradations]
        self._metrics.answered(found.stale, degradations)
        return degradation_messages(degradations)


def _freshness(
    checks: Checks, request: pb.RecommendRequest | pb.RankRequest | pb.SimilarItemsRequest
) -> Freshness:
    # Nothing of a user is in an answer of SimilarItems.
    events = b"" if isinstance(request, pb.SimilarItemsRequest) else request.min_position
    learned = request.min_learned_position
    budget = request.wait_budget if request.HasField("wait_budget") else None
    if not events and not learned and budget is None and not request.strict:
        return WHATEVER
    return Freshness(
        checks.position("min_position", events),
        checks.position("min_learned_position", learned),
        checks.wait("wait_budget", budget),
        request.strict,
    )


def _check_surface(checks: Checks, surface: str) -> None:
    if surface and not SURFACE.fullmatch(surface):
        checks.fail("surface", "must be at most 64 of [a-z0-9_-]")


def _check_filter(
    checks: Checks, request: pb.RecommendRequest | pb.RankRequest | pb.SimilarItemsRequest
) -> None:
    if not request.HasField("filter"):
        return
    wanted = request.filter
    checks.size("filter.categories", len(wanted.categories), 0, MAX_CATEGORIES)
    checks.size("filter.excluded_categories", len(wanted.excluded_categories), 0, MAX_CATEGORIES)
