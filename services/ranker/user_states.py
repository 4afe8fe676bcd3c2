"""User states: from the cache, and on a miss from the profile service."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import grpc
import numpy as np

from harken.common.v1 import subject_pb2
from harken.profile.v1 import profile_pb2, profile_service_pb2_grpc
from harken.profile.v1 import profile_service_pb2 as pb
from services.common.arrays import Ordinals
from services.common.consent import consent_of
from services.common.logs import logger
from services.common.position import Position, decode_position
from services.common.ranking.recent import RECENT
from services.common.user_attributes import attributes_of
from services.common.user_key import Pseudonyms
from services.ranker.domain.seen_items import SEEN, UNKNOWN_KIND
from services.ranker.domain.tenant_replica import TenantReplica
from services.ranker.domain.user_state import PutVector, UserState
from services.ranker.entries_folder import EntriesFolder
from services.ranker.metrics import RankerMetrics

_TRIES = 3
_BATCH = 16
_ANSWER_BYTES = 16 * 1024 * 1024
"""Users asked for in one call, and what we take for them: the pairs of users and items that 16 of
them can have seen, with ids of 128 bytes, fit."""
_log = logger("users")


class ProfileAwayError(Exception):
    """The profile service did not answer in time, or not with something usable."""


@dataclass(frozen=True, slots=True)
class KnownUser:
    """A user state, and the position it reflects when it is behind the replica (else None)."""

    state: UserState
    behind: Position | None = None


@dataclass(frozen=True, slots=True)
class _Answer:
    """What profile answered: by who was asked for, who they are and their states, and the position
    that these reflect.
    """

    states: Mapping[bytes, tuple[bytes, UserState]]
    reached: Position
    stale: bool


class UserStates:
    """Answers misses by BatchGetProfiles; concurrent misses of one user share one call.

    Profile is asked for what it has, as it writes behind: the entries since then are here, and are
    applied to its answer at once. Only where they are not, for the answer is too old or an event
    was taken back since, it is asked again, for a position.

    A call goes on when the one who waited for it gave up, so that the next one finds the state.
    """

    def __init__(
        self,
        channel: grpc.aio.Channel,
        entries: EntriesFolder,
        metrics: RankerMetrics,
        call_seconds: float,
        pseudonyms: Pseudonyms,
    ) -> None:
        self._pseudonyms = pseudonyms
        self._stub: profile_service_pb2_grpc.ProfileServiceAsyncStub
        self._stub = profile_service_pb2_grpc.ProfileServiceStub(channel)  # type: ignore[assignment]
        self._entries = entries
        self._metrics = metrics
        self._call_seconds = call_seconds
        self._asked: dict[tuple[TenantReplica, bytes], asyncio.Future[KnownUser | None]] = {}
        self._queued: dict[TenantReplica, dict[bytes, subject_pb2.Subject]] = {}
        self._calls: set[asyncio.Task[None]] = set()

    def prefetch(
        self, replica: TenantReplica, user_key: bytes, subject: subject_pb2.Subject
    ) -> bool:
        """Ask for a user who is not held, without waiting: `get` will find the answer, or wait.
        Return whether the user is not held.

        Entries that come until then are applied to it, so it may be asked for before the position
        that a caller wants is reached.
        """
        missing = replica.users.get(user_key) is None
        if missing and (replica, user_key) not in self._asked:
            self._ask(replica, user_key, subject)
        return missing

    def held(self, replica: TenantReplica, user_key: bytes) -> UserState | None:
        """Return the state of a user from the cache; None when it is not there."""
        held = replica.users.get(user_key)
        if held is not None:
            self._metrics.user_hits.inc()
        return held

    async def get(
        self,
        replica: TenantReplica,
        user_key: bytes,
        subject: subject_pb2.Subject,
        wait_seconds: float,
    ) -> KnownUser:
        """Return the state of a user; one nobody knows has an empty state.

        Raises:
            ProfileAwayError: no usable answer within `wait_seconds`.

        """
        held = self.held(replica, user_key)
        if held is not None:
            return KnownUser(held)
        self._metrics.user_misses.inc()
        answer = self._asked.get((replica, user_key))
        if answer is None:
            answer = self._ask(replica, user_key, subject)
        await asyncio.wait([answer], timeout=wait_seconds)
        if not answer.done():
            raise ProfileAwayError(f"profile did not answer within {wait_seconds:.3f} s")
        known = answer.result()
        if known is None:
            raise ProfileAwayError("profile did not give a usable answer")
        return known

    def _ask(
        self, replica: TenantReplica, user_key: bytes, subject: subject_pb2.Subject
    ) -> asyncio.Future[KnownUser | None]:
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[KnownUser | None] = loop.create_future()
        self._asked[replica, user_key] = answer
        if replica not in self._queued:
            self._queued[replica] = {}
            loop.call_soon(self._send, replica)
        self._queued[replica][user_key] = subject
        return answer

    def _send(self, replica: TenantReplica) -> None:
        users = list(self._queued.pop(replica).items())
        for start in range(0, len(users), _BATCH):
            call = asyncio.ensure_future(self._call(replica, dict(users[start : start + _BATCH])))
            self._calls.add(call)
            call.add_done_callback(self._calls.discard)

    async def _call(
        self, replica: TenantReplica, users: Mapping[bytes, subject_pb2.Subject]
    ) -> None:
        """Ask for users, given who they are by stored key."""
        lost = self._entries.lost
        left, least = list(users), None
        try:
            for _ in range(_TRIES):
                asked = {user_key: users[user_key] for user_key in left}
                answer = await self._read(replica, asked, least, lost)
                again = self._settle_all(replica, answer)
                left = self._unsettled(replica, left)
                if again is None or answer.stale:
                    break
                least = Position(0, self._entries.progress.applied.epoch, again)
                self._metrics.user_repeats.inc(len(left))
            for user_key in left:
                # Not held: it will not see what comes.
                known = KnownUser(answer.states[user_key][1], answer.reached)
                self._settle(replica, user_key, known)
        except (grpc.aio.AioRpcError, ProfileAwayError) as error:
            self._metrics.user_failures.inc(len(left))
            _log.warning("profile is away", users=len(left), error=_text(error))
        finally:
            for user_key in self._unsettled(replica, users):
                self._settle(replica, user_key, None)

    def _unsettled(self, replica: TenantReplica, user_keys: Iterable[bytes]) -> list[bytes]:
        return [user_key for user_key in user_keys if (replica, user_key) in self._asked]

    async def _read(
        self,
        replica: TenantReplica,
        users: Mapping[bytes, subject_pb2.Subject],
        least: Position | None,
        lost: int,
    ) -> "_Answer":
        request = pb.BatchGetProfilesRequest(
            tenant=replica.tenant,
            subjects=users.values(),
            include_seen=True,
            seen_by_type=True,
            max_answer_bytes=_ANSWER_BYTES,
        )
        if least is not None:
            request.min_position = least.encode()
            # Leaves profile the time to answer what it has when it cannot catch up.
            request.wait_budget.FromMicroseconds(int(self._call_seconds * 0.8e6))
        answer = await self._stub.BatchGetProfiles(request, timeout=self._call_seconds)
        # What gRPC makes of bytes that cannot be decoded, with status OK.
        if answer is None:
            raise ProfileAwayError("profile's answer cannot be decoded")
        if len(answer.results) != len(users):
            raise ProfileAwayError(f"profile answered {len(answer.results)} of {len(users)} users")
        try:
            reached = decode_position(answer.position)
            states = [
                self._whose(result, replica, user_key, reached.sequence)
                for user_key, result in zip(users, answer.results, strict=True)
            ]
        except ValueError as error:
            raise ProfileAwayError(f"profile's answer is malformed: {error}") from error
        if self._entries.lost != lost or not self._entries.progress.holds(reached):
            raise ProfileAwayError(f"profile is at {reached}, which is not on our log")
        return _Answer(dict(zip(users, states, strict=True)), reached, answer.stale)

    def _whose(
        self, result: pb.ProfileResult, replica: TenantReplica, user_key: bytes, sequence: int
    ) -> tuple[bytes, UserState]:
        """Return who a user that was asked for is, and the state."""
        merged: list[bytes] = []
        if result.profile.merged:
            key_of = self._pseudonyms.key_of
            merged = [key_of(replica.tenant, one) for one in result.profile.merged]
            user_key = key_of(replica.tenant, result.profile.subject)
        return user_key, _state(result, replica, sequence, merged)

    def _settle_all(self, replica: TenantReplica, answer: "_Answer") -> int | None:
        """Hold the states that can be brought up to now; return what others must reflect, if any.

        Called without a pause after an answer was read, and here there is none: what comes later
        finds the user held.
        """
        again: int | None = None
        for user_key, (own_key, state) in answer.states.items():
            if state.sequence < self._entries.start:
                least: int | None = self._entries.margin()
            else:
                least = self._entries.bring_up(replica, own_key, state)
            if least is None:
                replica.users.hold(own_key, state)
                self._settle(replica, user_key, KnownUser(state))
            else:
                again = max(least, again or 0)
        return again

    def _settle(self, replica: TenantReplica, user_key: bytes, known: KnownUser | None) -> None:
        answer = self._asked.pop((replica, user_key))
        if not answer.done():
            answer.set_result(known)


def _text(error: Exception) -> str:
    if isinstance(error, grpc.aio.AioRpcError):
        return f"{error.code().name}: {error.details()}"
    return str(error)


def _state(
    result: pb.ProfileResult, replica: TenantReplica, sequence: int, merged: Sequence[bytes]
) -> UserState:
    if not result.HasField("profile"):
        return UserState(sequence, unknown=True)
    state = result.profile.state
    return UserState(
        sequence,
        _recent(state, replica),
        _seen(result.profile, replica),
        _put(state) if state.vector_set else None,
        attributes=attributes_of(result.profile.attributes),
        consent=consent_of(result.profile.consent),
        merged=merged,
    )


def _recent(state: profile_pb2.UserState, replica: TenantReplica) -> np.ndarray:
    recent = np.empty(len(state.recent), dtype=RECENT)
    recent["item"] = replica.ordinals([event.item_id for event in state.recent])
    recent["weight"] = [event.weight for event in state.recent]
    recent["time"] = [
        event.event_time.seconds + event.event_time.nanos / 1e9 for event in state.recent
    ]
    return recent[::-1].copy()


def _seen(profile: profile_pb2.Profile, replica: TenantReplica) -> np.ndarray:
    """Return the seen items. Profile answers newest first, the state is kept newest last."""
    pairs = profile.seen
    if not profile.HasField("seen"):
        # One of an earlier release does not know of types.
        entries = np.zeros(len(profile.seen_item_ids), SEEN)
        entries["item"] = replica.ordinals(list(profile.seen_item_ids))
        entries["kind"] = UNKNOWN_KIND
        return entries[::-1].copy()
    kinds = [replica.users.kinds.number(kind.type, kind.negative) for kind in pairs.kinds]
    items = replica.ordinals(list(pairs.item_ids))
    columns = (pairs.pair_items, pairs.pair_kinds, pairs.pair_times_us)
    if len({len(column) for column in columns}) > 1:
        raise ValueError("columns of seen items differ in length")
    entries = np.empty(len(pairs.pair_items), SEEN)
    entries["item"] = _picked(items, pairs.pair_items)
    entries["kind"] = _picked(np.array(kinds, np.int64), pairs.pair_kinds)
    entries["time"] = pairs.pair_times_us
    return entries[::-1].copy()


def _picked(values: Ordinals, indices: Sequence[int]) -> Ordinals:
    if max(indices, default=-1) >= values.size:
        raise ValueError("seen items point beyond their columns")
    picked: Ordinals = values[np.array(indices, np.int64)]
    return picked


def _put(state: profile_pb2.UserState) -> PutVector:
    vector = np.frombuffer(state.vector, dtype="<f4")
    if not np.isfinite(vector).all():
        raise ValueError("a vector is not finite")
    return PutVector(state.generation_id, vector, state.vector_pinned)
