"""A ranker in this process: a replica that holds all users, and slates by the ranker's code."""

from collections.abc import Sequence

from services.common.fold_in import CompiledEncoder
from services.common.popularity_half_life import HALF_LIFE_SECONDS
from services.feed.entries import TenantEntries
from services.ranker.domain.eligibility import ItemFilter
from services.ranker.domain.generation import Generation
from services.ranker.domain.slate import Slate, make_slate
from services.ranker.domain.tenant_replica import TenantReplica
from services.ranker.domain.user_entries import UserEntries
from services.ranker.domain.user_state import UserState
from services.ranker.frame_columns import check_changes, tenant_changes
from services.system.learner import TENANT, SystemStep


class SystemReplica:
    """Follows steps of the learner and makes slates.

    No user is ever forgotten: there is nobody to ask.
    """

    def __init__(
        self,
        generation: Generation,
        max_users: int,
        later: Sequence[Generation] = (),
        core: CompiledEncoder | None = None,
    ) -> None:
        """Start empty; `generation` will be activated first, `later` ones may be after it. `core`
        encodes users; default: NumPy does.
        """
        self._generations = {one.generation_id: one for one in (generation, *later)}
        self._replica = TenantReplica(TENANT, HALF_LIFE_SECONDS, max(max_users, 1), core=core)

    def expect(self, generation: Generation) -> None:
        """Know of one more generation that may be activated."""
        self._generations[generation.generation_id] = generation

    def fold(self, step: SystemStep) -> None:
        """Take what one step changed, checked as a frame is, and what users did.

        Raises:
            RefusedParametersError: the changes are wrong.

        """
        for part in step.frame.tenants:
            changes = tenant_changes(
                part,
                self._generations.get(part.activated.generation_id),
                self._generations.get(part.staged.generation_id),
            )
            check_changes(changes, *self._replica.built_after(changes))
            self._replica.fold(changes)
        if step.entries is not None:
            self._take(step.entries)

    def _take(self, entries: TenantEntries) -> None:
        users = self._replica.users
        for user_key in entries.user_keys:
            if users.get(user_key) is None:
                # As profile answers for somebody it has not heard of.
                users.hold(user_key, UserState(0, unknown=True))
        through = int(entries.events.sequences[-1])
        users.take(UserEntries(entries, through), self._replica.ordinals)

    def slate(
        self,
        user_key: bytes,
        count: int,
        now: float,
        allow_seen: bool = False,
        excluded: Sequence[str] = (),
    ) -> list[str]:
        """Return the ids of the best `count` items for a user at `now` (unix seconds).

        Raises:
            LookupError: no generation serves yet.

        """
        slate = self.make_slate(user_key, count, now, allow_seen, excluded)
        return [slot.item_id for slot in slate.slots]

    def make_slate(
        self,
        user_key: bytes,
        count: int,
        now: float,
        allow_seen: bool = False,
        excluded: Sequence[str] = (),
    ) -> Slate:
        """Return the same with all that the ranker says about it.

        Raises:
            LookupError: no generation serves yet.

        """
        wanted = ItemFilter(excluded_item_ids=tuple(excluded), allow_seen=allow_seen)
        user = self.user(user_key)
        return make_slate(self._replica, self.generation, user, count, wanted, now)

    def user(self, user_key: bytes) -> UserState:
        """Return the state of a user; one nobody knows has an empty state."""
        return self._replica.users.get(user_key) or UserState(0, unknown=True)

    @property
    def tenant(self) -> TenantReplica:
        """Return what slates are made from."""
        return self._replica

    @property
    def generation(self) -> Generation:
        """Return the generation that serves.

        Raises:
            LookupError: none does yet.

        """
        generation = self._replica.generation
        if generation is None:
            raise LookupError("no generation serves yet")
        return generation
