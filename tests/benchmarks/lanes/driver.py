"""Client of one suite, in a process of its own with the stubs of that suite's tree.

    python driver.py FEEDBACK PROFILE RANKER       with PYTHONPATH of the tree

Reads commands from standard input, one JSON object a line: `do` names a function below, the rest
are its arguments; answers each with a line of JSON. Uses only what both trees have.
"""

import asyncio
import gc
import inspect
import itertools
import json
import random
import sys
import time
import traceback
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import asyncpg
import grpc
import uvloop

from harken.feedback.v1 import catalog_service_pb2, feedback_service_pb2
from harken.profile.v1 import profile_service_pb2
from harken.ranker.v1 import ranker_service_pb2

ITEMS, USERS, CATEGORIES = 2_000, 2_000, 20
WARM_EVENTS = 10_000
_EVENTS_OF_A_USER = 50
DEADLINE_SECONDS = 10.0
_PATIENCE_SECONDS = 300.0
_POLL_SECONDS = 0.01
_SEQUENCE_BYTES = 8
"""At the end of a position."""
_AGAIN = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED)
_NOT_YET = (*_AGAIN, grpc.StatusCode.NOT_FOUND)


class Driver:
    """What a suite can be told to go through."""

    def __init__(self, feedback: str, profile: str, ranker: str) -> None:
        to = {"feedback": feedback, "profile": profile, "ranker": ranker}
        self._channels = {one: grpc.aio.insecure_channel(target) for one, target in to.items()}
        self._record = self._call("feedback", feedback_service_pb2, "FeedbackService/RecordEvents")
        self._upsert = self._call("feedback", catalog_service_pb2, "CatalogService/UpsertItems")
        self._profile = self._call("profile", profile_service_pb2, "ProfileService/GetProfile")
        self._slate = self._call("ranker", ranker_service_pb2, "RankerService/Recommend")
        self._run = uuid.uuid4().hex[:8]
        self._numbers = itertools.count()
        self._chance = random.Random(1)
        self._asked_for: set[str] = set()
        """Users whose slates were asked for: the ranker holds them."""

    def _call(self, channel: str, module: Any, method: str) -> Any:
        path, made, answered = named(module, method)
        return self._channels[channel].unary_unary(
            path, request_serializer=made.SerializeToString, response_deserializer=answered
        )

    def events(self, count: int) -> Any:
        """Return a request with events that nobody sent before, of users and items by chance."""
        return self._events((self._user(), self._item()) for _ in range(count))

    def _events(self, acts: Any) -> Any:
        request = feedback_service_pb2.RecordEventsRequest()
        for user, item in acts:
            event = request.events.add()
            event.event_id = f"{self._run}-{next(self._numbers):08d}"
            event.subject.user_id = f"user-{user}"
            event.item_id = f"item-{item}"
            event.type = "view"
        return request

    def _user(self) -> int:
        return self._chance.randrange(USERS)

    def _item(self) -> int:
        return min(int(self._chance.expovariate(8 / ITEMS)), ITEMS - 1)

    def slate(self, user: str, position: bytes = b"", *, preview: bool = False) -> Any:
        """Return a request for a slate of ten; strict where a position is given."""
        self._asked_for.add(user)
        request = ranker_service_pb2.RecommendRequest(count=10, preview=preview)
        request.subject.user_id = user
        if position:
            request.min_position = position
            request.strict = True
            request.wait_budget.FromSeconds(5)
        return request

    async def fill(self) -> dict[str, Any]:
        """Have a catalogue, some history, and everything warm."""
        for first in range(0, ITEMS, 500):
            items = catalog_service_pb2.UpsertItemsRequest()
            for number in range(first, first + 500):
                item = items.items.add()
                item.item_id = f"item-{number}"
                item.title = f"Title {number % 97} of {number % 13}"
                item.categories.append(f"category-{number % CATEGORIES}")
            await self._upsert(items, timeout=60)
        for _ in range(WARM_EVENTS // 500):
            position = (await self._record(self.events(500), timeout=60)).position
        await self._reached(position)
        return await self.pairs(30, 4)

    async def samples(self) -> dict[str, str]:
        """Return what is answered to one event and to one strict slate, as hexadecimal digits."""
        request = self.events(1)
        recorded = await self._record(request, timeout=DEADLINE_SECONDS)
        user = request.events[0].subject.user_id
        slate = await self._slate(self.slate(user, recorded.position), timeout=DEADLINE_SECONDS)
        return {"record": recorded.SerializeToString().hex(),
                "slate": slate.SerializeToString().hex()}  # fmt: skip

    async def load(self, rate: float, seconds: float, batch: int = 1) -> dict[str, Any]:
        """Record `rate` events a second in calls of `batch`, whatever comes back."""
        calls = _Calls()

        async def record(due: float) -> None:
            await calls.timed(due, self._record(self.events(batch), timeout=DEADLINE_SECONDS))

        await _open_loop(rate / batch, seconds, record)
        return {"events": batch * len(calls.seconds), **calls.figures()}

    async def reach(self) -> dict[str, float]:
        """Wait until everybody has what was recorded so far; return the seconds."""
        began = time.perf_counter()
        answer = await self._record(self.events(1), timeout=DEADLINE_SECONDS)
        reached = await self._reached(answer.position)
        return {name: at - began for name, at in reached.items()}

    async def _reached(self, position: bytes) -> dict[str, float]:
        """Wait until profile, ranker and learner have a position; return when each had it."""
        ways = (self._profile_has, self._ranker_has, self._learner_has)
        found = await asyncio.gather(*(way(position) for way in ways))
        return dict(zip(("profile", "ranker", "learner"), found, strict=True))

    async def _profile_has(self, position: bytes) -> float:
        request = profile_service_pb2.GetProfileRequest(min_position=position, strict=True)
        request.subject.user_id = "user-0"
        request.wait_budget.FromSeconds(5)
        # That nothing is known of the user is an answer, too.
        return await _until_ok(
            lambda: self._profile(request, timeout=DEADLINE_SECONDS), grpc.StatusCode.NOT_FOUND
        )

    async def _ranker_has(self, position: bytes) -> float:
        request = self.slate("user-0", position, preview=True)
        return await _until_ok(lambda: self._slate(request, timeout=DEADLINE_SECONDS))

    async def _learner_has(self, position: bytes) -> float:
        if (
            "min_learned_position"
            not in ranker_service_pb2.RecommendRequest.DESCRIPTOR.fields_by_name
        ):
            # A ranker knows nothing before the learner does.
            return await self._ranker_has(position)
        request = self.slate("user-0", position, preview=True)
        request.ClearField("min_position")
        request.min_learned_position = position
        return await _until_ok(lambda: self._slate(request, timeout=DEADLINE_SECONDS))

    async def through(self, events: int, callers: int, batch: int) -> dict[str, Any]:
        """Record events from callers that follow one after the other, until everybody has them."""
        # Made before the clock starts.
        waiting = [self.events(batch) for _ in range(events // batch)]
        refused: Counter[str] = Counter()
        last = b""

        async def caller() -> None:
            nonlocal last
            while waiting:
                request = waiting.pop()
                position = await self._record_again(request, refused)
                if _sequence(position) > _sequence(last):
                    last = position

        began = time.perf_counter()
        await asyncio.gather(*(caller() for _ in range(callers)))
        recorded = time.perf_counter() - began
        reached = {name: at - began for name, at in (await self._reached(last)).items()}
        return {"events": events, "refused": dict(refused), "seconds": max(reached.values()),
                "recorded": recorded, **reached}  # fmt: skip

    async def _record_again(self, request: Any, refused: Counter[str]) -> bytes:
        """Record until it is not refused; return the position."""
        while True:
            try:
                position: bytes = (await self._record(request, timeout=60)).position
            except grpc.aio.AioRpcError as error:
                if error.code() not in _AGAIN:
                    raise
                refused[error.code().name] += 1
                await asyncio.sleep(5 * _POLL_SECONDS)
            else:
                return position

    async def record(
        self, callers: int, seconds: float, target: str = "", path: str = ""
    ) -> dict[str, Any]:
        """Record single events from callers that follow one after the other, at the suite or, in
        the same bytes, at another target and path; return calls a second.
        """
        call = self._record
        if target:
            channel = self._channels.setdefault(target, grpc.aio.insecure_channel(target))
            _, made, answered = named(feedback_service_pb2, "FeedbackService/RecordEvents")
            call = channel.unary_unary(
                path, request_serializer=made.SerializeToString, response_deserializer=answered
            )
        begin = time.perf_counter() + 0.5
        end = begin + seconds
        counts: Counter[str] = Counter()

        async def caller() -> None:
            while (now := time.perf_counter()) < end:
                try:
                    answer = await call(self.events(1), timeout=DEADLINE_SECONDS)
                except grpc.aio.AioRpcError as error:
                    counts[error.code().name] += 1
                    continue
                assert answer.position
                # The first ones warm up.
                counts["ok" if now >= begin else "warm"] += 1

        await asyncio.gather(*(caller() for _ in range(callers)))
        return {"rate": counts["ok"] / (time.perf_counter() - begin), "counts": counts}

    async def fresh(self, count: int) -> dict[str, list[Any]]:
        """Record an event, then ask for its user's strict slate; return the seconds of both, and
        whether the ranker held the user before.
        """
        recorded: list[float] = []
        effects: list[float] = []
        held: list[bool] = []
        for _ in range(count):
            request = self.events(1)
            user = request.events[0].subject.user_id
            held.append(user in self._asked_for)
            began = time.perf_counter()
            answer = await self._record(request, timeout=DEADLINE_SECONDS)
            middle = time.perf_counter()
            await self._slate(self.slate(user, answer.position), timeout=DEADLINE_SECONDS)
            recorded.append(middle - began)
            effects.append(time.perf_counter() - middle)
        return {"record": recorded, "effect": effects, "held": held}

    async def commit_and_echoes(self, count: int, dsn: str, target: str) -> dict[str, list[float]]:
        """Commit one row and call an echo twice, one after the other; return the seconds."""
        connection = await asyncpg.connect(dsn)
        channel = self._channels.setdefault(target, grpc.aio.insecure_channel(target))
        record: Any = channel.unary_unary("/floor/Record")
        slate: Any = channel.unary_unary("/floor/Slate")
        effects = []
        for _ in range(count):
            request = self.events(1)
            payload = request.SerializeToString()
            ask = self.slate(request.events[0].subject.user_id, bytes(15)).SerializeToString()
            began = time.perf_counter()
            await connection.execute("INSERT INTO floor (payload) VALUES ($1)", payload)
            await record(payload)
            await slate(ask)
            effects.append(time.perf_counter() - began)
        await connection.close()
        return {"effect": effects}

    async def slates(
        self, rate: float, seconds: float, events: float = 0.0, batch: int = 1
    ) -> dict[str, Any]:
        """Ask for `rate` slates a second, beside `events` a second in calls of `batch`."""
        calls = _Calls()

        async def ask(due: float) -> None:
            request = self.slate(f"user-{self._user()}")
            await calls.timed(due, self._slate(request, timeout=DEADLINE_SECONDS))

        beside: Any = {}
        asking = asyncio.create_task(_open_loop(rate, seconds, ask))
        if events:
            beside = await self.load(events, seconds, batch)
        await asking
        return {**calls.figures(), "beside": beside}

    async def pairs(self, rate: float, seconds: float) -> dict[str, Any]:
        """Record `rate` single events a second, each followed by its user's strict slate."""
        both, effects = _Calls(), _Calls()

        async def pair(due: float) -> None:
            await both.timed(due, self._pair(effects))

        await _open_loop(rate, seconds, pair)
        return {**both.figures(), "effect": effects.figures()}

    async def _pair(self, effects: "_Calls") -> None:
        request = self.events(1)
        user = request.events[0].subject.user_id
        answer = await self._record(request, timeout=DEADLINE_SECONDS)
        ask = self.slate(user, answer.position)
        await effects.timed(time.perf_counter(), self._slate(ask, timeout=DEADLINE_SECONDS))

    async def history(self, events: int) -> dict[str, Any]:
        """Record what new people do: some do much, most little, and items are as skewed."""
        chance = random.Random(events)
        count = max(1, events // _EVENTS_OF_A_USER)
        active = [chance.lognormvariate(0, 1.2) for _ in range(count)]
        users = chance.choices(range(USERS, USERS + count), active, k=events)
        liked = [1 / (10 + rank) ** 0.9 for rank in range(ITEMS)]
        acts = list(zip(users, chance.choices(range(ITEMS), liked, k=events), strict=True))
        refused: Counter[str] = Counter()
        position = b""
        for first in range(0, events, 100):
            request = self._events(acts[first : first + 100])
            position = await self._record_again(request, refused)
        await self._reached(position)
        return {"events": events, "users": len(set(users)), "refused": dict(refused)}


class _Calls:
    """Seconds that calls took since they were due; of those that failed, no end."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self.failed: Counter[str] = Counter()

    async def timed(self, due: float, call: Awaitable[Any]) -> None:
        try:
            await call
        except grpc.aio.AioRpcError as error:
            self.failed[error.code().name] += 1
            self.seconds.append(float("inf"))
        else:
            self.seconds.append(time.perf_counter() - due)

    def figures(self) -> dict[str, Any]:
        p50, p99 = (percentile(self.seconds, one) for one in (50, 99))
        return {"calls": len(self.seconds), "failed": dict(self.failed), "p50": p50, "p99": p99}


def percentile(values: Sequence[float], percent: float) -> float:
    """Return the smallest value that so many percent do not exceed."""
    ranked = sorted(values)
    return ranked[max(0, -(-len(ranked) * int(percent) // 100) - 1)]


def named(module: Any, method: str) -> tuple[str, Any, Any]:
    """Return path, class of requests and reader of answers of a method like "Service/Call"."""
    service, _, name = method.partition("/")
    found = module.DESCRIPTOR.services_by_name[service]
    described = found.methods_by_name[name]
    request = getattr(module, described.input_type.name)
    answer = getattr(module, described.output_type.name)
    return f"/{found.full_name}/{name}", request, answer.FromString


def _sequence(position: bytes) -> int:
    return int.from_bytes(position[-_SEQUENCE_BYTES:], "big")


async def _open_loop(rate: float, seconds: float, call: Callable[[float], Awaitable[None]]) -> None:
    """Begin `rate` calls a second at fixed times, then wait for all."""
    async with asyncio.TaskGroup() as group:
        begin = time.perf_counter() + 0.01
        for number in range(int(rate * seconds)):
            due = begin + number / rate
            ahead = due - time.perf_counter()
            if ahead > 0:
                await asyncio.sleep(ahead)

            async def one(due: float = due) -> None:
                await call(due)

            group.create_task(one())


async def _until_ok(call: Callable[[], Awaitable[Any]], *good: grpc.StatusCode) -> float:
    """Call until it succeeds, or ends in a code that is as good; return when it did."""
    end = time.perf_counter() + _PATIENCE_SECONDS
    while True:
        try:
            await call()
        except grpc.aio.AioRpcError as error:
            code = error.code()
            if code not in good:
                if code not in _NOT_YET or time.perf_counter() > end:
                    raise
                await asyncio.sleep(_POLL_SECONDS)
                continue
        return time.perf_counter()


def _said(error: BaseException) -> str:
    """Return an error in one line, with the functions that it went through."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    frames = traceback.extract_tb(error.__traceback__)
    way = " > ".join(frame.name for frame in frames if frame.filename == __file__)
    if isinstance(error, grpc.aio.AioRpcError):
        return f"{error.code().name}: {error.details()} in {way}"
    return f"{type(error).__name__}: {error} in {way}"


async def main(targets: Sequence[str]) -> None:
    """Do what is asked until nothing more is."""
    driver = Driver(*targets)
    gc.collect()
    gc.freeze()
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        asked = json.loads(line)
        try:
            done = getattr(driver, asked.pop("do"))(**asked)
            answer = {"done": await done if inspect.isawaitable(done) else done}
        except Exception as error:  # whoever asked has to know, whatever it is
            answer = {"failed": _said(error)}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1:]))
