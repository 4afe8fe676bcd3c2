"""What a step of events says about the spaces: the staged one against the one that serves
(validation), and the one that serves against its frozen reference (guard).
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from services.feed.parameters import Doubles, Flags, Floats, Ints, VectorRollback
from services.feedback.learner.model.confidence_sequence import NO_CONFIDENCE
from services.feedback.learner.model.progressive_validation import contest, drawn
from services.feedback.learner.model.space_status import Role, SpaceStatus
from services.feedback.learner.model.tenant_state import TenantState
from services.feedback.learner.model.user_table import NO_ITEM, Histories


@dataclass(frozen=True, slots=True)
class Compared:
    """Events of a step, before anything is learned from them: columns [n], histories before each,
    and the user vectors [n, d] of each generation.
    """

    sequences: Ints
    items: Ints
    weights: Floats
    before: Histories
    users: Mapping[str, Floats]


def compare(
    state: TenantState, events: Compared, version: int
) -> tuple[dict[str, SpaceStatus], VectorRollback | None]:
    """Return the statuses that change by what the events say, and the rollback they lead to."""
    statuses: dict[str, SpaceStatus] = {}
    for space in state.built_spaces()[1:]:
        if space.status.role is Role.STAGED:
            status = _validated(state, space.generation_id, events)
            if status is not None:
                statuses[space.generation_id] = status
    guarded = _guarded(state, events)
    if guarded is None:
        return statuses, None
    status, rollback = _judged(state, guarded, version)
    statuses[state.active] = status
    return statuses, rollback


class _Gains:
    """Gains of events: sequences and items [n]."""

    def __init__(self, sequences: Ints, items: Ints, state: TenantState) -> None:
        self._sequences, self._items = sequences, items
        self._exists = state.items.exists
        self._config, self._core = state.config.comparison, state.config.core
        if self._core is None:
            self._contest = contest(sequences, items, self._exists, self._config)

    def of(self, users: Floats, vectors: Floats, biases: Floats) -> Doubles:
        """Return them [n], for user vectors [n, d] and item vectors and biases of all rows."""
        if self._core is None:
            return self._contest.gains(users, vectors, biases)
        return self._core.contest_gains(
            self._sequences, self._items, self._exists, users, vectors, biases,
            self._config.negatives, self._config.seed % 2**64,
        )  # fmt: skip


def _positive(events: Compared) -> Flags:
    positive: Flags = (events.items != NO_ITEM) & (events.weights > 0)
    return positive


def _validated(state: TenantState, staged: str, events: Compared) -> SpaceStatus | None:
    config = state.config.comparison
    old, new = state.space, state.spaces[staged]
    known = events.users[state.active].any(axis=1) | events.users[staged].any(axis=1)
    rows = np.flatnonzero(
        _positive(events) & known & drawn(events.sequences, config.validate_one_in, config)
    )
    if rows.size == 0:
        return None
    gains = _Gains(events.sequences[rows], events.items[rows], state)
    differences = gains.of(events.users[staged][rows], new.vectors, new.biases) - gains.of(
        events.users[state.active][rows], old.vectors, old.biases
    )
    evidence = new.status.validation.with_differences(differences)
    return replace(new.status, validation=evidence)


def _guarded(state: TenantState, events: Compared) -> SpaceStatus | None:
    config = state.config.comparison
    space = state.space
    if space.reference is None or space.status.rolling_back_since:
        return None
    sample = drawn(events.sequences, config.guard_one_in, config)
    if not np.count_nonzero(sample):
        return None
    rows = np.flatnonzero(sample & _positive(events) & events.users[state.active].any(axis=1))
    if rows.size == 0:
        return None
    before = Histories(
        events.before.items[rows], events.before.weights[rows], events.before.times_us[rows]
    )
    frozen = space.reference.encode(before, state.items.exists)
    gains = _Gains(events.sequences[rows], events.items[rows], state)
    differences = gains.of(frozen, space.reference.vectors, space.biases) - gains.of(
        events.users[state.active][rows], space.vectors, space.biases
    )
    return replace(space.status, guard=space.status.guard.with_differences(differences))


def _judged(
    state: TenantState, status: SpaceStatus, version: int
) -> tuple[SpaceStatus, VectorRollback | None]:
    """Go back when the vectors became worse than the reference; renew it when they are not."""
    config = state.config.comparison
    evidence = status.guard
    lower, upper = evidence.interval()
    if evidence.count >= config.min_events and lower > config.guard_bound:
        rollback = VectorRollback(
            state.active,
            status.reference_version,
            f"live vectors rank worse by {evidence.mean:.4f} ({lower:.4f} to {upper:.4f}) than "
            f"those of version {status.reference_version}, over {evidence.count} events",
            status.rollbacks + 1,
        )
        status = replace(
            status, rolling_back_since=version, rolled_back=0, rollbacks=status.rollbacks + 1
        )
        return status, rollback
    if evidence.count >= config.reference_events and evidence.mean <= 0:
        return replace(status, reference_version=version, guard=NO_CONFIDENCE), None
    return status, None
