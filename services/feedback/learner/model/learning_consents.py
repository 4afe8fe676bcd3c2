"""From which users others may learn, as the log has it: in force from each decision on.

What a user without consent does is as if its item were gone: it moves nothing that is shared, and
is not remembered here, or what comes after a later grant would teach what it goes with.
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from services.feed.parameters import Flags
from services.feedback.learner.model.user_links import UserLinks

NO_LINKS = UserLinks()
"""Of nobody; never changed."""
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

    def rename(self, user_key: bytes, name: bytes) -> None:
        """Let the decisions of a user go by another name."""
        own = self._decisions.pop(user_key, None)
        if own is not None:
            self._decisions[name] = own

    def forget(self, user_key: bytes) -> None:
        """Forget the decisions of a user."""
        self._decisions.pop(user_key, None)

    def decided(self, user_key: bytes, sequence: int) -> bool | None:
        """Return what a user had decided at a sequence of the log; None: nothing."""
        own = self._decisions.get(user_key)
        if own is None:
            return None
        place = bisect_right(own, sequence, key=lambda one: one.sequence)
        return own[place - 1].granted if place else None

    def allowed(self, user_key: bytes, sequence: int, links: UserLinks = NO_LINKS) -> bool:
        """Return whether others learned from a user at a sequence of the log. Of who is the same
        user a denial counts before a grant.
        """
        if not links.any_known:
            granted = self.decided(user_key, sequence)
            return self._unless_denied if granted is None else granted
        root = links.root(user_key, sequence)
        decided = {self.decided(one, sequence) for one in (root, *links.members(root, sequence))}
        if False in decided:
            return False
        return True in decided or self._unless_denied

    def ever_since(
        self, user_key: bytes, sequence: int, now: int, links: UserLinks = NO_LINKS
    ) -> bool:
        """Return whether others learned from a user at a sequence and at all times until now."""
        root = links.root(user_key, now)
        same = {user_key, root, *links.members(root, now)}
        moments = [decision.sequence for one in same for decision in self.of(one)]
        moments += [change.sequence for one in same for change in links.of(one)]
        return all(
            self.allowed(user_key, moment, links)
            for moment in (sequence, *moments)
            if moment >= sequence
        )

    def denied(
        self, user_keys: Sequence[bytes], sequences: Iterable[int], links: UserLinks = NO_LINKS
    ) -> Flags:
        """Return whose [n] event at a sequence [n] others may not learn from."""
        if self._unless_denied and not self._decisions:
            return np.zeros(len(user_keys), np.bool_)
        pairs = zip(user_keys, sequences, strict=True)
        return np.array([not self.allowed(*pair, links) for pair in pairs], np.bool_)

    def of(self, user_key: bytes) -> Sequence[LearningDecision]:
        """Return the decisions of a user, oldest first."""
        return self._decisions.get(user_key, ())

    def restore(self, user_key: bytes, decision: LearningDecision) -> None:
        """Add a decision, oldest first, as `of` gave it."""
        self._decisions.setdefault(user_key, []).append(decision)
