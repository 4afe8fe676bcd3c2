"""What entries of the log do to users: the learner's own table, by steps and by folds alike.

Frames say nothing of users. So who folds frames is given the log beside them.
"""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from services.common.runs import distinct
from services.feed.parameters import Floats, Ints, UserVectors
from services.feedback.learner.model.changes import Changes
from services.feedback.learner.model.entries import (
    EmbeddingPut,
    Event,
    EventRetracted,
    LearningConsent,
    LogEntry,
    UserErased,
    UserLinked,
)
from services.feedback.learner.model.learning_consents import LearningDecision
from services.feedback.learner.model.tenant_state import Recorded, TenantState
from services.feedback.learner.model.user_links import LinkChange
from services.feedback.learner.model.user_table import NO_ITEM, Histories


@dataclass(frozen=True, slots=True)
class EventRows:
    """Events of a step: user rows, item ordinals (NO_ITEM when gone, the user's own, or not to be
    learned from), and the rest.
    """

    events: list[Event]
    sequences: Ints
    users: Ints
    items: Ints
    weights: Floats
    times_us: Ints


def record_events(state: TenantState, entries: Sequence[LogEntry]) -> tuple[EventRows, Recorded]:
    """Add events to their users; return them, and what became of each."""
    # Who is whose is another thing after each link.
    parts: list[tuple[EventRows, Recorded]] = []
    run: list[LogEntry] = []
    for entry in entries:
        if isinstance(entry.kind, UserLinked):
            if run:
                parts.append(_record_run(state, run))
                run = []
            _link(state, entry, entry.kind)
        else:
            run.append(entry)
    if run or not parts:
        parts.append(_record_run(state, run))
    return parts[0] if len(parts) == 1 else _joined(parts)


def _record_run(state: TenantState, entries: Sequence[LogEntry]) -> tuple[EventRows, Recorded]:
    rows = _event_rows(state, entries)
    recorded = state.record(rows.users, rows.items, rows.weights, rows.times_us, rows.sequences)
    state.touch(distinct(rows.users), entries[0].accepted_at_us)
    return rows, recorded


def _joined(parts: Sequence[tuple[EventRows, Recorded]]) -> tuple[EventRows, Recorded]:
    rows, recorded = zip(*parts, strict=True)
    columns = EventRows(
        [event for part in rows for event in part.events],
        np.concatenate([part.sequences for part in rows]),
        np.concatenate([part.users for part in rows]),
        np.concatenate([part.items for part in rows]),
        np.concatenate([part.weights for part in rows]),
        np.concatenate([part.times_us for part in rows]),
    )
    before = Histories(
        np.concatenate([part.before.items for part in recorded]),
        np.concatenate([part.before.weights for part in recorded]),
        np.concatenate([part.before.times_us for part in recorded]),
    )
    within = np.concatenate([part.within for part in recorded])
    return columns, Recorded(before, within, np.concatenate([part.admitted for part in recorded]))


def link_users(state: TenantState, entries: Sequence[LogEntry]) -> None:
    """Take note of links where there is nothing else."""
    for entry in entries:
        if isinstance(entry.kind, UserLinked):
            _link(state, entry, entry.kind)


def _link(state: TenantState, entry: LogEntry, kind: UserLinked) -> None:
    if not state.touched:
        state.touched_since_us = entry.accepted_at_us
    state.link(kind.user_key, LinkChange(entry.sequence, kind.into))


def _event_rows(state: TenantState, entries: Sequence[LogEntry]) -> EventRows:
    events = [entry.kind for entry in entries if isinstance(entry.kind, Event)]
    items = state.items.ordinals(event.item_id for event in events)
    # NO_ITEM looks up the last row, and stays what it is.
    items[~state.items.exists[items]] = NO_ITEM
    sequences = [entry.sequence for entry in entries if isinstance(entry.kind, Event)]
    keys = [event.user_key for event in events]
    if state.links.any_known:
        keys = list(map(state.links.root, keys, sequences))
    users = state.users.rows(keys)
    # What somebody does with an item of their own is as if it were gone.
    items[state.owners.own(keys, items)] = NO_ITEM
    items[state.consents.denied(keys, sequences, state.links)] = NO_ITEM
    return EventRows(
        events=events,
        sequences=np.array(sequences, np.int64),
        users=users,
        items=items,
        weights=np.array([event.weight for event in events], np.float32),
        times_us=np.array([event.time_us for event in events], np.int64),
    )


def retracting_users(state: TenantState, entries: Sequence[LogEntry]) -> list[list[int]]:
    """Return for each retraction the user rows that remember its event: first that of whom it was,
    then those that have it by a merge.
    """
    kinds = [entry.kind for entry in entries if isinstance(entry.kind, EventRetracted)]
    rows = []
    for kind in kinds:
        owner = state.users.row(state.links.root(kind.event.user_key, kind.sequence))
        others = state.merged_events.rows(kind.sequence)
        rows.append([owner, *(row for row in others if row != owner)])
    touched = [row for own in rows for row in own]
    state.touch(distinct(np.array(touched, np.int64)), entries[0].accepted_at_us)
    return rows


def note_consents(
    states: Mapping[str, TenantState], entries: Sequence[LogEntry], known: Collection[str]
) -> None:
    """Take note of what users of some tenants decided in a step. It counts from its own sequence
    on, so it may be noted before what else there is in the step.
    """
    for entry in entries:
        if isinstance(entry.kind, LearningConsent) and entry.tenant in known:
            decision = LearningDecision(entry.sequence, entry.kind.granted)
            states[entry.tenant].note_consent(entry.kind.user_key, decision)


def pin_users(state: TenantState, puts: Sequence[EmbeddingPut]) -> None:
    """Take note, in order, whose vector a backend set to stay, in the generation that serves."""
    for put in puts:
        if put.user_key is not None and put.generation_id == state.active:
            state.users.pinned[state.users.row(put.user_key)] = put.pinned


def hide_user(state: TenantState, erased: UserErased) -> None:
    """Forget a user: the row stays, empty and under the name of the erasure, and who comes back
    gets a new one. What is pending of the user is dropped.

    What the user taught is taken back later, by the events as the log has them.
    """
    keys = [erased.user_key] if erased.user_key else _keys_of(state, erased.tombstone)
    for user_key in keys:
        row = state.users.rename(user_key, erased_name(erased.erasure_id))
        if row is not None:
            state.touched.discard(row)
            state.users.clear(row)
            state.influence.clear(row)
        # What of the events was taught follows from them, too.
        state.consents.rename(user_key, erased_name(erased.erasure_id))
        state.links.forget(user_key)
        state.slates.joiner.forget_user(user_key)


def _keys_of(state: TenantState, tombstone: bytes) -> list[bytes]:
    return [key for key in state.users.keys if hashlib.sha256(key).digest() == tombstone]


def erased_name(erasure_id: str) -> bytes:
    """Return what the row of an erased user goes by; no user has such a key."""
    return b"erased:" + erasure_id.encode()


def vectors_to_send(state: TenantState, now_us: int) -> Changes | None:
    """Return the vectors of users that are due to be sent; None when none are.

    Those that a backend pinned stay as they were set.
    """
    rows = state.take_touched(now_us)
    rows = rows[~state.users.pinned[rows]]
    if not rows.size:
        return None
    vectors = state.space.live.encode(state.users.histories(rows), state.items.exists)
    keys = [state.users.keys[row] for row in rows.tolist()]
    return Changes(state.tenant, active=state.active, users=UserVectors(keys, vectors))


def fold_events_of_users(states: Mapping[str, TenantState], entries: Sequence[LogEntry]) -> None:
    """Do to users what the events, retractions or erasure of a step did, before its frame is
    folded.
    """
    for tenant, own in _by_tenant(entries, (UserErased,)).items():
        if tenant in states:
            for entry in own:
                assert isinstance(entry.kind, UserErased)
                hide_user(states[tenant], entry.kind)
    for tenant, own in _by_tenant(entries, (Event, EventRetracted, UserLinked)).items():
        state = states[tenant]
        if all(isinstance(entry.kind, UserLinked) for entry in own):
            link_users(state, own)
        elif not isinstance(own[0].kind, EventRetracted):
            for space in state.built_spaces():
                space.settle_factor()
            record_events(state, own)
        else:
            for rows, entry in zip(retracting_users(state, own), own, strict=True):
                assert isinstance(entry.kind, EventRetracted)
                for row in rows:
                    state.forget_event(row, entry.kind.sequence)


def fold_pins_of_users(states: Mapping[str, TenantState], entries: Sequence[LogEntry]) -> None:
    """Do to users what the vectors that backends set did, after the frame of the step is folded."""
    for tenant, own in _by_tenant(entries, (EmbeddingPut,)).items():
        pin_users(states[tenant], [e.kind for e in own if isinstance(e.kind, EmbeddingPut)])


def _by_tenant(entries: Sequence[LogEntry], kinds: tuple[type, ...]) -> dict[str, list[LogEntry]]:
    found: dict[str, list[LogEntry]] = {}
    for entry in entries:
        if isinstance(entry.kind, kinds):
            found.setdefault(entry.tenant, []).append(entry)
    return found
