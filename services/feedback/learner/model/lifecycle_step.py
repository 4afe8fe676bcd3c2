"""Generations come, serve, and go: each by one entry of the log."""

from dataclasses import replace

from services.feedback.learner.model.changes import Changes, SpaceChanges
from services.feedback.learner.model.entries import (
    GenerationActivated,
    GenerationRetired,
    GenerationStaged,
)
from services.feedback.learner.model.slate_learning import outcomes_of
from services.feedback.learner.model.space_status import Role, SpaceStatus
from services.feedback.learner.model.tenant_state import TenantState
from services.feedback.learner.model.vector_space import VectorSpace


def stage(state: TenantState, entry: GenerationStaged, now_us: int) -> Changes:
    """Begin to build the vectors of a generation; what is staged or on standby is dropped.

    One that is there already is compared anew, and keeps its vectors.
    """
    changes = Changes(state.tenant, active=state.active)
    generation_id = entry.generation.generation_id
    if generation_id == state.active:
        return changes
    for name in sorted(set(state.spaces) - {state.active, generation_id}):
        state.drop_space(name)
        changes.retired.append(name)
    status = SpaceStatus(Role.STAGED, now=entry.now, to_place=len(state.items), since_us=now_us)
    space = state.spaces.get(generation_id)
    if space is None:
        space = state.add_space(entry.generation, status)
        space.start = entry.start
        changes.staged = entry
    else:
        known = space.status
        status = replace(
            status,
            placed=known.placed,
            to_place=known.to_place,
            rollbacks=known.rollbacks,
            fault=known.fault,
            # Another mode of the same staging does not start the comparison again.
            validation=known.validation if known.role is Role.STAGED else status.validation,
        )
    _set(space, status, changes)
    return changes


def first_of(
    state: TenantState, generation: GenerationActivated, now_us: int, version: int
) -> Changes:
    """Return what the first generation of a new tenant means; its state was made with it."""
    changes = Changes(state.tenant, active=state.active, activated=generation)
    _set(state.space, active_of(state.space.status, now_us, version), changes)
    return changes


def activate(
    state: TenantState, generation: GenerationActivated, now_us: int, version: int
) -> Changes:
    """Let a generation serve that is built; the one that served is on standby.

    One that is not there, or not built, changes nothing: whoever asked was overtaken.
    """
    changes = Changes(state.tenant, active=state.active)
    space = state.spaces.get(generation.generation_id)
    if space is None or not space.status.built or generation.generation_id == state.active:
        return changes
    before = state.space
    _serve(state, generation.generation_id)
    changes.active = state.active
    changes.activated = space.generation
    _set(before, standby_of(before.status, now_us), changes)
    _set(space, active_of(space.status, now_us, version), changes)
    return changes


def retire(state: TenantState, entry: GenerationRetired) -> Changes:
    """Drop the vectors of a generation that does not serve."""
    changes = Changes(state.tenant, active=state.active)
    if entry.generation_id in state.spaces and entry.generation_id != state.active:
        state.drop_space(entry.generation_id)
        changes.retired.append(entry.generation_id)
    return changes


def active_of(status: SpaceStatus, now_us: int, version: int) -> SpaceStatus:
    """Return the status of one that serves from now on, with a reference of `version` (0: none)."""
    return SpaceStatus(
        Role.ACTIVE,
        placed=status.placed,
        to_place=status.to_place,
        since_us=now_us,
        reference_version=version,
        rollbacks=status.rollbacks,
        validation=status.validation,
        fault=status.fault,
    )


def standby_of(status: SpaceStatus, now_us: int) -> SpaceStatus:
    """Return the status of one that stops to serve now."""
    return SpaceStatus(
        Role.STANDBY,
        placed=status.placed,
        to_place=status.to_place,
        since_us=now_us,
        rollbacks=status.rollbacks,
        validation=status.validation,
        guard=status.guard,
        fault=status.fault,
    )


def fold_lifecycle(state: TenantState, changes: Changes) -> None:
    """Apply what `stage`, `activate` and `retire` changed, statuses aside."""
    for name in changes.retired:
        state.drop_space(name)
    if changes.staged is not None:
        space = state.add_space(changes.staged.generation, SpaceStatus(Role.STAGED))
        space.start = changes.staged.start
    if changes.activated is not None and changes.activated.generation_id != state.active:
        _serve(state, changes.activated.generation_id)


def _serve(state: TenantState, generation_id: str) -> None:
    before = state.scorer
    state.active = generation_id
    generation, scorer = state.generation, state.scorer
    same = before is not None and scorer is not None and before.features == scorer.features
    state.slates.activate(outcomes_of(generation), generation.columns, same)
    # What backends set was in the space of the generation that served.
    state.users.pinned[:] = False


def _set(space: VectorSpace, status: SpaceStatus, changes: Changes) -> None:
    space.set_status(status)
    changes.spaces.append(SpaceChanges(space.generation_id, status=status))
