"""What the learner changed, as the ranker takes it: both are columns, so no wire is needed.

It says what services/feedback/learner/frame_conversion.py and services/ranker/frame_columns.py say
together. Categories of items are left out: nothing here filters by them.
"""

from collections.abc import Mapping

from services.feedback.learner.model.changes import Changes, SpaceChanges
from services.ranker.domain import changes as ranker
from services.ranker.domain.generation import Generation
from services.ranker.domain.scorer_head import ScorerHead


def tenant_changes(changes: Changes, generations: Mapping[str, Generation]) -> ranker.TenantChanges:
    """Return one step's changes; `generations`: the ranker's side of those that are named."""
    activated, staged = changes.activated, changes.staged
    parts = [part for part in map(_vectors, changes.spaces) if part is not None]
    return ranker.TenantChanges(
        item_ids=tuple(changes.item_ids),
        activated=None if activated is None else generations[activated.generation_id],
        staged=None if staged is None else generations[staged.generation.generation_id],
        retired=tuple(changes.retired),
        catalogue=ranker.CatalogueChanges(
            tuple(ranker.ItemFacts(item_id) for item_id, _ in changes.upserted),
            tuple(changes.deleted),
        ),
        vectors=next((part for part in parts if part.generation_id == changes.active), None),
        other_vectors=tuple(part for part in parts if part.generation_id != changes.active),
        rollback=_rollback(changes),
        rules=_rules(changes),
        popularity=_popularity(changes),
        places=_places(changes),
        users=_users(changes),
        head=_head(changes),
    )


def _vectors(space: SpaceChanges) -> ranker.VectorChanges | None:
    part = space.vectors
    if part is None:
        return None
    return ranker.VectorChanges(space.generation_id, part.items, part.vectors, part.biases)


def _rollback(changes: Changes) -> ranker.VectorRollback | None:
    part = changes.rollback
    return None if part is None else ranker.VectorRollback(part.generation_id, part.count)


def _head(changes: Changes) -> ScorerHead | None:
    part = None if changes.slates is None else changes.slates.head
    return None if part is None else ScorerHead(part.generation_id, part.parameters)


def _rules(changes: Changes) -> ranker.RuleChanges | None:
    part = changes.rules
    if part is None:
        return None
    return ranker.RuleChanges(part.sources, part.slots, part.targets, part.weights)


def _popularity(changes: Changes) -> ranker.PopularityChanges | None:
    part = changes.popularity
    if part is None:
        return None
    return ranker.PopularityChanges(part.items, part.levels, part.counts)


def _places(changes: Changes) -> ranker.PlaceChanges | None:
    part = changes.places
    return None if part is None else ranker.PlaceChanges(part.items, part.places, part.levels)


def _users(changes: Changes) -> ranker.UserChanges | None:
    part = changes.users
    if part is None:
        return None
    events = part.events
    return ranker.UserChanges(
        user_keys=tuple(part.user_keys),
        types=tuple(part.types),
        event_users=events.users,
        event_items=events.items,
        event_types=events.types,
        event_weights=events.weights,
        event_times_us=events.times_us,
        generation_id=changes.active,
        vector_users=part.vector_users,
        vectors=part.vectors,
    )
