"""One step of the learner: a micro-batch of log entries changes the state and says how.

A step holds either events and links of users, or retractions, or other entries, never two of them:
`step_length` says how far it reaches. So all events of a step see the item vectors as of its start,
whatever its size.
Slates come with anything; they are learned from after all else. Work that is too
large for one step (placing a generation's items) goes on with every step, whatever it holds.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from services.feedback.learner.model.catalogue_step import catalogue_step
from services.feedback.learner.model.changes import Changes, SpaceChanges
from services.feedback.learner.model.entries import (
    Event,
    EventRetracted,
    GenerationActivated,
    GenerationRetired,
    GenerationStaged,
    LearningConsent,
    LogEntry,
    Nothing,
    UserErased,
    UserLinked,
    UserUnlearned,
)
from services.feedback.learner.model.event_step import event_step
from services.feedback.learner.model.impression import Impression
from services.feedback.learner.model.lifecycle_step import activate, first_of, retire, stage
from services.feedback.learner.model.placement import placement_step, unfinished
from services.feedback.learner.model.retraction_step import retraction_step
from services.feedback.learner.model.slate_step import head_is_finite, slate_step
from services.feedback.learner.model.tenant_state import LearningConfig, TenantState
from services.feedback.learner.model.unlearning_step import unlearning_step
from services.feedback.learner.model.user_step import (
    hide_user,
    note_consents,
    vectors_to_send,
)

States = dict[str, TenantState]


def step_length(entries: Sequence[LogEntry]) -> int:
    """Return how many of the entries, from the first on, make one step.

    What happens to a generation is a step of its own, but for an activation, which other entries
    than events may follow: of a tenant it is the first entry of a step. So are both steps of an
    erasure, which nothing else is in, slates neither.
    """
    kind: type | None = None
    tenants: set[str] = set()
    for index, entry in enumerate(entries):
        match entry.kind:
            case UserErased() | UserUnlearned():
                return max(index, 1)
            case Nothing() | Impression() | LearningConsent():
                continue
            case GenerationStaged() | GenerationRetired():
                return index if tenants else index + 1
            case GenerationActivated() if entry.tenant in tenants:
                return index
        own = _kind_of_step(entry)
        if kind is None:
            kind = own
        elif kind is not own:
            return index
        tenants.add(entry.tenant)
    return len(entries)


def _kind_of_step(entry: LogEntry) -> type:
    if isinstance(entry.kind, UserLinked):
        return Event
    return type(entry.kind) if isinstance(entry.kind, Event | EventRetracted) else object


def step(
    states: States, entries: Sequence[LogEntry], config: LearningConfig, version: int = 0
) -> list[Changes]:
    """Apply the entries of one step; return what changed, by tenant in order of appearance.

    `version`: that the step leads to, from 1; 0: vectors are not guarded. A tenant may come twice,
    to be folded in order. Deterministic: the same states and entries give the same bits on the same
    machine, with one thread.
    """
    known = set(states)
    note_consents(states, entries, known)
    by_tenant: dict[str, list[LogEntry]] = {}
    for entry in entries:
        if not isinstance(entry.kind, Nothing | Impression | LearningConsent):
            by_tenant.setdefault(entry.tenant, []).append(entry)
    changes: list[Changes] = []
    staged = ""
    for tenant, own in by_tenant.items():
        first = own[0]
        match first.kind:
            case GenerationStaged():
                changes.append(stage(states[tenant], first.kind, first.accepted_at_us))
                staged = tenant
            case GenerationRetired():
                changes.append(retire(states[tenant], first.kind))
            case GenerationActivated():
                changes.append(_activated(states, first, config, version))
                if len(own) > 1:
                    changes.append(catalogue_step(states[tenant], own[1:]))
            case UserErased() | UserUnlearned() if tenant not in states:
                continue
            case UserErased():
                hide_user(states[tenant], first.kind)
            case UserUnlearned():
                changes.append(unlearning_step(states[tenant], first.kind))
            case Event() | UserLinked():
                changes.append(event_step(states[tenant], own, version))
            case EventRetracted():
                changes.append(retraction_step(states[tenant], own))
            case _:
                changes.append(catalogue_step(states[tenant], own))
    note_consents(states, entries, states.keys() - known)
    changes += _learn_from_slates(states, entries)
    now_us = entries[-1].accepted_at_us
    changes += [
        placement_step(states[tenant])
        for tenant in sorted(states)
        # Replicas learn of a staged generation one frame before its vectors.
        if tenant != staged and unfinished(states[tenant])
    ]
    changes += [faults for tenant in sorted(states) if (faults := _noted_faults(states[tenant]))]
    moved = {one.tenant for one in changes if one.spaces}
    changes += [news for tenant in sorted(moved) if (news := _factors(states[tenant]))]
    sent = (vectors_to_send(states[tenant], now_us) for tenant in sorted(states))
    changes += [vectors for vectors in sent if vectors is not None]
    return changes


def _factors(state: TenantState) -> Changes | None:
    """Return what others are to encode users with from now on; None: no news."""
    changes = Changes(state.tenant, active=state.active)
    for space in state.built_spaces():
        factor = space.news_of_factor()
        if factor is not None:
            changes.spaces.append(SpaceChanges(space.generation_id, factor=factor))
    return changes if changes.spaces else None


def _noted_faults(state: TenantState) -> Changes | None:
    """Note which models failed, so that their generations are withdrawn; None: no news."""
    changes = Changes(state.tenant, active=state.active)
    for name, space in sorted(state.spaces.items()):
        if space.tower.fault and not space.status.fault:
            space.status = replace(space.status, fault=space.tower.fault)
            changes.spaces.append(SpaceChanges(name, status=space.status))
    return changes if changes.spaces else None


def _learn_from_slates(states: States, entries: Sequence[LogEntry]) -> list[Changes]:
    now_us = max((entry.accepted_at_us for entry in entries), default=0)
    by_tenant: dict[str, list[LogEntry]] = {}
    for entry in entries:
        by_tenant.setdefault(entry.tenant, []).append(entry)
    learned = [
        slate_step(states[tenant], by_tenant.get(tenant, ()), now_us) for tenant in sorted(states)
    ]
    return [changes for changes in learned if changes is not None]


def _activated(states: States, entry: LogEntry, config: LearningConfig, version: int) -> Changes:
    generation = entry.kind
    assert isinstance(generation, GenerationActivated)
    state = states.get(entry.tenant)
    if state is not None:
        return activate(state, generation, entry.accepted_at_us, version)
    state = states[entry.tenant] = TenantState(entry.tenant, generation, config)
    return first_of(state, generation, entry.accepted_at_us, version)


def finite(changes: Sequence[Changes]) -> bool:
    """Return whether all vectors of the changes are finite: the last guard before a commit."""
    return all(map(head_is_finite, changes)) and all(
        bool(np.isfinite(part.vectors).all())
        for one in changes
        for part in (one.users, *(space.vectors for space in one.spaces))
        if part is not None
    )
