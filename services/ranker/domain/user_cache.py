"""User states by key, bounded, kept fresh by the entries of the log."""

from collections import OrderedDict

from services.ranker.domain.seen_items import SeenKinds
from services.ranker.domain.user_entries import OrdinalsOf, UserEntries
from services.ranker.domain.user_state import UserState


class UserCache:
    """A bounded map of user states; the least recently asked for gives way.

    A miss is answered by the owner of users, elsewhere. `kinds` numbers the kinds of events of all
    its users. Who is merged into a user that is held is held as that user.
    """

    def __init__(self, max_users: int) -> None:
        self.kinds = SeenKinds()
        self._max_users = max_users
        self._states: OrderedDict[bytes, UserState] = OrderedDict()
        self._merged: dict[bytes, bytes] = {}

    def __len__(self) -> int:
        return len(self._states)

    def get(self, user_key: bytes) -> UserState | None:
        """Return the state of a user, or None on a miss."""
        if self._merged:
            user_key = self._merged.get(user_key, user_key)
        state = self._states.get(user_key)
        if state is not None:
            self._states.move_to_end(user_key)
        return state

    def hold(self, user_key: bytes, state: UserState) -> None:
        """Hold a state, with who is merged into it, that reflects all entries that were taken so
        far.
        """
        self._let_go(user_key)
        for other in state.merged:
            # Who was held by themselves is this user now.
            self._let_go(self._merged.get(other, other))
            self._merged[other] = user_key
        self._states[user_key] = state
        if len(self._states) > self._max_users:
            self._let_go(next(iter(self._states)))

    def set_aside(self, user_key: bytes) -> None:
        """Let a user give way before all others, if it is held."""
        user_key = self._merged.get(user_key, user_key)
        if user_key in self._states:
            self._states.move_to_end(user_key, last=False)

    def take(self, entries: UserEntries, ordinals: OrdinalsOf) -> None:
        """Apply the next entries to the users held; let go of those that were taken back from, and
        of those that were erased, and of those of whom the owner of users has to be asked anew: who
        is merged, or was, and of whom somebody that is merged into them has other facts.
        """
        for user_key in entries.relinked():
            self._let_go(self._merged.get(user_key, user_key))
        if self._merged:
            for user_key in entries.erased(self._merged):
                # The user is what is left without them.
                self._let_go(self._merged.get(user_key, user_key))
            for user_key in entries.told_facts():
                if user_key in self._merged:
                    self._let_go(self._merged[user_key])
            entries = entries.with_merged(self._merged)
        held = self._states
        for user_key in entries.erased(held):
            self._let_go(user_key)
        found = {index: held[key] for key, index in entries.users.items() if key in held}
        if not found:
            return
        lost = entries.apply(found, ordinals, self.kinds)
        if lost:
            for user_key, index in entries.users.items():
                if index in lost:
                    self._let_go(user_key)

    def forget(self) -> None:
        """Let go of all users."""
        self._states.clear()
        self._merged.clear()

    def _let_go(self, user_key: bytes) -> None:
        state = self._states.pop(user_key, None)
        if state is not None:
            for other in state.merged:
                if self._merged.get(other) == user_key:
                    del self._merged[other]
