"""From which users others may learn, as the log has it: in force from each decision on.

What a user without consent does is as if its item were gone: it moves nothing that is shared, and
is not remembered here, or what comes after a later grant would teach what it goes with.
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from services.feed.parameters import Flags

_REMEMBERED = 30
"""Decisions known of a user, for retractions: what is earlier than them counts as denied then."""


class LearningDecision(NamedTuple):
    """A decision of a user as of a log sequence. granted: None: undecided again."""

    sequence: int
    granted: bool | None


class LearningConsents:
    """Decisions of users by stored key, oldest first."""

    def __init__(self, unless_denied: bool) -> None:
        """`unless_denied`: whether others learn from who decided nothing."""
        self._unless_denied = unless_denied
        self._decisions: dict[bytes, list[LearningDecision]] = {}

    def note(self, user_key: bytes, decision: LearningDecision) -> bool:
        """Take the next decision of a user; return whether it is another one than the last."""
        own = self._decisions.get(user_key)
        if (own[-1].granted if own else None) == decision.granted:
            return False
        own = self._decisions.setdefault(user_key, own or [])
        own.append(decision)
        if len(own) > _REMEMBERED:
            own[:] = [LearningDecision(0, False), *own[1 - _REMEMBERED :]]
        return True

    def allowed(self, user_key: bytes, sequence: int) -> bool:
        """Return whether others learned from a user at a sequence of the log."""
        own = self._decisions.get(user_key)
        if own is None:
            return self._unless_denied
        place = bisect_right(own, sequence, key=lambda one: one.sequence)
        granted = own[place - 1].granted if place else None
        return self._unless_denied if granted is None else granted

    def ever_since(self, user_key: bytes, sequence: int) -> bool:
        """Return whether others learned from a user at a sequence and at all times since."""
        return self.allowed(user_key, sequence) and all(
            self.allowed(user_key, one.sequence)
            for one in self._decisions.get(user_key, ())
            if one.sequence > sequence
        )

    def denied(self, user_keys: Sequence[bytes], sequences: Iterable[int]) -> Flags:
        """Return whose [n] event at a sequence [n] others may not learn from."""
        if self._unless_denied and not self._decisions:
            return np.zeros(len(user_keys), np.bool_)
        pairs = zip(user_keys, sequences, strict=True)
        return np.array([not self.allowed(key, sequence) for key, sequence in pairs], np.bool_)

    def of(self, user_key: bytes) -> Sequence[LearningDecision]:
        """Return the decisions of a user, oldest first."""
        return self._decisions.get(user_key, ())

    def restore(self, user_key: bytes, decision: LearningDecision) -> None:
        """Add a decision, oldest first, as `of` gave it."""
        self._decisions.setdefault(user_key, []).append(decision)
