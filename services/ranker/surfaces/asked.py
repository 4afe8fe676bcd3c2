"""What a request asks of a slate beside user and surface, checked."""

import math
from typing import NamedTuple

import numpy as np

from harken.ranker.v1 import ranker_service_pb2 as pb
from services.common.expressions.expression import Expression
from services.common.ranking.recent import RECENT
from services.common.validation import MAX_ID_BYTES, Checks, id_fault
from services.ranker.domain.tenant_replica import TenantReplica
from services.ranker.domain.user_state import UserState
from services.ranker.surfaces.expression_cache import ExpressionCache
from services.ranker.surfaces.page import Page, decode_page

_MAX_VALUES = 50
_MAX_KEY_BYTES = 64
_MAX_VALUE_BYTES = 256
_MAX_ONBOARDING = 50
_MAX_CANDIDATES = 1000
_MAX_PRIOR = 20.0


class Asked(NamedTuple):
    """expression: of the filter. page: those before, if any."""

    expression: Expression | None
    page: Page | None

    @classmethod
    def checked(
        cls, checks: Checks, request: pb.RecommendRequest, expressions: ExpressionCache
    ) -> "Asked":
        """Return it; faults are noted."""
        asked = cls.of_anybody(checks, request, expressions)
        if request.own_items_of and (fault := id_fault(request.own_items_of)):
            checks.fail("own_items_of", fault)
        if request.candidates:
            _check_candidates(checks, request)
        return asked

    @classmethod
    def of_anybody(
        cls,
        checks: Checks,
        request: pb.RecommendRequest | pb.ListTrendingRequest | pb.ListLatestRequest,
        expressions: ExpressionCache,
    ) -> "Asked":
        """Return what may be asked of lists, too; faults are noted."""
        expression = expressions.filter(checks, "filter.expression", request.filter.expression)
        if request.HasField("context"):
            _check_context(checks, request.context)
        page = decode_page(checks, request.page_token) if request.page_token else None
        return cls(expression, page)


def _check_context(checks: Checks, context: pb.Context) -> None:
    if checks.size("context.values", len(context.values), 0, _MAX_VALUES):
        for key, value in sorted(context.values.items()):
            checks.id(f"context.values[{key!r}]", key, _MAX_KEY_BYTES)
            if len(value.encode()) > _MAX_VALUE_BYTES:
                what = f"is longer than {_MAX_VALUE_BYTES} bytes"
                checks.fail(f"context.values[{key!r}]", what)
    onboarding = context.onboarding_item_ids
    if checks.size("context.onboarding_item_ids", len(onboarding), 0, _MAX_ONBOARDING):
        for index, item_id in enumerate(onboarding):
            checks.id(f"context.onboarding_item_ids[{index}]", item_id)
    if context.query_item_id:
        checks.id("context.query_item_id", context.query_item_id)


def _check_candidates(checks: Checks, request: pb.RecommendRequest) -> None:
    if not checks.size("candidates", len(request.candidates), 0, _MAX_CANDIDATES):
        return
    named: set[str] = set()
    for index, candidate in enumerate(request.candidates):
        field = f"candidates[{index}]"
        checks.id(f"{field}.item_id", candidate.item_id, MAX_ID_BYTES)
        if candidate.item_id in named:
            checks.fail(f"{field}.item_id", "is there already")
        named.add(candidate.item_id)
        prior = candidate.prior
        if not (math.isfinite(prior) and abs(prior) <= _MAX_PRIOR):
            checks.fail(f"{field}.prior", f"must be -{_MAX_PRIOR:g} to {_MAX_PRIOR:g}, is {prior}")


def user_for(replica: TenantReplica, user: UserState, context: pb.Context, now: float) -> UserState:
    """Return the user as the context has it: with the item that is looked at as the latest, and
    where there is no history with what was chosen at the beginning.
    """
    added = []
    if not user.recent.size:
        added += list(context.onboarding_item_ids)
    if context.query_item_id:
        added.append(context.query_item_id)
    ordinals = replica.catalogue.find_all(added)
    if not ordinals.size:
        return user
    events = np.empty(ordinals.size, RECENT)
    # Clocks differ: an event may be later than now, and is not the latest all the same.
    latest = max(now, user.recent["time"][-1]) if user.recent.size else now
    events["item"], events["weight"], events["time"] = ordinals, 1.0, latest
    return UserState(
        user.sequence,
        np.concatenate([user.recent, events]),
        user.seen.entries(),
        # A vector that was set stays only where it is pinned, as after an event.
        user.put if user.put is not None and user.put.pinned else None,
        user.unknown,
        user.attributes,
    )
