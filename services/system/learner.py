"""Drives the learner's steps as feedback's learner_state.py does, without log and store."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from harken.internal.feed.v1 import frame_pb2
from services.feed.entries import TenantEntries
from services.feed.parameters import Doubles, Floats
from services.feed.progress import Applied
from services.feedback.learner.frame_conversion import frame_of
from services.feedback.learner.model.checkpoint import checkpoint
from services.feedback.learner.model.entries import (
    GenerationActivated,
    GenerationStaged,
    Kind,
    LogEntry,
    Nothing,
)
from services.feedback.learner.model.fold import fold
from services.feedback.learner.model.placement import unfinished
from services.feedback.learner.model.step import States, finite, step, step_length
from services.feedback.learner.model.tenant_state import LearningConfig, TenantState
from services.system.user_events import tenant_entries

TENANT = "evaluation"


@dataclass(frozen=True, slots=True)
class SystemStep:
    """The frame of one step of the learner, and the events of its stretch of the log, if any."""

    frame: frame_pb2.Frame
    entries: TenantEntries | None = None


class SystemLearner:
    """State of one tenant, moved by steps. Sequences count the entries, as those of the log do."""

    def __init__(self, config: LearningConfig) -> None:
        self._config = config
        self._states: States = {}
        self._sequence = 0
        self._applied = Applied()

    def activate(self, generation: GenerationActivated) -> list[SystemStep]:
        """Start with a generation, which the log has as its first entry."""
        return list(self.take([generation], 0))

    def take(self, kinds: Sequence[Kind], accepted_at_us: int) -> Iterator[SystemStep]:
        """Learn from entries, in as few steps as they fit in, and yield each step.

        Raises:
            ArithmeticError: a step came to values that are not finite.

        """
        entries = [
            LogEntry(self._sequence + number, TENANT, accepted_at_us, kind)
            for number, kind in enumerate(kinds, 1)
        ]
        self._sequence += len(entries)
        while entries:
            length = step_length(entries)
            before = self._applied
            after = Applied(0, before.version + 1, entries[length - 1].sequence)
            changes = step(self._states, entries[:length], self._config, after.version)
            if not finite(changes):
                raise ArithmeticError("a step came to values that are not finite")
            self._applied = after
            frame = frame_of(changes, before, after, accepted_at_us)
            yield SystemStep(frame, tenant_entries(entries[:length]))
            entries = entries[length:]

    def adopt(self, staged: GenerationStaged, accepted_at_us: int) -> Iterator[SystemStep]:
        """Build a generation beside the one that serves, and let it serve when it is built.

        Raises:
            ArithmeticError: as `take`.

        """
        yield from self.take([staged], accepted_at_us)
        while unfinished(self._states[TENANT]):
            # Every entry of the log takes the work on, a tick too.
            yield from self.take([Nothing()], accepted_at_us)
        yield from self.take([staged.generation], accepted_at_us)

    @property
    def state(self) -> TenantState:
        """What is learned, for reading."""
        return self._states[TENANT]

    def order_weights(self) -> Doubles:
        """Return what is learned of the order [outcomes, columns], which is added to the logits of
        the scorer that serves.
        """
        weights: Doubles = self._states[TENANT].slates.head.parameters[:, 1:-2].copy()
        return weights

    def vectors(self, item_ids: Sequence[str]) -> Floats:
        """Return the vectors of items [n, d] as they are now, zero for items that are not there."""
        state = self._states[TENANT]
        rows = state.items.ordinals(item_ids)
        there = rows >= 0
        found: Floats = np.zeros((rows.size, state.space.dimension), np.float32)
        found[there] = state.space.vectors[rows[there]]
        return found

    def copy(self, config: LearningConfig) -> Self:
        """Return a learner in the same state that goes its own way, under another config.

        It is restored as a standby is: from a checkpoint.
        """
        other = type(self)(config)
        fold(other._states, list(checkpoint(self._states)), config)
        other._sequence, other._applied = self._sequence, self._applied
        return other
