"""What every personal answer starts from: a fresh enough replica and the state of its user."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from harken.common.v1 import subject_pb2
from services.common.consent import NO_PURPOSE, UNDECIDED, Consent, Purpose
from services.common.errors import NotReadyError, StaleError, UnknownTenantError
from services.common.position import Position
from services.common.reloadable import Reloadable
from services.common.validation import DEFAULT_WAIT_SECONDS
from services.ranker.domain.degradation import Degradation
from services.ranker.domain.generation import Generation
from services.ranker.domain.tenant_replica import TenantReplica
from services.ranker.domain.user_state import UserState
from services.ranker.entries_folder import EntriesFolder
from services.ranker.frame_applier import FrameApplier
from services.ranker.readiness import Readiness
from services.ranker.user_states import ProfileAwayError, UserStates


class Freshness(NamedTuple):
    """What a caller asks for: a position of each lane, seconds to wait, and whether to insist."""

    min_position: Position | None
    min_learned_position: Position | None
    budget_seconds: float
    strict: bool


WHATEVER = Freshness(None, None, DEFAULT_WAIT_SECONDS, strict=False)
"""What a caller asks for that says nothing about it."""


class RequestContext(NamedTuple):
    """What an answer is made from, all of one moment.

    non_personal: nothing of the user is in it, as was asked for or as the user wants it. explores:
    whether chance may have a part.
    """

    replica: TenantReplica
    generation: Generation
    user: UserState
    stale: bool
    degradations: tuple[Degradation, ...]
    non_personal: bool = False
    explores: bool = True


class RequestContexts:
    """Finds tenant and user, and waits for freshness, within the caller's budget."""

    def __init__(
        self,
        frames: FrameApplier,
        entries: EntriesFolder,
        readiness: Readiness,
        users: UserStates,
        min_profile_wait_seconds: Reloadable[float],
        max_profile_wait_seconds: float,
        clock: Callable[[], float],
        denied_by_default: Purpose = NO_PURPOSE,
    ) -> None:
        """`denied_by_default`: purposes that users have to grant."""
        self._denied_by_default = denied_by_default
        self._undecided = self._allowed(UNDECIDED)
        self._frames = frames
        self._entries = entries
        self._readiness = readiness
        self._users = users
        self._min_profile_wait = min_profile_wait_seconds
        self._max_profile_wait = max_profile_wait_seconds
        self._clock = clock

    def position(self) -> bytes:
        """Return the position that answers reflect in user states and what hides items."""
        return self._entries.progress.position()

    def learned_position(self) -> bytes:
        """Return the position that answers reflect in what was learned."""
        return self._frames.progress.position()

    def replica(self, tenant: str) -> tuple[TenantReplica, Generation]:
        """Return a tenant's replica and the generation that serves.

        Raises:
            NotReadyError: nothing was caught up with yet.
            UnknownTenantError: the tenant has no catalogue, or it was not heard of yet.

        """
        if not self._readiness.had_caught_up:
            raise NotReadyError("not caught up with the feed yet")
        replica = self._frames.replicas.get(tenant)
        if replica is None:
            raise UnknownTenantError(tenant, heard_by="this ranker")
        if replica.generation is None:
            raise NotReadyError(f"tenant {tenant!r} has no generation yet")
        return replica, replica.generation

    def at_once(self, tenant: str, user_key: bytes, wanted: Freshness) -> RequestContext | None:
        """Return what `personal` would, when nothing has to be waited for; else None.

        Most slates are of users that are held, and of no position: these need no more than that.

        Raises:
            NotReadyError, UnknownTenantError: see `replica`.

        """
        if wanted.min_position is not None or wanted.min_learned_position is not None:
            return None
        replica, generation = self.replica(tenant)
        user = self._users.held(replica, user_key)
        if user is None:
            return None
        return self._consented(replica, generation, user, False, self._lacking(replica))

    def prefetch(self, tenant: str, users: Mapping[bytes, subject_pb2.Subject]) -> set[bytes]:
        """Ask for the states of users whose slates are next, without waiting; return those that
        were not held. `users`: who they are, by stored key.
        """
        replica = self._frames.replicas.get(tenant)
        if replica is None or not self._readiness.had_caught_up:
            return set()
        return {
            user_key
            for user_key, subject in users.items()
            if self._users.prefetch(replica, user_key, subject)
        }

    def set_aside(self, tenant: str, user_key: bytes) -> None:
        """Let the state of a user go first when there are too many."""
        replica = self._frames.replicas.get(tenant)
        if replica is not None:
            replica.users.set_aside(user_key)

    async def personal(
        self,
        tenant: str,
        user_key: bytes,
        subject: subject_pb2.Subject,
        wanted: Freshness,
        deadline_seconds: float | None,
    ) -> RequestContext:
        """Wait until what is wanted is folded, and return what the answer is made from.

        `deadline_seconds`: time left for the whole call, None for no limit.

        Raises:
            NotReadyError, UnknownTenantError: see `replica`.
            EpochLostError: a position that is wanted lies on a fork that was abandoned.
            StaleError: strict, and the answer would not reflect what is wanted.

        """
        began = self._clock()
        limit = float("inf") if deadline_seconds is None else deadline_seconds
        if tenant in self._frames.replicas and self._readiness.had_caught_up:
            # Profile answers while the feed brings what is waited for.
            self._users.prefetch(self._frames.replicas[tenant], user_key, subject)
        reached = await self.reach(tenant, wanted, deadline_seconds)
        while True:
            replica, _ = self.replica(tenant)
            spent = self._clock() - began
            patience = max(wanted.budget_seconds - spent, self._min_profile_wait.value)
            patience = max(0.0, min(patience, self._max_profile_wait, limit - spent))
            context = await self._with_user(replica, user_key, subject, wanted, reached, patience)
            # A snapshot may have replaced the replica meanwhile; its ordinals are others.
            if self._frames.replicas.get(tenant) is replica:
                return context

    async def of_nobody(
        self, tenant: str, wanted: Freshness, deadline_seconds: float | None
    ) -> RequestContext:
        """As `personal`, for a user of whom nothing is known; profile is not asked.

        Raises:
            As `personal`.

        """
        reached = await self.reach(tenant, wanted, deadline_seconds)
        replica, generation = self.replica(tenant)
        user = UserState(0, unknown=True)
        return RequestContext(
            replica, generation, user, not reached, self._lacking(replica), non_personal=True
        )

    async def reach(self, tenant: str, wanted: Freshness, deadline_seconds: float | None) -> bool:
        """Wait until both lanes reflect what is wanted; return whether they do.

        Raises:
            As `personal`.

        """
        # A tenant that what is wanted is about to create is not unknown yet.
        if wanted.min_position is None and wanted.min_learned_position is None:
            self.replica(tenant)
            return True
        budget = wanted.budget_seconds
        if deadline_seconds is not None:
            budget = max(0.0, min(budget, deadline_seconds))
        until = self._clock() + budget
        reached = await self._entries.progress.reach(wanted.min_position, budget, wanted.strict)
        left = max(0.0, until - self._clock())
        learned, field = wanted.min_learned_position, "min_learned_position"
        reached &= await self._frames.progress.reach(learned, left, wanted.strict, field)
        if tenant not in self._frames.replicas:
            # Frames bring it, a moment after its first entries.
            left = max(0.0, until - self._clock())
            await self._frames.progress.reach(wanted.min_position, left, strict=False)
        return reached

    async def _with_user(
        self,
        replica: TenantReplica,
        user_key: bytes,
        subject: subject_pb2.Subject,
        wanted: Freshness,
        reached: bool,
        patience: float,
    ) -> RequestContext:
        degradations = [*self._lacking(replica)]
        try:
            known = await self._users.get(replica, user_key, subject, patience)
        except ProfileAwayError as error:
            # Without its user's state the slate reflects no position at all.
            if wanted.min_position is not None:
                reached = self._unreached(wanted, str(error))
            # What the user agreed to is not known either; nothing personal is here to be used.
            user = UserState(0, consent=Consent(denied=Purpose.EXPLORATION))
            degradations.append(Degradation.PROFILE_UNAVAILABLE)
        else:
            user = known.state
            if known.behind is not None:
                degradations.append(Degradation.PROFILE_BEHIND)
                if wanted.min_position is not None and known.behind < wanted.min_position:
                    reached = self._unreached(wanted, "profile has not reached min_position")
        if replica.generation is None:
            raise NotReadyError(f"tenant {replica.tenant!r} has no generation yet")
        return self._consented(replica, replica.generation, user, not reached, tuple(degradations))

    def _allowed(self, consent: Consent) -> tuple[bool, bool]:
        """Return whether slates may be personal, and chance may have a part."""
        default = self._denied_by_default
        return (
            consent.allows(Purpose.PERSONALISATION, default),
            consent.allows(Purpose.EXPLORATION, default),
        )

    def _consented(
        self,
        replica: TenantReplica,
        generation: Generation,
        user: UserState,
        stale: bool,
        degradations: tuple[Degradation, ...],
    ) -> RequestContext:
        """Return what an answer is made from, of a user as far as the user wants it."""
        # Of most nothing is decided, and flags cost microseconds.
        decided = user.consent is not UNDECIDED
        personal, explores = self._allowed(user.consent) if decided else self._undecided
        if not personal:
            user = UserState(0, unknown=True)
        return RequestContext(
            replica, generation, user, stale, degradations, not personal, explores
        )

    def _lacking(self, replica: TenantReplica) -> tuple[Degradation, ...]:
        """Return what all answers of a replica lack at the moment."""
        if self._readiness.connected and not replica.unserved:
            return ()
        lacks = [] if self._readiness.connected else [Degradation.FEED_DISCONNECTED]
        if replica.unserved:
            lacks.append(Degradation.GENERATION_UNUSABLE)
        return tuple(lacks)

    def _unreached(self, wanted: Freshness, why: str) -> bool:
        if wanted.strict:
            raise StaleError(why)
        return False
