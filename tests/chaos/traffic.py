"""Clients: each user's events form a chain, each sent until it is acknowledged; reads beside."""

import asyncio
import math
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import grpc

from harken.common.v1 import subject_pb2
from harken.feedback.v1 import event_pb2, feedback_service_pb2, retraction_pb2
from harken.profile.v1 import profile_service_pb2
from harken.ranker.v1 import ranker_service_pb2, slate_pb2
from services.cli.clients import Clients
from services.common.position import decode_position
from tests.chaos.model import Acknowledged, Journal
from tests.chaos.report import BAD_INPUT, DOUBLED, LOST, POSITION, READ, STALE, UNANSWERED, Report

_PAUSE_SECONDS = 0.02
_CALL_SECONDS = 10.0
_PATIENCE_SECONDS = 120.0
"""Each fault is healed within seconds: what is not acknowledged by then waits for nothing."""
_RETRACTED_OF_LAST = 20
_NARROWED = 0.6
_NEWEST_EVENTS, _OTHERS, _ROOM = 5, 3, 100
_BUDGETS_MILLISECONDS = (0, 200, 1000)
_TAKEN_BACK = (
    retraction_pb2.RETRACTION_OUTCOME_RETRACTED,
    retraction_pb2.RETRACTION_OUTCOME_ALREADY_RETRACTED,
)
_Answer = TypeVar("_Answer")
_DONE = (event_pb2.EVENT_OUTCOME_ACCEPTED, event_pb2.EVENT_OUTCOME_DUPLICATE)


class Sender:
    """One client with users of its own."""

    def __init__(
        self, number: int, seed: int, clients: Clients, items: Sequence[str],
        journal: Journal, report: Report, most: int,
        users: int, ahead: Callable[[], bool],
    ) -> None:  # fmt: skip
        """Send up to `most` events in one call, none while those of all senders are ahead."""
        self._number = number
        self._chance = random.Random(f"{seed}-{number}")
        self._clients = clients
        self._items = items
        self._journal = journal
        self._report = report
        self._most = most
        self._ahead = ahead
        self._made = 0
        self._users = [f"user-{number}-{n}" for n in range(users)]
        self._unsure: set[str] = set()
        self._taken_back: dict[str, bytes] = {}
        self.deletions = b""
        """Position of the last item that was deleted."""

    async def run(self, stop: asyncio.Event) -> None:
        """Send and read until told to stop."""
        while not stop.is_set():
            if self._ahead():
                await asyncio.sleep(_PAUSE_SECONDS)
                continue
            events = self._new_events()
            drawn = self._chance.random()
            who = events[-1].subject.user_id
            try:
                await self._record(events)
                if drawn < 0.1:
                    await self._repeat(events)
                elif drawn < 0.3:
                    await self._read_profile(who)
                elif drawn < 0.5:
                    await self._read_slate(who)
                elif drawn < 0.55:
                    await self._send_nan(who)
                elif drawn < 0.62:
                    await self._retract(who)
                elif drawn < 0.67:
                    await self._set_fact(who)
            except grpc.aio.AioRpcError:
                await asyncio.sleep(_PAUSE_SECONDS)

    def _new_events(self) -> list[event_pb2.Event]:
        events = []
        for _ in range(self._chance.randint(1, self._most)):
            events.append(
                event_pb2.Event(
                    event_id=f"{self._number}-{self._made}",
                    subject=subject_pb2.Subject(user_id=self._chance.choice(self._users)),
                    item_id=self._chance.choice(self._items),
                    type="play",
                )
            )
            self._made += 1
        return events

    async def _send(
        self, events: Sequence[event_pb2.Event]
    ) -> feedback_service_pb2.RecordEventsResponse:
        request = feedback_service_pb2.RecordEventsRequest(events=events)
        answer: feedback_service_pb2.RecordEventsResponse
        answer = await self._clients.feedback.RecordEvents(request, timeout=_CALL_SECONDS)
        return answer

    async def _record(self, events: list[event_pb2.Event]) -> None:
        users = {one.subject.user_id for one in events}
        answer = await self._until_answered(users, lambda: self._send(events))
        noted = []
        for one, result in zip(events, answer.results, strict=True):
            if result.outcome not in _DONE:
                self._report.complain(BAD_INPUT, "outcomes", f"{one.event_id}: {result}")
                continue
            sequence = decode_position(result.position).sequence
            noted.append(Acknowledged(one.event_id, one.subject.user_id, one.item_id, sequence))
        self._journal.note(noted)
        self._report.acknowledged += len(noted)

    async def _until_answered(
        self, users: set[str], call: Callable[[], Awaitable[_Answer]]
    ) -> _Answer:
        """Make a call that changes users until it is answered: only then it is known what is."""
        tries, began = 0, time.monotonic()
        while True:
            try:
                return await call()
            except grpc.aio.AioRpcError as error:
                tries += 1
                if time.monotonic() - began > _PATIENCE_SECONDS:
                    self._unsure |= users
                    self._report.complain(UNANSWERED, "senders", f"{tries} tries: {error!r}"[:300])
                    raise
                await asyncio.sleep(_PAUSE_SECONDS)

    async def _retract(self, who: str) -> None:
        """Truth 2: an event is taken back once, whatever is retried."""
        standing = self._journal.standing(who)[-_RETRACTED_OF_LAST:]
        if not standing:
            return
        event_id = self._chance.choice(standing).event_id
        request = feedback_service_pb2.RetractEventsRequest(event_ids=[event_id])

        async def call() -> feedback_service_pb2.RetractEventsResponse:
            answer: feedback_service_pb2.RetractEventsResponse
            answer = await self._clients.feedback.RetractEvents(request, timeout=_CALL_SECONDS)
            return answer

        answer = await self._until_answered({who}, call)
        if answer.results[0].outcome not in _TAKEN_BACK:
            self._report.complain(LOST, "retractions", f"{event_id}: {answer.results[0]}")
            return
        self._journal.note_retracted(event_id, decode_position(answer.position).sequence)
        self._report.retracted += 1
        self._taken_back[who] = answer.position

    async def _set_fact(self, who: str) -> None:
        self._made += 1
        value = self._made
        request = profile_service_pb2.UpdateProfileRequest()
        request.profile.subject.user_id = who
        request.profile.attributes["number"] = value

        async def call() -> object:
            return await self._clients.profile.UpdateProfile(request, timeout=_CALL_SECONDS)

        await self._until_answered({who}, call)
        self._journal.note_fact(who, value)
        self._report.facts += 1

    async def _repeat(self, events: list[event_pb2.Event]) -> None:
        """Truth 2: the same again answers DUPLICATE with the same position."""
        answer = await self._send(events)
        for one, result in zip(events, answer.results, strict=True):
            if result.outcome == event_pb2.EVENT_OUTCOME_ACCEPTED:
                self._report.complain(DOUBLED, "repeated calls", f"{one.event_id} taken again")
            elif result.outcome != event_pb2.EVENT_OUTCOME_DUPLICATE:
                self._report.complain(BAD_INPUT, "repeated calls", f"{one.event_id}: {result}")
            elif (
                decode_position(result.position).sequence
                != self._journal.events[one.event_id].sequence
            ):
                self._report.complain(POSITION, "repeated calls", f"{one.event_id} moved")

    async def _send_nan(self, who: str) -> None:
        """An event whose value is no number is set aside, or rejected; it is never learned."""
        event = event_pb2.Event(
            event_id=f"nan-{self._number}-{self._made}",
            subject=subject_pb2.Subject(user_id=who),
            item_id=self._items[0],
            type="play",
            value=math.nan,
        )
        for result in (await self._send([event])).results:
            if result.outcome in _DONE:
                self._report.complain(BAD_INPUT, "bad input", f"NaN was taken: {result}")

    async def _read_profile(self, who: str) -> None:
        """Truth 8: what does not say stale holds all that was acknowledged before."""
        chain = self._journal.standing(who)
        answer = await self.profile(who, wait_seconds=0.2)
        self._report.reads += 1
        if answer.stale or who in self._unsure:
            return
        counted = answer.profile.counters.events
        if counted < len(chain):
            self._report.complain(
                STALE, "reads of profiles", f"{who} has {counted} events, not {len(chain)}"
            )
        elif counted > len(chain):
            self._report.complain(
                DOUBLED, "reads of profiles", f"{who} has {counted} events, not {len(chain)}"
            )
        if chain and chain[-1].item not in answer.profile.seen_item_ids:
            self._report.complain(READ, "reads of profiles", f"{who} did not see {chain[-1]}")

    async def profile(
        self, who: str, wait_seconds: float
    ) -> profile_service_pb2.GetProfileResponse:
        """Return the profile of a user as of its last event, or a stale one."""
        request = profile_service_pb2.GetProfileRequest(
            subject=subject_pb2.Subject(user_id=who), include_seen=True,
            min_position=await self._position(who),
        )  # fmt: skip
        request.wait_budget.FromMilliseconds(int(wait_seconds * 1e3))
        answer: profile_service_pb2.GetProfileResponse
        answer = await self._clients.profile.GetProfile(request, timeout=_CALL_SECONDS)
        return answer

    async def _position(self, who: str) -> bytes:
        """Return the position of what a user did last: of an event, as repeating it names it."""
        last = self._journal.of_user[who][-1]
        taken_back = self._taken_back.get(who, b"")
        if taken_back and decode_position(taken_back).sequence > last.sequence:
            return taken_back
        event = event_pb2.Event(
            event_id=last.event_id, subject=subject_pb2.Subject(user_id=who),
            item_id=last.item, type="play",
        )  # fmt: skip
        return bytes((await self._send([event])).position)

    async def _read_slate(self, who: str) -> None:
        """Truths 8 and 9: a slate that is not stale shows nothing played, and nothing deleted."""
        chain = self._journal.standing(who)
        played = {one.item for one in chain}
        position = await self._position(who)
        later = self.deletions
        if later and decode_position(position).sequence < decode_position(later).sequence:
            position = later
        gone = set(self._journal.deleted)
        request = ranker_service_pb2.RecommendRequest(
            subject=subject_pb2.Subject(user_id=who), count=10, min_position=position,
            filter=slate_pb2.Filter(seen_by_any_event=True),
        )  # fmt: skip
        wanted = self._narrowed(request, who) if self._chance.random() < _NARROWED else set()
        request.wait_budget.FromMilliseconds(self._chance.choice(_BUDGETS_MILLISECONDS))
        ranker = self._chance.choice(self._clients.rankers)
        answer = await ranker.Recommend(request, timeout=_CALL_SECONDS)
        self._report.reads += 1
        if answer.stale or who in self._unsure:
            return
        if decode_position(answer.position).sequence < decode_position(position).sequence:
            self._report.complain(STALE, "reads of slates", f"{who}: an older position as fresh")
        found = {slot.item_id for slot in answer.slots}
        shown = (played | gone) & found
        if shown:
            self._report.complain(READ, "reads of slates", f"{who} was shown {sorted(shown)[:3]}")
        lacking = wanted - played - found
        # The log begins with the generation and the catalogue: until that is learned some lack.
        learned = decode_position(answer.learned_position).sequence
        if lacking and learned > len(self._items):
            self._report.complain(
                READ,
                "reads of slates",
                f"{who} was not shown {sorted(lacking)[:3]}: {answer}"[:500],
            )

    def _narrowed(self, request: ranker_service_pb2.RecommendRequest, who: str) -> set[str]:
        """Ask for a few items only, of the newest events and others; return them.

        Each of them that may be shown is: there is room for all.
        """
        newest = [one.item for one in self._journal.of_user[who][-_NEWEST_EVENTS:]]
        wanted = {*newest, *self._chance.sample(self._items, _OTHERS)}
        request.excluded_item_ids.extend(item for item in self._items if item not in wanted)
        request.count = _ROOM
        return wanted

    @property
    def users(self) -> Sequence[str]:
        """Users of this client that have events, all of them acknowledged."""
        known = self._journal.of_user
        return [who for who in self._users if known.get(who) and who not in self._unsure]
