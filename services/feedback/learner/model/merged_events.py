"""Events that users remember by a merge: they taught where they happened, and teach nothing again.

For retractions it is known which they are, and since which log sequence: what came after may have
learned from them as what was before.
"""

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from services.feedback.learner.model.user_table import UserTable

_NONE: Mapping[int, int] = MappingProxyType({})


class MergedEvents:
    """By user row: log sequences of such events, with that of the merge."""

    def __init__(self) -> None:
        self._of: dict[int, dict[int, int]] = {}
        self._rows: dict[int, list[int]] = {}

    def join(self, users: UserTable, source: int, target: int, sequence: int) -> None:
        """Let a user remember what another remembers, by a merge at a log sequence. Bounded as the
        table is: what is oldest falls out.
        """
        own = users.past(target)
        known = {event.sequence for event in own}
        news = [event for event in users.past(source) if event.sequence not in known]
        if not news:
            return
        users.remember(target, [*own, *news])
        kept = {event.sequence for event in users.past(target)}
        self._forget(target, [one for one in self.of(target) if one not in kept])
        for event in news:
            if event.sequence in kept:
                self.restore(target, event.sequence, sequence)

    def forget(self, row: int, sequence: int) -> None:
        """Take note that a user does not remember an event any more."""
        self._forget(row, [sequence])

    def _forget(self, row: int, sequences: Iterable[int]) -> None:
        for sequence in sequences:
            if self._of.get(row, {}).pop(sequence, None) is not None:
                self._rows[sequence].remove(row)
                if not self._rows[sequence]:
                    del self._rows[sequence]

    def of(self, row: int) -> Mapping[int, int]:
        """Return the merges of a user's events of others, by their own log sequence."""
        return self._of.get(row, _NONE)

    def rows(self, sequence: int) -> list[int]:
        """Return the users who remember an event of others."""
        return list(self._rows.get(sequence, ()))

    def restore(self, row: int, sequence: int, merge: int) -> None:
        """Take note that a user remembers an event of others since a merge."""
        self._of.setdefault(row, {})[sequence] = merge
        self._rows.setdefault(sequence, []).append(row)
