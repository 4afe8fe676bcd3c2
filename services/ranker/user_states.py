"""User states: from the cache, and on a miss from the profile service."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import grpc
import numpy as np

from harken.profile.v1 import profile_pb2, profile_service_pb2_grpc
from harken.profile.v1 import profile_service_pb2 as pb
from services.common.logs import logger
from services.common.position import Position, decode_position
from services.common.progress import Applied, Progress
from services.common.user_key import subject_of
from services.ranker.domain.arrays import Ordinals
from services.ranker.domain.seen_items import SEEN, UNKNOWN_KIND
from services.ranker.domain.tenant_replica import TenantReplica
from services.ranker.domain.user_state import RECENT, UserState
from services.ranker.metrics import RankerMetrics

_BATCH = 16
_ANSWER_BYTES = 16 * 1024 * 1024
"""Users asked for in one call, and what we take for them: the pairs of users and items that 16 of
them can have seen, with ids of 128 bytes, fit."""
_log = logger("users")


class ProfileAwayError(Exception):
    """The profile service did not answer in time, or not with something usable."""


@dataclass(frozen=True, slots=True)
class KnownUser:
    """A user state, and the position it reflects when it is behind the replica (else None).

    `answered`: the position that profile's answer reflected; None for a state that was held.
    """

    state: UserState
    behind: Position | None = None
    answered: Position | None = None


class UserStates:
    """Answers misses by BatchGetProfiles; concurrent misses of one user share one call.

    A call goes on when the one who waited for it gave up, so that the next one finds the state.
    """

    def __init__(
        self,
        channel: grpc.aio.Channel,
        progress: Progress,
        metrics: RankerMetrics,
        call_seconds: float,
    ) -> None:
        self._stub: profile_service_pb2_grpc.ProfileServiceAsyncStub
        self._stub = profile_service_pb2_grpc.ProfileServiceStub(channel)  # type: ignore[assignment]
        self._progress = progress
        self._metrics = metrics
        self._call_seconds = call_seconds
        self._asked: dict[tuple[TenantReplica, bytes], asyncio.Future[KnownUser | None]] = {}
        self._queued: dict[TenantReplica, list[bytes]] = {}
        self._calls: set[asyncio.Task[None]] = set()

    def prefetch(self, replica: TenantReplica, user_key: bytes) -> None:
        """Ask for a user who is not held, without waiting: `get` will find the answer, or wait.

        What frames bring until then is added to it, so it may be asked for before the position
        that a caller wants is folded.
        """
        if replica.users.get(user_key) is None and (replica, user_key) not in self._asked:
            self._ask(replica, user_key)

    async def get(self, replica: TenantReplica, user_key: bytes, wait_seconds: float) -> KnownUser:
        """Return the state of a user; one nobody knows has an empty state.

        Raises:
            ProfileAwayError: no usable answer within `wait_seconds`.

        """
        held = replica.users.get(user_key)
        if held is not None:
            self._metrics.user_hits.inc()
            return KnownUser(held)
        self._metrics.user_misses.inc()
        answer = self._asked.get((replica, user_key)) or self._ask(replica, user_key)
        await asyncio.wait([answer], timeout=wait_seconds)
        if not answer.done():
            raise ProfileAwayError(f"profile did not answer within {wait_seconds:.3f} s")
        known = answer.result()
        if known is None:
            raise ProfileAwayError("profile did not give a usable answer")
        return known

    def _ask(self, replica: TenantReplica, user_key: bytes) -> asyncio.Future[KnownUser | None]:
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[KnownUser | None] = loop.create_future()
        self._asked[replica, user_key] = answer
        # Before profile is asked: no delta may fall between its answer and our collecting.
        replica.users.expect(user_key)
        if replica not in self._queued:
            self._queued[replica] = []
            loop.call_soon(self._send, replica)
        self._queued[replica].append(user_key)
        return answer

    def _send(self, replica: TenantReplica) -> None:
        user_keys = self._queued.pop(replica)
        for start in range(0, len(user_keys), _BATCH):
            call = asyncio.ensure_future(self._call(replica, user_keys[start : start + _BATCH]))
            self._calls.add(call)
            call.add_done_callback(self._calls.discard)

    async def _call(self, replica: TenantReplica, user_keys: list[bytes]) -> None:
        asked_at = self._progress.applied
        known: list[KnownUser] | None = None
        try:
            answer = await self._stub.BatchGetProfiles(
                self._request(replica, user_keys), timeout=self._call_seconds
            )
            known = _read(answer, replica, len(user_keys), asked_at)
        except (grpc.aio.AioRpcError, ProfileAwayError) as error:
            self._metrics.user_failures.inc(len(user_keys))
            _log.warning("profile is away", users=len(user_keys), error=_text(error))
        finally:
            for place, user_key in enumerate(user_keys):
                self._settle(replica, user_key, None if known is None else known[place])

    def _request(
        self, replica: TenantReplica, user_keys: list[bytes]
    ) -> pb.BatchGetProfilesRequest:
        request = pb.BatchGetProfilesRequest(
            tenant=replica.tenant,
            subjects=[subject_of(user_key) for user_key in user_keys],
            include_seen=True,
            seen_by_type=True,
            max_answer_bytes=_ANSWER_BYTES,
        )
        if self._progress.applied.version > 0:
            request.min_position = self._progress.position()
        # Leaves profile the time to answer what it has when it cannot catch up.
        request.wait_budget.FromMicroseconds(int(self._call_seconds * 0.8e6))
        return request

    def _settle(self, replica: TenantReplica, user_key: bytes, known: KnownUser | None) -> None:
        if known is None or known.behind is not None:
            # Not held: deltas between that state and now were never seen.
            replica.users.abandon(user_key)
        elif not replica.users.fulfil(user_key, known.state):
            # An event was taken back meanwhile, and this answer still has it.
            known = KnownUser(known.state, known.answered)
        answer = self._asked.pop((replica, user_key))
        if not answer.done():
            answer.set_result(known)


def _text(error: Exception) -> str:
    if isinstance(error, grpc.aio.AioRpcError):
        return f"{error.code().name}: {error.details()}"
    return str(error)


def _read(
    answer: pb.BatchGetProfilesResponse | None,
    replica: TenantReplica,
    users: int,
    asked_at: Applied,
) -> list[KnownUser]:
    # What gRPC makes of bytes that cannot be decoded, with status OK.
    if answer is None:
        raise ProfileAwayError("profile's answer cannot be decoded")
    if len(answer.results) != users:
        raise ProfileAwayError(f"profile answered {len(answer.results)} of {users} users")
    if answer.epoch != asked_at.epoch and asked_at.version > 0:
        raise ProfileAwayError(f"profile is in epoch {answer.epoch}, not in {asked_at.epoch}")
    try:
        answered = decode_position(answer.position)
        behind = answered if answer.stale or answer.version < asked_at.version else None
        return [
            KnownUser(_state(result, replica, answer.version), behind, answered)
            for result in answer.results
        ]
    except ValueError as error:
        raise ProfileAwayError(f"profile's answer is malformed: {error}") from error


def _state(result: pb.ProfileResult, replica: TenantReplica, version: int) -> UserState:
    if not result.HasField("profile"):
        return UserState(version, unknown=True)
    state = result.profile.state
    return UserState(
        version,
        _recent(state, replica),
        _seen(result.profile, replica),
        _vector(state, replica),
        state.generation_id,
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


def _vector(state: profile_pb2.UserState, replica: TenantReplica) -> np.ndarray | None:
    if not state.vector:
        return None
    vector = np.frombuffer(state.vector, dtype="<f4")
    if not np.isfinite(vector).all():
        raise ValueError("a vector is not finite")
    generation = replica.generation
    if (
        generation is not None
        and state.generation_id == generation.generation_id
        and vector.size != generation.dimension
    ):
        raise ValueError(f"a vector has {vector.size} values, not {generation.dimension}")
    return vector
