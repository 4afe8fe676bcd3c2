"""User states by key, bounded, kept fresh by the entries of the log."""

from collections import OrderedDict

from services.ranker.domain.seen_items import SeenKinds
from services.ranker.domain.user_entries import OrdinalsOf, UserEntries
from services.ranker.domain.user_state import UserState


class UserCache:
    """A bounded map of user states; the least recently asked for gives way.

    A miss is answered by the owner of users, elsewhere. `kinds` numbers the kinds of events of all
    its users.
    """

    def __init__(self, max_users: int) -> None:
        self.kinds = SeenKinds()
        self._max_users = max_users
        self._states: OrderedDict[bytes, UserState] = OrderedDict()

    def __len__(self) -> int:
        return len(self._states)

    def get(self, user_key: bytes) -> UserState | None:
        """Return the state of a user, or None on a miss."""
        state = self._states.get(user_key)
        if state is not None:
            self._states.move_to_end(user_key)
        return state

    def hold(self, user_key: bytes, state: UserState) -> None:
        """Hold a state that reflects all entries that were taken so far."""
        self._states[user_key] = state
        self._states.move_to_end(user_key)
        if len(self._states) > self._max_users:
            self._states.popitem(last=False)

    def set_aside(self, user_key: bytes) -> None:
        """Let a user give way before all others, if it is held."""
        if user_key in self._states:
            self._states.move_to_end(user_key, last=False)

    def take(self, entries: UserEntries, ordinals: OrdinalsOf) -> None:
        """Apply the next entries to the users held; let go of those that were taken back from, and
        of those that were erased.
        """
        held = self._states
        for user_key in entries.erased(held):
            del held[user_key]
        found = {index: held[key] for key, index in entries.users.items() if key in held}
        if not found:
            return
        lost = entries.apply(found, ordinals, self.kinds)
        if lost:
            for user_key, index in entries.users.items():
                if index in lost:
                    del held[user_key]

    def forget(self) -> None:
        """Let go of all users."""
        self._states.clear()
