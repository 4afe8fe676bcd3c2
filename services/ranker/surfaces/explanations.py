"""Why each slot of a slate stands where it does."""

from typing import NamedTuple

import numpy as np

from harken.ranker.v1 import slate_pb2
from services.common.arrays import Float32s, Float64s, Ordinals
from services.common.ranking.scorer import scores_or_nan
from services.common.ranking.sources.rules import RuleSource
from services.ranker.domain.generation import Generation
from services.ranker.domain.surface.drafts import Draft
from services.ranker.domain.surface.shaping import Shaped
from services.ranker.domain.tenant_replica import TenantReplica
from services.ranker.domain.user_state import UserState

_MOST_CONTRIBUTIONS = 20
_MOST_OCCLUDED = 100
"""Slots of a scorer that is no linear one: each is scored once for each of its features."""
_LATEST = 20
"""Recent items without which a user's vector is made."""
_TOLERANCE = 1e-6


def explanations(
    replica: TenantReplica, generation: Generation, user: UserState, shaped: Shaped
) -> list[slate_pb2.Explanation]:
    """Return an explanation of each slot."""
    draft, places = shaped.draft, shaped.places
    by_score = (-shaped.scores).argsort(kind="stable")
    alone = np.empty(draft.ordinals.size, np.int64)
    alone[by_score] = np.arange(1, draft.ordinals.size + 1)
    important = _most_important(replica, generation, user, draft.ordinals[places])
    parts = _parts(generation, draft, places)
    found = []
    for slot, place in enumerate(places.tolist()):
        one = slate_pb2.Explanation(
            place_without_rules=int(alone[place]),
            item_id_without_rules=replica.catalogue.item_id(int(draft.ordinals[by_score[slot]])),
            most_important_item_id=important[slot],
        )
        if parts is not None and slot < len(parts.columns):
            _put_parts(one, generation, draft.features[place], parts, slot)
        found.append(one)
    return found


class _Parts(NamedTuple):
    """Of slots: what each column adds [k, columns], and log odds [k]."""

    columns: Float64s
    log_odds: Float64s


def _put_parts(
    one: slate_pb2.Explanation,
    generation: Generation,
    features: Float32s,
    parts: _Parts,
    slot: int,
) -> None:
    own = parts.columns[slot]
    largest = np.abs(own).argsort(kind="stable")[::-1][:_MOST_CONTRIBUTIONS]
    for column in largest.tolist():
        if own[column]:
            one.contributions.add(
                feature=generation.scorer.features[column],
                value=float(features[column]),
                contribution=float(own[column]),
            )
    one.rest = float(parts.log_odds[slot]) - sum(part.contribution for part in one.contributions)


def _parts(generation: Generation, draft: Draft, places: Ordinals) -> _Parts | None:
    """Return what columns add to the log odds of the first wanted outcome; None: none is wanted."""
    if not (draft.weights > 0).any():
        return None
    first = int((draft.weights > 0).argmax())
    linear = _linear(generation, draft, first)
    if linear is None:
        return _occluded(generation, draft, places[:_MOST_OCCLUDED], first)
    weights, offset = linear
    columns = draft.features[places].astype(np.float64) * weights
    return _Parts(columns, offset + columns.sum(axis=1))


def _linear(generation: Generation, draft: Draft, first: int) -> tuple[Float64s, float] | None:
    """Return weights [columns] and offset of the log odds of an outcome, where they are linear."""
    affine = generation.scorer.affine
    if affine is None:
        return None
    weights, offset = affine.weights[first].astype(np.float64), float(affine.offsets[first])
    if draft.head is not None:
        gain, own, level = draft.head[first, 0], draft.head[first, 1:-2], draft.head[first, -2]
        weights, offset = gain * weights + own, float(gain * offset + level)
    return weights, offset


def _occluded(generation: Generation, draft: Draft, places: Ordinals, first: int) -> _Parts | None:
    """Return by how much log odds fall where one column alone is 0."""
    whole = draft.features[places]
    slots, columns = whole.nonzero()
    without = whole[slots]
    without[np.arange(slots.size), columns] = 0.0
    log_odds = _log_odds(generation, draft, np.concatenate([whole, without]), first)
    if np.isnan(log_odds).any():
        return None
    parts = np.zeros(whole.shape)
    parts[slots, columns] = log_odds[slots] - log_odds[len(whole) :]
    return _Parts(parts, log_odds[: len(whole)])


def _log_odds(generation: Generation, draft: Draft, features: Float32s, first: int) -> Float64s:
    raw = scores_or_nan(generation.scorer, features)[:, first].astype(np.float64)
    if draft.head is None:
        return raw
    gain, own, level = draft.head[first, 0], draft.head[first, 1:-2], draft.head[first, -2]
    found: Float64s = gain * raw + features.astype(np.float64) @ own + level
    return found


def _most_important(
    replica: TenantReplica, generation: Generation, user: UserState, items: Ordinals
) -> list[str]:
    """Return the recent item that matters most for each item; "" where none does.

    It is the one that says most by the rules; where these say nothing, the one without which the
    dot product of user and item would be least.
    """
    positive = user.positive
    rules = RuleSource(replica.rules, replica.popularity, positive["item"], positive["time"])
    found = rules.because(items, replica.catalogue.listed())
    unsaid = (found < 0).nonzero()[0]
    if unsaid.size:
        found[unsaid] = _by_vector(replica, generation, user, items[unsaid])
    return [replica.catalogue.item_id(one) if one >= 0 else "" for one in found.tolist()]


def _by_vector(
    replica: TenantReplica, generation: Generation, user: UserState, items: Ordinals
) -> Ordinals:
    """Return the recent item without which the vector says least for each item; -1: none does."""
    space, listed = replica.spaces[generation.generation_id], replica.catalogue.listed()
    best, least = np.full(items.size, -1), np.full(items.size, _TOLERANCE)
    vector = space.user_vector(user, listed)
    if vector is None or user.put is not None:
        return best
    scores = space.index.dots(vector, items)
    for recent in user.history["item"][:_LATEST].tolist():
        if not listed[recent]:
            continue
        left = UserState(user.sequence, user.recent[user.recent["item"] != recent])
        without = space.user_vector(left, listed)
        others = space.index.dots(np.zeros_like(vector) if without is None else without, items)
        falls = scores - others
        more = falls > least
        best[more], least[more] = recent, falls[more]
    return best
