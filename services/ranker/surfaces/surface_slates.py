"""Slates that a surface, or a request of more than the plain kind, shapes: with what is answered
and logged of them.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from random import Random
from typing import NamedTuple
from weakref import WeakKeyDictionary

import numpy as np

from harken.ranker.v1 import ranker_service_pb2 as pb
from harken.ranker.v1 import slate_pb2
from services.common.arrays import NO_ORDINALS, Float64s, Ordinals
from services.common.expressions.request import Request
from services.common.logs import logger
from services.common.reloadable import Reloadable
from services.common.seldom import Seldom
from services.ranker.domain.compiled_slates import SLOTS_OF_RECOMMEND
from services.ranker.domain.degradation import Degradation
from services.ranker.domain.eligibility import ItemFilter
from services.ranker.domain.encoded_slate import EncodedSlate
from services.ranker.domain.generation import Generation
from services.ranker.domain.outcome_blend import NO_OVERRIDES
from services.ranker.domain.seen_rule import SeenRule, SeenRules
from services.ranker.domain.selection.plan import NO_EXPLORATION, Exploration
from services.ranker.domain.selection.policies import EpsilonMixture, PlackettLuce, Thompson
from services.ranker.domain.selection.selection import Applied
from services.ranker.domain.surface.configured import NOT_CONFIGURED, Surface
from services.ranker.domain.surface.drafts import Drafts, OtherSources
from services.ranker.domain.surface.shaping import NO_PRIORS, Wish, shaped_slate
from services.ranker.domain.surface.sources.kept import Finds
from services.ranker.domain.tenant_replica import TenantReplica
from services.ranker.domain.user_state import UserState
from services.ranker.experiments.decided import Decided, Decisions
from services.ranker.request_context import RequestContext
from services.ranker.slate_conversion import filter_of
from services.ranker.slate_log import Decision
from services.ranker.surfaces.asked import Asked, user_for
from services.ranker.surfaces.decisions import decision_of
from services.ranker.surfaces.explanations import explanations
from services.ranker.surfaces.page import Page, encode_page
from services.ranker.surfaces.surface_reader import SurfaceReader

_log = logger("surfaces")


class ShapedAnswer(NamedTuple):
    """A slate on the wire, and what its answer and its log say beside.

    items: ordinals of the slots. decision: None where the surface had no part. faults: what sources
    failed by. remembers: by how many of the user's last slates the surface goes. unexplored: chance
    would have had a part, but the user denies it.
    """

    revision: int
    slate: EncodedSlate
    items: Ordinals
    lost: list[slate_pb2.LostRule]
    failed: tuple[str, ...]
    policy: str
    seed: int
    next_page: str
    decision: Decision | None
    faults: Sequence[tuple[str, Exception]] = ()
    remembers: int = 0
    unexplored: bool = False

    def put(self, response: pb.RecommendResponse) -> None:
        """Write into an answer what is there beside slots and drops."""
        response.policy = self.policy
        response.surface_revision = self.revision
        response.lost_rules.extend(self.lost)
        response.failed_sources.extend(self.failed)
        response.seed = self.seed
        response.next_page_token = self.next_page
        response.unexplored = self.unexplored


class SurfaceSlates:
    """Knows what surfaces are configured to, and what users were shown on them."""

    def __init__(
        self,
        drafts: Drafts,
        weights: Reloadable[dict[str, dict[str, float]]],
        seen_rules: Reloadable[SeenRules],
    ) -> None:
        """`weights`, `seen_rules`: of the process, where a surface does not say."""
        self._drafts = drafts
        self._weights = weights
        self._seen_rules = seen_rules
        self._reader = SurfaceReader()
        self._decisions = Decisions(self._reader)
        self._chance = Random()
        self._seldom = Seldom()
        self._finds: WeakKeyDictionary[TenantReplica, Finds] = WeakKeyDictionary()
        self._merged: tuple[object, object, Surface] | None = None

    def decided(
        self, replica: TenantReplica, request: pb.RecommendRequest, user_id: str
    ) -> Decided:
        """Return which configuration makes the slate of a request for a user, by which experiments.

        user_id: empty: it is a session, or nothing of the user may be used.
        """
        return self._decisions.of(replica, request, user_id)

    def is_plain(self, decided: Decided, request: pb.RecommendRequest) -> bool:
        """Return whether nothing but the slate that every surface has is asked for."""
        return decided.surface is None and not (
            request.candidates or request.page_token or request.explain or request.own_items_of
            or request.filter.expression or request.HasField("context")
        )  # fmt: skip

    def answer(
        self,
        found: RequestContext,
        request: pb.RecommendRequest,
        decided: Decided,
        asked: Asked,
        user_key: bytes,
        count: int,
        now: float,
        logged: bool,
    ) -> tuple[ShapedAnswer, ItemFilter]:
        """Return the slate of a request, and what it left out."""
        replica = found.replica
        surface = self._over_process(decided.surface, request.surface)
        user = user_for(replica, found.user, request.context, now)
        last: Sequence[Ordinals] = ()
        remembers = 0 if found.non_personal else surface.remembers
        unexplored = not found.explores and surface.exploration != NO_EXPLORATION
        if unexplored:
            surface = replace(surface, exploration=NO_EXPLORATION)
        if remembers:
            last = replica.shown.of(user_key, request.surface, remembers)
        before = asked.page.item_ids if asked.page is not None else ()
        query = request.context.query_item_id
        left_out = [replica.catalogue.find_all(list(before)), *last[: surface.not_in_last_slates]]
        excluded = (*request.excluded_item_ids, query) if query else request.excluded_item_ids
        rule = surface.seen or self._seen_rules.value.of(request.surface)
        wanted = filter_of(request, rule, excluded)._replace(
            gates=surface.gates,
            owner=request.own_items_of,
            expression=asked.expression,
            shown=np.concatenate(left_out),
            request=Request(found.user.attributes, dict(request.context.values), round(now * 1e6)),
        )
        made = shaped_answer(
            self._drafts, replica, found.generation, user, surface, wanted, request, count, now,
            self._seed(request, asked.page), before, last, self._finds.setdefault(replica, Finds()),
            logged,
        )  # fmt: skip
        self._say(made.faults)
        return made._replace(remembers=remembers, unexplored=unexplored), wanted

    def order(
        self, found: RequestContext, name: str, wanted: ItemFilter, now: float
    ) -> tuple[ItemFilter, Mapping[str, float]]:
        """Return a filter with what a surface never shows, and the weights of outcomes there: what
        decides about scores, whatever rules make of them.
        """
        surface = self.surface(found.replica, name)
        request = Request(found.user.attributes, {}, round(now * 1e6))
        return wanted._replace(gates=surface.gates, request=request), surface.outcome_weights

    def seen_rule(self, replica: TenantReplica, name: str) -> SeenRule:
        """Return what counts as seen on a surface."""
        return self.surface(replica, name).seen or self._seen_rules.value.of(name)

    def surface(self, replica: TenantReplica, name: str) -> Surface:
        """Return what is configured, whatever experiments say."""
        return self._over_process(self._reader.of(replica, name), name)

    def _over_process(self, surface: Surface | None, name: str) -> Surface:
        """Return a configuration over the weights that the process has for a surface."""
        surface = surface or NOT_CONFIGURED
        own = self._weights.value.get(name, NO_OVERRIDES)
        if not own:
            return surface
        # The same object as long as both stay: what slates are weighed by is found by it.
        held = self._merged
        if held is None or held[0] is not surface or held[1] is not own:
            merged = replace(surface, outcome_weights={**own, **surface.outcome_weights})
            held = self._merged = surface, own, merged
        return held[2]

    def _say(self, faults: Sequence[tuple[str, Exception]]) -> None:
        for name, error in faults:
            # A source that fails does so in each slate.
            left_out = self._seldom.due()
            if left_out is not None:
                _log.error(
                    "a source failed, and slates are made without it",
                    kind=type(error).__name__, error=str(error), detail=name, left_out=left_out,
                )  # fmt: skip

    def _seed(self, request: pb.RecommendRequest, page: Page | None) -> int:
        if page is not None:
            return page.seed
        return request.seed if request.HasField("seed") else self._chance.getrandbits(64)


def shaped_answer(
    drafts: Drafts,
    replica: TenantReplica,
    generation: Generation,
    user: UserState,
    surface: Surface,
    wanted: ItemFilter,
    request: pb.RecommendRequest,
    count: int,
    now: float,
    seed: int,
    before: tuple[str, ...],
    last_slates: Sequence[Ordinals],
    finds: Finds,
    logged: bool,
) -> ShapedAnswer:
    """Return the slate of a request, made as `surface` says. before: items of the pages before."""
    given, priors = _given(replica, request)
    wish = Wish(count, wanted, now, seed, given, priors, last_slates)
    shaped = shaped_slate(
        drafts, replica, generation, user, surface, wish, finds, time.perf_counter
    )
    draft, selection = shaped.draft, shaped.selection
    explained = explanations(replica, generation, user, shaped) if request.explain else None
    slate = draft.finished(
        shaped.places.size, SLOTS_OF_RECOMMEND, logged, shaped.places, selection.propensities,
        OtherSources(list(shaped.proposed.items()), shaped.resembled),
        _beside(selection.applied, explained),
    )._replace(drops=shaped.drops)  # fmt: skip
    if shaped.failed:
        slate = slate._replace(degradations=(*slate.degradations, Degradation.SOURCE_FAILED))
    items = draft.ordinals[shaped.places]
    exploration = surface.exploration
    if any(lost.rule == "exploration" for lost in selection.lost):
        exploration = NO_EXPLORATION
    explores = exploration.policy.by_chance or exploration.new_share > 0
    decides = explores or surface.rules or surface.sources or surface.diversity is not None
    item_ids = tuple(map(replica.catalogue.item_id, items.tolist()))
    more = items.size == count
    return ShapedAnswer(
        surface.revision,
        slate,
        items,
        [slate_pb2.LostRule(rule=lost.rule, why=lost.why) for lost in selection.lost],
        tuple(shaped.failed),
        _policy_name(exploration),
        seed if explores else 0,
        encode_page(Page(seed, (*before, *item_ids))) if more else "",
        decision_of(replica, surface, exploration, shaped) if logged and decides else None,
        [(name, error) for name, error in shaped.failed.items() if error is not None],
    )


def _given(replica: TenantReplica, request: pb.RecommendRequest) -> tuple[Ordinals, Float64s]:
    if not request.candidates:
        return NO_ORDINALS, NO_PRIORS
    known = [
        (ordinal, candidate.prior)
        for candidate in request.candidates
        if (ordinal := replica.catalogue.find(candidate.item_id)) is not None
    ]
    ordinals = np.array([ordinal for ordinal, _ in known], np.int64)
    return ordinals, np.array([prior for _, prior in known], np.float64)


def _beside(
    applied: Sequence[Sequence[Applied]], explained: Sequence[slate_pb2.Explanation] | None
) -> list[bytes] | None:
    """Return fields of slots beside those that the draft writes; None: there are none."""
    if explained is None and not any(applied):
        return None
    found = []
    for slot, effects in enumerate(applied):
        rules = [slate_pb2.AppliedRule(rule=rule, effect=effect) for rule, effect in effects]
        why = None if explained is None else explained[slot]
        if rules or why is not None:
            more = slate_pb2.Slot(applied_rules=rules, explanation=why)
            found.append(more.SerializeToString())
        else:
            found.append(b"")
    return found


def _policy_name(exploration: Exploration) -> str:
    """Return name and version of a policy."""
    match exploration.policy:
        case EpsilonMixture():
            name = "epsilon-1"
        case PlackettLuce():
            name = "plackett-luce-1"
        case Thompson():
            name = "thompson-1"
        case _:
            name = "greedy-1"
    return f"{name}+new-1" if exploration.new_share > 0 else name
