"""User states by key, bounded, kept fresh by the deltas that frames carry."""

from collections import OrderedDict
from collections.abc import Iterator

import numpy as np

from services.ranker.domain.arrays import Ordinals
from services.ranker.domain.changes import UserChanges
from services.ranker.domain.seen_items import SEEN, SeenKinds
from services.ranker.domain.user_state import RECENT, UserDelta, UserState


class UserCache:
    """A bounded map of user states; the least recently asked for gives way.

    A miss is answered by the owner of users, elsewhere. Frames go on meanwhile, so: `expect` the
    user first, then ask; deltas of expected users are collected, and `fulfil` applies those that
    the answer does not reflect yet.

    A state does not say which event led to what, so a retraction cannot be applied to it: the user
    is let go, and the owner asked again.

    `kinds` numbers the kinds of events of all its users.
    """

    def __init__(self, max_users: int) -> None:
        self.kinds = SeenKinds()
        self._max_users = max_users
        self._states: OrderedDict[bytes, UserState] = OrderedDict()
        self._expected: dict[bytes, list[UserDelta]] = {}

    def __len__(self) -> int:
        return len(self._states)

    def get(self, user_key: bytes) -> UserState | None:
        """Return the state of a user, or None on a miss."""
        state = self._states.get(user_key)
        if state is not None:
            self._states.move_to_end(user_key)
        return state

    def expect(self, user_key: bytes) -> None:
        """Collect deltas of a user from now on."""
        self._expected.setdefault(user_key, [])

    def fulfil(self, user_key: bytes, state: UserState) -> bool:
        """Hold the state of an expected user, brought up to date by what was collected.

        Return False, holding nothing, when it does not reflect a retraction.
        """
        collected = self._expected.pop(user_key)
        if any(delta.retracted and delta.version > state.version for delta in collected):
            return False
        for delta in collected:
            state.apply(delta)
        self._states[user_key] = state
        self._states.move_to_end(user_key)
        if len(self._states) > self._max_users:
            self._states.popitem(last=False)
        return True

    def abandon(self, user_key: bytes) -> None:
        """Stop collecting deltas of an expected user."""
        self._expected.pop(user_key, None)

    def fold(self, version: int, changes: UserChanges, ordinals: Ordinals) -> None:
        """Apply deltas to users held, collect those of users expected, ignore all others."""
        for user_key, delta in self._deltas(version, changes, ordinals):
            state = self._states.get(user_key)
            if state is not None and delta.retracted:
                del self._states[user_key]
            elif state is not None:
                state.apply(delta)
            if user_key in self._expected:
                self._expected[user_key].append(delta)

    def _deltas(
        self, version: int, changes: UserChanges, ordinals: Ordinals
    ) -> Iterator[tuple[bytes, UserDelta]]:
        wanted = [
            index
            for index, user_key in enumerate(changes.user_keys)
            if user_key in self._states or user_key in self._expected
        ]
        if not wanted:
            return
        recent = np.empty(changes.event_users.size, dtype=RECENT)
        recent["item"] = ordinals[changes.event_items]
        recent["weight"] = changes.event_weights
        recent["time"] = changes.event_times_us / 1e6
        seen = np.empty(changes.event_users.size, dtype=SEEN)
        seen["item"] = recent["item"]
        seen["kind"] = self._kinds_of(changes)
        seen["time"] = changes.event_times_us
        retracted = set(changes.retracted_users.tolist())
        vector_row = {user: row for row, user in enumerate(changes.vector_users.tolist())}
        for index in wanted:
            row = vector_row.get(index)
            own = changes.event_users == index
            yield (
                changes.user_keys[index],
                UserDelta(
                    version,
                    recent[own],
                    seen[own],
                    # A copy: a view would keep the whole frame alive.
                    None if row is None else changes.vectors[row].copy(),
                    changes.generation_id,
                    index in retracted,
                ),
            )

    def _kinds_of(self, changes: UserChanges) -> list[int]:
        """Return the kind of each event."""
        columns = zip(changes.event_types.tolist(), changes.event_weights.tolist(), strict=True)
        return [self.kinds.number(changes.types[one], weight < 0) for one, weight in columns]
