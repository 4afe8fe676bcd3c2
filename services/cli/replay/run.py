"""The loop of a replay: ask for a slate, score the group in it, record the group."""

import secrets
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from google.protobuf import timestamp_pb2

from harken.common.v1 import subject_pb2
from harken.feedback.v1 import event_pb2, feedback_service_pb2
from harken.ranker.v1 import ranker_service_pb2, slate_pb2
from services.cli.clients import CALL_SECONDS, Clients
from services.cli.failures import CommandError
from services.cli.in_flight import in_flight
from services.cli.replay.source import ReplaySource
from services.cli.subjects import seconds
from services.evaluation.comparison import Comparison
from services.evaluation.group_scorer import GroupScorer
from services.evaluation.metrics import CUTOFF
from services.evaluation.percentiles import Percentiles, percentiles
from services.evaluation.tie_groups import TieGroup, tie_groups

FROZEN_COUNT = 1_000
"""Length of the slates at the split: long enough to remove what a user sees later."""

SAMPLE_EVERY = 20
"""Freshness is measured at every so many groups."""

_MAX_EVENTS = 1_000
_WAIT_SECONDS = 5.0
_SLATES_AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class Step:
    """A group that was replayed, and the slate asked before it.

    Now and then also the slate asked right after it, and how long after the return of RecordEvents
    that slate was there.
    """

    group: TieGroup
    before: ranker_service_pb2.RecommendResponse
    after: ranker_service_pb2.RecommendResponse | None
    after_ms: float | None


@dataclass(frozen=True, slots=True)
class ReplayResult:
    """What a replay measured; durations are in milliseconds."""

    comparison: Comparison
    groups: int
    events: int
    repeats: int
    not_accepted: int
    stale_slates: int
    seconds: float
    freshness_ms: Percentiles | None
    recommend_ms: Percentiles | None
    record_ms: Percentiles | None


class Replay:
    """One replay of one history into one tenant, which must not know the replayed part yet."""

    def __init__(
        self,
        clients: Clients,
        tenant: str,
        source: ReplaySource,
        *,
        await_learning: bool = False,
    ) -> None:
        """`await_learning`: the slates before events reflect what was learned from all earlier
        ones, as those of an evaluation do; otherwise they are what users would have got.
        """
        split = source.split
        self._clients = clients
        self._tenant = tenant
        self._source = source
        self._await_learning = await_learning
        self._learned = b""
        self._frozen: dict[str, Sequence[str]] = {}
        self._positions: dict[str, bytes] = {}
        seen: dict[str, set[str]] = {}
        for event in split.before:
            seen.setdefault(event.user, set()).add(event.item)
        self.comparison = Comparison(split.users_before, split.items_before)
        self._scorer = GroupScorer(self.comparison, seen, lambda user: self._frozen[user])
        self._groups = 0
        self._events = 0
        self._not_accepted = 0
        self._stale = 0
        self._seconds = 0.0
        self._recommend_ms: list[float] = []
        self._record_ms: list[float] = []
        self._freshness_ms: list[float] = []

    async def freeze(self, position: bytes) -> None:
        """Take the slates of all users of the replay as of now, which must be the split.

        Users who are new since the split share one slate: that of somebody unknown.

        Raises:
            CommandError: a ranker has not reached `position`.

        """
        split = self._source.split
        first_events = {event.user: event for event in reversed(split.after)}
        nobody = subject_pb2.Subject(session_id=f"harken-replay-{secrets.token_hex(8)}")
        at_split = self._source.event_of(split.after[0]).event_time
        popular, _ = await self._slate(nobody, FROZEN_COUNT, position, at_split, position)
        self._frozen = dict.fromkeys(first_events, _item_ids(popular))

        async def ask(user: str) -> Sequence[str]:
            subject = self._source.subject_of(first_events[user])
            slate, _ = await self._slate(subject, FROZEN_COUNT, position, at_split, position)
            return _item_ids(slate)

        known = [user for user in first_events if user in split.users_before]
        async for user, slate in in_flight(known, ask, _SLATES_AT_ONCE):
            self._frozen[user] = slate
        if self._stale:
            raise CommandError("a ranker has not caught up with the history before the split")

    async def run(self) -> AsyncIterator[Step]:
        """Replay all groups, one after the other, and yield each when it is done.

        Raises:
            CommandError: the suite knows the events already, or takes none of that age.
            grpc.aio.AioRpcError: the suite refuses or is away.

        """
        started = time.perf_counter()
        for group in tie_groups(self._source.split.after):
            subject = self._source.subject_of(group.events[0])
            known_position = self._positions.get(group.user, b"")
            moment = self._source.event_of(group.events[0]).event_time
            before, took = await self._slate(subject, CUTOFF, known_position, moment, self._learned)
            self._recommend_ms.append(took)
            self._scorer.score(group, _item_ids(before))
            await self._record(group)
            self._groups += 1
            self._events += len(group.events)
            after: ranker_service_pb2.RecommendResponse | None = None
            after_ms: float | None = None
            if self._groups % SAMPLE_EVERY == 0:
                after, after_ms = await self._slate_after(group, subject)
            self._seconds = time.perf_counter() - started
            yield Step(group, before, after, after_ms)

    def result(self) -> ReplayResult:
        """Return what was measured so far."""
        return ReplayResult(
            self.comparison,
            self._groups,
            self._events,
            self._scorer.repeats,
            self._not_accepted,
            self._stale,
            self._seconds,
            percentiles(self._freshness_ms),
            percentiles(self._recommend_ms),
            percentiles(self._record_ms),
        )

    async def _slate(
        self,
        subject: subject_pb2.Subject,
        count: int,
        position: bytes,
        moment: timestamp_pb2.Timestamp,
        learned: bytes = b"",
    ) -> tuple[ranker_service_pb2.RecommendResponse, float]:
        """Return a slate as of a moment of the history, and how long it took in milliseconds.

        It reflects what users did up to `position`, and what was learned up to `learned`.
        """
        request = ranker_service_pb2.RecommendRequest(
            preview=True,
            tenant=self._tenant,
            subject=subject,
            count=count,
            min_position=position,
            min_learned_position=learned,
            as_of=moment,
            # Items on which the user had any event are not scored.
            filter=slate_pb2.Filter(seen_by_any_event=True),
        )
        request.wait_budget.CopyFrom(seconds(_WAIT_SECONDS))
        started = time.perf_counter()
        answer = await self._clients.ranker.Recommend(request, timeout=CALL_SECONDS)
        took = (time.perf_counter() - started) * 1e3
        self._stale += answer.stale
        return answer, took

    async def _record(self, group: TieGroup) -> None:
        for begin in range(0, len(group.events), _MAX_EVENTS):
            request = feedback_service_pb2.RecordEventsRequest(
                tenant=self._tenant,
                events=[
                    self._source.event_of(event)
                    for event in group.events[begin : begin + _MAX_EVENTS]
                ],
            )
            started = time.perf_counter()
            answer = await self._clients.feedback.RecordEvents(request, timeout=CALL_SECONDS)
            self._record_ms.append((time.perf_counter() - started) * 1e3)
            for result in answer.results:
                self._check(result)
            if answer.position:
                self._positions[group.user] = answer.position
                if self._await_learning:
                    self._learned = answer.position

    def _check(self, result: event_pb2.EventResult) -> None:
        if result.outcome == event_pb2.EVENT_OUTCOME_DUPLICATE:
            raise CommandError(
                "the suite knows the history after the split already, so that nothing can be "
                "measured: give --tenant a name that was not used yet"
            )
        if result.reason == event_pb2.EVENT_REASON_TIME_TOO_OLD:
            raise CommandError(
                "the suite takes no events of that age by RecordEvents: start it with "
                "`harken up --any-event-time` (HARKEN_FEEDBACK_MAX_AGE_SECONDS)"
            )
        self._not_accepted += result.outcome != event_pb2.EVENT_OUTCOME_ACCEPTED

    async def _slate_after(
        self, group: TieGroup, subject: subject_pb2.Subject
    ) -> tuple[ranker_service_pb2.RecommendResponse, float]:
        """Return a slate that reflects the group just recorded, and how long it took in ms."""
        position = self._positions.get(group.user, b"")
        moment = self._source.event_of(group.events[-1]).event_time
        slate, took = await self._slate(subject, CUTOFF, position, moment)
        self._freshness_ms.append(took)
        recorded = {event.item for event in group.events}
        if recorded.intersection(_item_ids(slate)) and not (self._stale or self._not_accepted):
            raise CommandError("a slate that claims to be fresh holds an item just seen")
        return slate, took


def _item_ids(slate: ranker_service_pb2.RecommendResponse) -> list[str]:
    return [slot.item_id for slot in slate.slots]
