"""Slates of Recommend: of one request, or of many subjects of a batch."""

import time
from typing import NamedTuple

from google.protobuf.timestamp_pb2 import Timestamp

from harken.common.v1 import subject_pb2
from harken.ranker.v1 import ranker_service_pb2 as pb
from harken.ranker.v1 import slate_pb2
from services.common.reloadable import Reloadable
from services.common.validation import Checks, time_fault
from services.ranker.domain.compiled_slates import CompiledSlates
from services.ranker.domain.eligibility import unknown_categories
from services.ranker.domain.encoded_slate import EncodedSlate
from services.ranker.domain.outcome_blend import NO_OVERRIDES
from services.ranker.domain.seen_rule import SeenRules
from services.ranker.domain.slate import POLICY
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
from services.ranker.request_context import Freshness, RequestContext, RequestContexts
from services.ranker.slate_conversion import degradation_messages, filter_of, put_drops
from services.ranker.slate_id import SlateIds
from services.ranker.slate_log import ServedSlate, SlateLog
from services.ranker.surfaces.asked import Asked
from services.ranker.surfaces.expression_cache import ExpressionCache
from services.ranker.surfaces.surface_slates import SurfaceSlates


class AskedSlate(NamedTuple):
    """What a request asks for, beside tenant and subject, checked. as_of: None: now."""

    length: int
    as_of: Timestamp | None
    freshness: Freshness
    asked: Asked


class MadeSlate(NamedTuple):
    """A slate; `answer` is a RecommendResponse on the wire."""

    slate_id: str
    answer: bytes


class Recommender:
    """Makes the slates that are answered, and logs those that are shown."""

    def __init__(
        self,
        contexts: RequestContexts,
        metrics: RankerMetrics,
        slates: CompiledSlates | NumpySlates,
        slate_log: SlateLog,
        surface_weights: Reloadable[dict[str, dict[str, float]]],
        seen_rules: Reloadable[SeenRules],
        surfaces: SurfaceSlates,
        expressions: ExpressionCache,
    ) -> None:
        """See RankerServicer."""
        self._contexts = contexts
        self._metrics = metrics
        self._slates = slates
        self._slate_log = slate_log
        self._surface_weights = surface_weights
        self._seen_rules = seen_rules
        self._surfaces = surfaces
        self._expressions = expressions
        self._slate_ids = SlateIds()

    def checked(self, checks: Checks, request: pb.RecommendRequest) -> AskedSlate:
        """Return what a request asks for, whoever is the subject; faults are noted."""
        check_surface(checks, request.surface)
        count = checks.number("count", request.count, DEFAULT_COUNT, MAX_COUNT)
        check_filter(checks, request)
        checks.size("excluded_item_ids", len(request.excluded_item_ids), 0, MAX_EXCLUDED)
        as_of = request.as_of if request.HasField("as_of") else None
        if as_of is not None and (wrong_time := time_fault(as_of)):
            checks.fail("as_of", wrong_time)
        freshness = freshness_of(checks, request)
        return AskedSlate(
            count, as_of, freshness, Asked.checked(checks, request, self._expressions)
        )

    async def found(
        self,
        tenant: str,
        subject: subject_pb2.Subject,
        user_key: bytes,
        request: pb.RecommendRequest,
        freshness: Freshness,
        seconds: float | None,
    ) -> RequestContext:
        """Return what the slate of a user is made from; `seconds`: left for the call.

        Raises:
            As RequestContexts.personal.

        """
        if request.non_personal:
            return await self._contexts.of_nobody(tenant, freshness, seconds)
        held = self._contexts.at_once(tenant, user_key, freshness)
        return held or await self._contexts.personal(tenant, user_key, subject, freshness, seconds)

    def made(
        self,
        found: RequestContext,
        tenant: str,
        subject: subject_pb2.Subject,
        user_key: bytes,
        request: pb.RecommendRequest,
        wish: AskedSlate,
    ) -> MadeSlate:
        """Return the slate of a subject, whatever subject the request has, and log it where it is
        shown. It is one turn of the event loop: both positions are of its moment.
        """
        as_of = wish.as_of
        shown = as_of is None and not request.preview
        known_as = "" if found.non_personal else subject.user_id
        decided = self._surfaces.decided(found.replica, request, known_as)
        # What others need to know of is logged whatever share of slates is.
        needed = bool(decided.exposures) or decided.remembers
        logged = shown and not found.non_personal and (needed or self._slate_log.wanted())
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
                wish.length,
                wanted,
                now,
                self._surface_weights.value.get(request.surface, NO_OVERRIDES),
                logged,
            )
        else:
            shaped, wanted = self._surfaces.answer(
                found, request, decided, wish.asked, user_key, wish.length, now, logged
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
            non_personal=found.non_personal,
            experiments=decided.exposures,
        )
        if shaped is not None:
            shaped.put(response)
            if shown and shaped.remembers:
                found.replica.shown.add(
                    user_key, request.surface, response.slate_id, shaped.items, shaped.remembers
                )
        put_drops(response.drops, slate.drops)
        # Of most there is nothing to say, and after a pause each function costs microseconds.
        if found.stale or found.degradations or slate.degradations:
            response.degradations.extend(self.degradations(found, slate))
        if wanted.categories or wanted.excluded_categories:
            response.unknown_categories.extend(unknown_categories(found.replica.catalogue, wanted))
        self._metrics.make_seconds.observe(time.perf_counter() - making)
        if logged and slate.items:
            decision, remembers = None, 0
            if shaped is not None:
                decision, remembers = shaped.decision, shaped.remembers
            served = ServedSlate(
                tenant, subject, request.surface, response, slate.logged, int(now * 1e6), decision,
                remembers,
            )  # fmt: skip
            self._slate_log.offer(served)
            self._metrics.exposed(decided.exposures)
        # What comes one after the other is one message.
        return MadeSlate(response.slate_id, response.SerializeToString() + slate.slots)

    def degradations(
        self, found: RequestContext, slate: EncodedSlate
    ) -> list[slate_pb2.Degradation]:
        """Return what an answer lacks; it is counted."""
        degradations = [*found.degradations, *slate.degradations]
        self._metrics.answered(found.stale, degradations)
        return degradation_messages(degradations)
