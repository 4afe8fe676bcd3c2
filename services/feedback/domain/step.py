"""One step of the learner: a micro-batch of log entries changes the state and says how.

A step holds either events or other entries, never both: `step_length` says how far it reaches.
So all events of a step see the item vectors as of its start, whatever its size.
"""

from collections.abc import Sequence

import numpy as np

from services.feedback.domain.catalogue_step import catalogue_step
from services.feedback.domain.changes import Changes
from services.feedback.domain.entries import Event, GenerationActivated, LogEntry, Nothing
from services.feedback.domain.event_step import event_step
from services.feedback.domain.tenant_state import LearningConfig, TenantState

States = dict[str, TenantState]


def step_length(entries: Sequence[LogEntry]) -> int:
    """Return how many of the entries, from the first on, make one step."""
    events = [isinstance(entry.kind, Event) for entry in entries]
    fits_either = [isinstance(entry.kind, Nothing) for entry in entries]
    kind: bool | None = None
    for index, is_event in enumerate(events):
        if fits_either[index]:
            continue
        if kind is None:
            kind = is_event
        elif kind != is_event:
            return index
    return len(entries)


def step(states: States, entries: Sequence[LogEntry], config: LearningConfig) -> list[Changes]:
    """Apply the entries of one step; return what changed, by tenant in order of appearance.

    Deterministic: the same states and entries give the same bits on the same machine, with one
    thread.
    """
    by_tenant: dict[str, list[LogEntry]] = {}
    for entry in entries:
        if not isinstance(entry.kind, Nothing):
            by_tenant.setdefault(entry.tenant, []).append(entry)
    changes: list[Changes] = []
    for tenant, own in by_tenant.items():
        activated = next((e.kind for e in own if isinstance(e.kind, GenerationActivated)), None)
        if activated is not None:
            if tenant in states:
                raise ValueError(f"tenant {tenant} has a generation already")
            states[tenant] = TenantState(tenant, activated, config)
        state = states[tenant]
        if isinstance(own[-1].kind, Event):
            changed = event_step(state, own)
        else:
            changed = catalogue_step(state, own)
        changed.activated = activated
        changes.append(changed)
    return changes


def finite(changes: Sequence[Changes]) -> bool:
    """Return whether all vectors of the changes are finite: the last guard before a commit."""
    return all(
        bool(np.isfinite(part.vectors).all())
        for one in changes
        for part in (one.vectors, one.users)
        if part is not None
    )
