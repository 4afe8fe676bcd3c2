"""What entries of the log do to users: the learner's own table, by steps and by folds alike.

Frames say nothing of users. So who folds frames is given the log beside them.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from services.common.runs import distinct
from services.feed.parameters import Flags, Floats, Ints, UserVectors
from services.feedback.learner.model.changes import Changes
from services.feedback.learner.model.entries import (
    EmbeddingPut,
    Event,
    EventRetracted,
    LogEntry,
    UserErased,
)
from services.feedback.learner.model.tenant_state import TenantState
from services.feedback.learner.model.user_table import NO_ITEM, Histories


@dataclass(frozen=True, slots=True)
class EventRows:
    """Events of a step: user rows, item ordinals (NO_ITEM when gone, or the user's own), and the
    rest.
    """

    events: list[Event]
    sequences: Ints
    users: Ints
    items: Ints
    weights: Floats
    times_us: Ints


def record_events(
    state: TenantState, entries: Sequence[LogEntry]
) -> tuple[EventRows, Histories, Flags]:
    """Add events to their users; return them, the recent items just before each, and which of
    those that teach may move what is shared.
    """
    rows = _event_rows(state, entries)
    before, admitted = state.record(
        rows.users, rows.items, rows.weights, rows.times_us, rows.sequences
    )
    state.touch(distinct(rows.users), entries[0].accepted_at_us)
    return rows, before, admitted


def _event_rows(state: TenantState, entries: Sequence[LogEntry]) -> EventRows:
    events = [entry.kind for entry in entries if isinstance(entry.kind, Event)]
    items = state.items.ordinals(event.item_id for event in events)
    # NO_ITEM looks up the last row, and stays what it is.
    items[~state.items.exists[items]] = NO_ITEM
    keys = [event.user_key for event in events]
    users = state.users.rows(keys)
    # What somebody does with an item of their own is as if it were gone.
    items[state.owners.own(keys, items)] = NO_ITEM
    return EventRows(
        events=events,
        sequences=np.array([entry.sequence for entry in entries], np.int64),
        users=users,
        items=items,
        weights=np.array([event.weight for event in events], np.float32),
        times_us=np.array([event.time_us for event in events], np.int64),
    )


def retracting_users(state: TenantState, entries: Sequence[LogEntry]) -> Ints:
    """Return the user rows of retractions, which are about to be taken back."""
    kinds = [entry.kind for entry in entries if isinstance(entry.kind, EventRetracted)]
    users = state.users.rows([kind.event.user_key for kind in kinds])
    state.touch(distinct(users), entries[0].accepted_at_us)
    return users


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
        row = state.users.rename(user_key, _name_of(erased.erasure_id))
        if row is not None:
            state.touched.discard(row)
            state.users.clear(row)
            state.influence.clear(row)
        state.slates.joiner.forget_user(user_key)


def _keys_of(state: TenantState, tombstone: bytes) -> list[bytes]:
    return [key for key in state.users.keys if hashlib.sha256(key).digest() == tombstone]


def _name_of(erasure_id: str) -> bytes:
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
    for tenant, own in _by_tenant(entries, (Event, EventRetracted)).items():
        state = states[tenant]
        if isinstance(own[0].kind, Event):
            for space in state.built_spaces():
                space.settle_factor()
            record_events(state, own)
        else:
            users = retracting_users(state, own)
            for user, entry in zip(users.tolist(), own, strict=True):
                assert isinstance(entry.kind, EventRetracted)
                state.users.forget(user, entry.kind.sequence)


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
