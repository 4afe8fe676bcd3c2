"""Slates, and what became of them: the head learns, items that were passed over move."""

from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType

import numpy as np

from services.feed.parameters import VectorRows
from services.feedback.learner.model.attribution_joiner import JoinerItem
from services.feedback.learner.model.changes import Changes, SpaceChanges
from services.feedback.learner.model.entries import Event, LogEntry
from services.feedback.learner.model.impression import Impression, SlateEvent, Visit
from services.feedback.learner.model.item_dictionary import ItemDictionary
from services.feedback.learner.model.pending_slate import PendingSlate
from services.feedback.learner.model.returns import Returns
from services.feedback.learner.model.shown_step import passed_pairs, shown_step
from services.feedback.learner.model.tenant_state import TenantState

NO_SLATES: Mapping[int, bytes] = MappingProxyType({})


def joiner_items(
    entries: Sequence[LogEntry],
    returns: Returns,
    own: Collection[int] = (),
    of_slates: Mapping[int, bytes] = NO_SLATES,
) -> list[JoinerItem]:
    """Return the slates, the events that name one, and those of users that slates wait for, in log
    order. own: log sequences of what is not learned from. of_slates: by the sequence of an event,
    whom its slate was shown to, where that is the same person as the event's.
    """
    items = []
    shown_to: set[bytes] = set()
    for entry in entries:
        kind = entry.kind
        if entry.sequence in own:
            continue
        if isinstance(kind, Impression):
            shown_to.add(kind.user_key)
            items.append(JoinerItem(entry.accepted_at_us, kind))
        elif isinstance(kind, Event):
            user = kind.user_key
            if kind.slate_id:
                event = SlateEvent(
                    kind.slate_id,
                    of_slates.get(entry.sequence, user),
                    kind.item_id,
                    kind.type,
                    kind.value,
                    kind.weight,
                )
                items.append(JoinerItem(entry.accepted_at_us, event))
            if returns.expected and (returns.awaits(user) or user in shown_to):
                time_us = min(kind.time_us, entry.accepted_at_us)
                visit = Visit(user, kind.type, kind.value, time_us)
                items.append(JoinerItem(entry.accepted_at_us, visit))
    return items


def slate_step(state: TenantState, entries: Sequence[LogEntry], now_us: int) -> Changes | None:
    """Learn from slates up to `now_us`, the time of the log; return what changed, if anything.

    It comes after the step of the events, and sees the items as that left them.
    """
    now = max((entry.sequence for entry in entries), default=0)
    silent = _on_own_items(state, entries) | _denied(state, entries)
    returns = state.slates.joiner.returns
    items = joiner_items(entries, returns, silent, _of_slates(state, entries))
    if not items and not state.slates.due(now_us):
        return None
    learned, joined = state.slates.learn(
        items, now_us, state.scorer, lambda pending: _may_teach(state, pending.slate, now)
    )
    changes = _passed_over(state, joined.settled)
    changes.slates = learned
    return changes


def _of_slates(state: TenantState, entries: Sequence[LogEntry]) -> Mapping[int, bytes]:
    """Return by the sequence of an event whom its slate was shown to, where that is another key of
    the same person: somebody logged in meanwhile.
    """
    links = state.links
    if not links.any_known:
        return NO_SLATES
    shown: dict[str, bytes] = {}
    found = {}
    for entry in entries:
        kind = entry.kind
        if isinstance(kind, Impression):
            shown[kind.slate_id] = kind.user_key
        elif isinstance(kind, Event) and kind.slate_id:
            owner = shown.get(kind.slate_id) or state.slates.joiner.shown_to(kind.slate_id)
            if owner is not None and (
                links.root(owner, entry.sequence) == links.root(kind.user_key, entry.sequence)
            ):
                found[entry.sequence] = owner
    return found


def _denied(state: TenantState, entries: Sequence[LogEntry]) -> set[int]:
    """Return the log sequences of slates and events of users from whom others may not learn."""
    found = [one for one in entries if isinstance(one.kind, Event | Impression)]
    denied = state.consents.denied(
        [one.kind.user_key for one in found if isinstance(one.kind, Event | Impression)],
        [one.sequence for one in found],
        state.links,
    )
    return {found[index].sequence for index in denied.nonzero()[0].tolist()}


def _may_teach(state: TenantState, slate: Impression, now: int) -> bool:
    """Return whether others could learn from a slate's user ever since it was shown: what became of
    it is not known otherwise.
    """
    return state.consents.ever_since(slate.user_key, slate.sequence, now, state.links)


def _on_own_items(state: TenantState, entries: Sequence[LogEntry]) -> set[int]:
    """Return the log sequences of events on items of the users' own."""
    if not state.owners.any_known:
        return set()
    events = [(one.sequence, one.kind) for one in entries if isinstance(one.kind, Event)]
    items = state.items.ordinals(event.item_id for _, event in events)
    own = state.owners.own([event.user_key for _, event in events], items)
    return {events[index][0] for index in own.nonzero()[0].tolist()}


def _passed_over(state: TenantState, settled: Sequence[PendingSlate]) -> Changes:
    user_keys, owners, item_ids = passed_pairs(settled)
    ordinals = state.items.ordinals(item_ids)
    known = (ordinals >= 0) & state.items.exists[ordinals]
    owners, ordinals = owners[known], ordinals[known]
    if not ordinals.size:
        return Changes(state.tenant, active=state.active)
    histories = state.users.histories(state.users.rows(user_keys))
    moved = []
    for space in state.built_spaces():
        # Vectors that are on their way back to the reference rest meanwhile.
        if space.status.rolling_back_since:
            continue
        rows, vectors = shown_step(
            space.live.encode(histories, state.items.exists),
            owners,
            ordinals,
            space.vectors,
            space.bases,
            state.config.shown,
            space.bounded(state.config.item_step),
        )
        free = ~space.pinned[rows]
        if free.any():
            moved.append((space, rows[free], vectors[free]))
    dictionary = ItemDictionary(state.items, [rows for _, rows, _ in moved])
    changes = Changes(state.tenant, dictionary.item_ids, active=state.active)
    for space, rows, vectors in moved:
        space.learn(rows, vectors)
        own = VectorRows(
            dictionary.indices(rows),
            vectors,
            space.biases[rows],
            space.pinned[rows],
            learned=True,
            unit=space.unit(state.config.item_step),
        )
        changes.spaces.append(SpaceChanges(space.generation_id, vectors=own))
    return changes


def head_is_finite(changes: Changes) -> bool:
    """Return whether the head, if it changed, is finite."""
    head = None if changes.slates is None else changes.slates.head
    return head is None or bool(
        np.isfinite(head.parameters).all() and np.isfinite(head.slopes).all()
    )
