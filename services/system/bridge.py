"""What the learner changed, as the ranker takes it: both are columns, so no wire is needed.

It says what services/feedback/learner/frame_conversion.py and services/ranker/frame_columns.py say
together. Categories of items are left out: nothing here filters by them.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from services.feed.entries import EventColumns, TenantEntries
from services.feedback.learner.model.changes import Changes, SpaceChanges
from services.feedback.learner.model.entries import Event, LogEntry
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
        factors=tuple(
            ranker.FactorChange(space.generation_id, space.factor)
            for space in changes.spaces
            if space.factor is not None
        ),
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


def tenant_entries(entries: Sequence[LogEntry]) -> TenantEntries | None:
    """Return the events of a stretch of one tenant's log, as feedback sends them to rankers; None:
    there are none.
    """
    events = [(entry, entry.kind) for entry in entries if isinstance(entry.kind, Event)]
    if not events:
        return None
    users: dict[bytes, int] = {}
    items: dict[str, int] = {}
    types: dict[str, int] = {}
    columns = EventColumns(
        np.array([users.setdefault(event.user_key, len(users)) for _, event in events]),
        np.array([items.setdefault(event.item_id, len(items)) for _, event in events]),
        np.array([types.setdefault(event.type, len(types)) for _, event in events]),
        np.array([event.value for _, event in events], np.float64),
        np.array([event.time_us for _, event in events], np.int64),
        np.array([entry.sequence for entry, _ in events], np.int64),
        np.array([event.weight for _, event in events], np.float32),
        np.array([entry.accepted_at_us for entry, _ in events], np.int64),
    )
    return TenantEntries(entries[0].tenant, list(items), list(users), list(types), events=columns)
