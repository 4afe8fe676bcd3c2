"""ImportEvents with columns: what becomes of an event is what becomes of it alone (truths 1, 2)."""

import asyncio
import itertools
import math
import re
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Any

import asyncpg
import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harken.common.v1 import subject_pb2
from harken.feedback.v1 import event_columns_pb2
from harken.feedback.v1 import event_pb2 as pb
from harken.feedback.v1 import feedback_service_pb2 as service_pb
from harken.internal.feed.v1 import feed_service_pb2
from harken.internal.log.v1 import entry_pb2
from services.common.position import decode_position
from tests.event_columns import columns_of
from tests.faults import fault_of, fields_of
from tests.feedback.conftest import Client, Connect, FeedbackProcesses, event
from tests.feedback.feed_reader import FeedReader
from tests.waiting import until

EVENTS, COLUMNS = "by-events", "by-columns"

_runs = itertools.count()
# What stands for the run in event ids, so that no two runs share any.
RUN = "RUN"

_ids = st.one_of(
    st.sampled_from([f"{RUN}-{n}" for n in range(6)]),
    st.sampled_from([f"{RUN}-ü", f"{RUN}-with space", f"{RUN}\u2028", f"{RUN}-\U0001f600"]),
    st.sampled_from(["", "x" * 129, "ü" * 65, f"{RUN}\x00", f"{RUN}\x7f", f"{RUN}\n"]),
    st.just(RUN).map(lambda name: name.ljust(120, "y")),
)
_names = st.sampled_from(["a", "b", "ü", "", "n" * 128, "n" * 129, "ü" * 65, "a\x00b"])
_subjects = st.one_of(
    st.sampled_from([subject_pb2.Subject(user_id="a"), subject_pb2.Subject(session_id="a")]),
    st.just(subject_pb2.Subject()),
    st.builds(lambda name: subject_pb2.Subject(user_id=name), _names),
    st.builds(lambda name: subject_pb2.Subject(session_id=name), _names),
)
_items = st.sampled_from(["i0", "i1", "i2", "i2", "nowhere", "", "i" * 129, "i\x1b"])
_types = st.sampled_from(["view", "view", "click", "rating", "purchase", "hide", "teleport", ""])
_values = st.one_of(
    st.none(),
    st.sampled_from([0.0, -0.0, 4.5, 5.0, 5.1, -1.0, 1e9, 7.25, math.nan, math.inf, -math.inf]),
    st.floats(0, 70),
)
_FUTURE_US = 250_000_000_000_000_000
_times = st.one_of(
    st.none(),
    st.sampled_from([0, 1, -1, 63, 64, -64, -65, 1_600_000_000_000_000, -6_000_000_000_000_000]),
    st.sampled_from([-62_135_596_800_000_000, -62_135_596_800_000_001, 253_402_300_800_000_000]),
    st.sampled_from([_FUTURE_US, 2**62, -(2**62)]),
    st.integers(-(2**55), 2**50),
)
_slates = st.sampled_from(["", "", "", "s-1", "s" * 64, "s" * 65, "s\x00", "ß"])
_contexts = st.sampled_from(
    [{}, {}, {}, {"a": "1", "b": "ü"}, {str(n): "" for n in range(17)}, {"a": "v" * 129}]
)


def _event(
    event_id: str,
    subject: subject_pb2.Subject,
    item_id: str,
    kind: str,
    value: float | None,
    time_us: int | None,
    slate_id: str,
    context: dict[str, str],
) -> pb.Event:
    one = pb.Event(
        event_id=event_id, item_id=item_id, type=kind, slate_id=slate_id, context=context
    )
    if subject.WhichOneof("kind"):
        one.subject.CopyFrom(subject)
    if value is not None:
        one.value = value
    if time_us is not None:
        seconds, micros = divmod(time_us, 1_000_000)
        one.event_time.CopyFrom(Timestamp(seconds=seconds, nanos=micros * 1000))
    return one


_any_event = st.builds(_event, _ids, _subjects, _items, _types, _values, _times, _slates, _contexts)
_fine_event = st.builds(
    _event,
    st.sampled_from([f"{RUN}-{n}" for n in range(30)]),
    st.sampled_from([subject_pb2.Subject(user_id="a"), subject_pb2.Subject(session_id="b")]),
    st.sampled_from(["i0", "i1"]),
    st.sampled_from(["view", "click"]),
    st.one_of(st.none(), st.floats(0, 100)),
    st.integers(-(2**50), 1_700_000_000_000_000),
    st.just(""),
    st.just({}),
)
_chunks = st.lists(
    st.one_of(
        st.lists(_any_event, min_size=1, max_size=12), st.lists(_fine_event, min_size=1, max_size=9)
    ),
    min_size=1,
    max_size=3,
)


async def imported(
    client: Client, tenant: str, chunks: Iterable[Sequence[pb.Event]], by_columns: bool
) -> list[service_pb.ImportEventsResponse]:
    async def requests() -> AsyncIterator[service_pb.ImportEventsRequest]:
        for chunk in chunks:
            if by_columns:
                yield service_pb.ImportEventsRequest(tenant=tenant, columns=columns_of(chunk))
            else:
                yield service_pb.ImportEventsRequest(tenant=tenant, events=chunk)

    return [answer async for answer in client.feedback.ImportEvents(requests())]


def plain(answer: service_pb.ImportEventsResponse) -> tuple[Any, ...]:
    """Return what an answer says, but for positions, and for how long it is until an event."""
    faults = [
        (one.ordinal, one.outcome, one.reason, re.sub(r"is \d+ s in", "is N s in", one.detail))
        for one in answer.faults
    ]
    return answer.chunk, answer.accepted, answer.duplicates, faults


async def log_of(admin: asyncpg.Connection, tenant: str, after: int) -> list[tuple[Any, ...]]:
    """Return the events of a tenant after a sequence, in log order, as they are kept."""
    rows = await admin.fetch(
        "SELECT l.entry, l.user_key, e.event_id, e.fingerprint FROM feedback.log l"
        " JOIN feedback.event_ids e ON e.tenant = l.tenant AND e.sequence = l.sequence"
        " WHERE l.tenant = $1 AND l.sequence > $2 ORDER BY l.sequence",
        tenant,
        after,
    )
    return [_kept(row) for row in rows]


async def quarantine_of(admin: asyncpg.Connection, tenant: str) -> list[tuple[Any, ...]]:
    rows = await admin.fetch(
        "SELECT entry, user_key, event_id, fingerprint, reason FROM feedback.quarantine"
        " WHERE tenant = $1 ORDER BY event_id",
        tenant,
    )
    return [(*_kept(row), row["reason"]) for row in rows]


def _kept(row: asyncpg.Record) -> tuple[Any, ...]:
    entry = entry_pb2.Entry.FromString(row["entry"])
    # As text: NaN equals nothing, 0.0 equals -0.0.
    return str(entry), row["user_key"], row["event_id"], row["fingerprint"]


@pytest.fixture
async def tenants(client: Client) -> Client:
    for tenant in (EVENTS, COLUMNS):
        await client.upsert(3, tenant)
    return client


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(_chunks)
async def test_columns_and_events_come_out_the_same(
    tenants: Client, module_admin: asyncpg.Connection, chunks: list[list[pb.Event]]
) -> None:
    run = f"r{next(_runs)}"
    for one in itertools.chain.from_iterable(chunks):
        one.event_id = one.event_id.replace(RUN, run)
    start: int = await module_admin.fetchval("SELECT head FROM feedback.shards")
    expected = await imported(tenants, EVENTS, chunks, by_columns=False)
    found = await imported(tenants, COLUMNS, chunks, by_columns=True)
    assert [*map(plain, found)] == [*map(plain, expected)]
    assert [bool(answer.position) for answer in found] == [bool(a.position) for a in expected]
    assert await log_of(module_admin, COLUMNS, start) == await log_of(module_admin, EVENTS, start)
    assert await quarantine_of(module_admin, COLUMNS) == await quarantine_of(module_admin, EVENTS)
    # An event is the same event whichever way it came before.
    again = await imported(tenants, EVENTS, chunks, by_columns=True)
    for answer, first in zip(again, expected, strict=True):
        assert answer.accepted == 0
        assert answer.duplicates == first.accepted + first.duplicates


async def test_positions_are_those_of_the_log(
    tenants: Client, module_admin: asyncpg.Connection
) -> None:
    """Truth 3: a chunk larger than an insert is in the log without gaps, in its order."""
    events = [event(f"long-{n}", f"u{n % 700}", f"i{n % 3}") for n in range(4500)]
    (answer,) = await imported(tenants, COLUMNS, [events], by_columns=True)
    assert (answer.accepted, answer.duplicates, len(answer.faults)) == (4500, 0, 0)
    rows = await module_admin.fetch(
        "SELECT sequence, event_id FROM feedback.event_ids WHERE event_id LIKE 'long-%'"
        " ORDER BY sequence"
    )
    assert [row["event_id"] for row in rows] == [one.event_id for one in events]
    assert decode_position(answer.position).sequence == rows[-1]["sequence"]


def two() -> event_columns_pb2.EventColumns:
    """Two events that have everything."""
    return columns_of([
        event("wrong-0", value=1.0, slate_id="s", context={"a": "b"}, event_time=Timestamp()),
        event("wrong-1", value=1.0, slate_id="s", context={"a": "b"}, event_time=Timestamp()),
    ])  # fmt: skip


@pytest.mark.parametrize(
    ("change", "wrong", "detail"),
    [
        (lambda c: c.Clear(), "event_ids", "must have 1 to 20000 elements, has 0"),
        (
            lambda c: c.event_ids.extend(map(str, range(19_999))),
            "event_ids",
            "at most 20000 elements",
        ),
        (lambda c: c.subjects.append(0), "subjects", "must have 2 elements as event_ids, has 3"),
        (lambda c: c.items.pop(), "items", "must have 2 elements as event_ids, has 1"),
        (lambda c: c.type_indices.pop(), "type_indices", "must have 2 elements as event_ids"),
        (lambda c: c.subjects.__setitem__(1, 2), "subjects", "element 1 is 2, must be below 2"),
        (lambda c: c.items.__setitem__(0, 2**32 - 1), "items", "element 0 is 4294967295"),
        (lambda c: c.type_indices.__setitem__(1, 1), "type_indices", "element 1 is 1"),
        (lambda c: c.values.pop(), "values", "must be empty or have 2 elements as event_ids"),
        (lambda c: c.has_value.append(True), "has_value", "must be empty or have 2 elements"),
        (lambda c: c.event_times_us.append(1), "event_times_us", "must be empty or have 2"),
        (lambda c: c.has_event_time.append(True), "has_event_time", "must be empty or have 2"),
        (lambda c: c.slate_ids.append("s"), "slate_ids", "must be empty or have 2 elements"),
        (lambda c: c.contexts.pop(), "contexts", "must be empty or have 2 elements"),
    ],
)
async def test_wrong_columns_are_named_and_change_nothing(
    tenants: Client, module_admin: asyncpg.Connection, change: Any, wrong: str, detail: str
) -> None:
    columns = two()
    change(columns)

    async def requests() -> AsyncIterator[service_pb.ImportEventsRequest]:
        yield service_pb.ImportEventsRequest(tenant=COLUMNS, columns=columns)

    error = await fault_of(_all(tenants.feedback.ImportEvents(requests())))
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert f"columns.{wrong}" in fields_of(error)
    assert detail in str(error.details())
    count = await module_admin.fetchval(
        "SELECT count(*) FROM feedback.event_ids WHERE event_id LIKE 'wrong-%'"
    )
    assert count == 0


async def _all(call: Any) -> list[Any]:
    return [answer async for answer in call]


async def test_events_beside_columns_and_neither_are_refused(tenants: Client) -> None:
    for request, wrong in (
        (
            service_pb.ImportEventsRequest(
                tenant=COLUMNS, events=[event("both")], columns=columns_of([event("both")])
            ),
            "columns",
        ),
        (service_pb.ImportEventsRequest(tenant=COLUMNS), "events"),
    ):
        error = await fault_of(_all(tenants.feedback.ImportEvents(iter([request]))))
        assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert fields_of(error) == {wrong}


async def test_chunks_before_a_wrong_one_are_answered_and_kept(
    tenants: Client, module_admin: asyncpg.Connection
) -> None:
    """Truth 1: a chunk is prepared while the one before is appended; its fault comes after."""
    broken = columns_of([event("after-fault")])
    broken.items[0] = 9

    async def requests() -> AsyncIterator[service_pb.ImportEventsRequest]:
        yield service_pb.ImportEventsRequest(
            tenant=COLUMNS, columns=columns_of([event("before-fault")])
        )
        yield service_pb.ImportEventsRequest(tenant=COLUMNS, columns=broken)

    call = tenants.feedback.ImportEvents(requests())
    assert (await call.read()).accepted == 1
    error = await fault_of(call.read())
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    names = await module_admin.fetch(
        "SELECT event_id FROM feedback.event_ids WHERE event_id LIKE '%-fault'"
    )
    assert [row["event_id"] for row in names] == ["before-fault"]


async def test_an_answer_does_not_wait_for_the_next_chunk(tenants: Client) -> None:
    call = tenants.feedback.ImportEvents()
    for number in range(3):
        await call.write(
            service_pb.ImportEventsRequest(
                tenant=COLUMNS, columns=columns_of([event(f"one-by-one-{number}")])
            )
        )
        answer = await asyncio.wait_for(call.read(), 20)
        assert (answer.chunk, answer.accepted) == (number, 1)
    await call.done_writing()


async def test_a_kill_in_the_middle_loses_and_doubles_nothing(
    processes: FeedbackProcesses, connect: Connect, admin: asyncpg.Connection
) -> None:
    """Truths 1 and 2: SIGKILL while chunks are on their way; what is unanswered is sent again."""
    events = [event(f"e{n}", f"u{n % 90}", f"i{n % 3}") for n in range(30_000)]
    chunks = [events[start : start + 5000] for start in range(0, len(events), 5000)]
    process, target = processes.start("feedback")
    client = connect(target)
    await client.upsert(3)
    answered = accepted = 0
    for kills in range(3):
        call = client.feedback.ImportEvents()
        sent = answered

        async def write(call: Any = call, first: int = sent) -> None:
            for chunk in chunks[first:]:
                await call.write(service_pb.ImportEventsRequest(columns=columns_of(chunk)))
            await call.done_writing()

        writer = asyncio.create_task(write())
        if kills < 2:
            answer = await call.read()
            answered, accepted = answered + 1, accepted + answer.accepted
            logged = answered * 5000

            async def is_in_the_middle(logged: int = logged) -> bool:
                count: int = await admin.fetchval("SELECT count(*) FROM feedback.event_ids")
                return count > logged

            await until(is_in_the_middle, "a part of the next chunk to be appended")
            process.kill()
            await asyncio.gather(writer, return_exceptions=True)
            call.cancel()
            process, target = processes.start(f"feedback-{kills}")
            client = connect(target)
            continue
        async for answer in call:
            answered += 1
            accepted += answer.accepted
            assert not answer.faults
            assert answer.accepted + answer.duplicates == 5000
        await writer
    assert answered == len(chunks)
    assert accepted < len(events)
    rows = await admin.fetch("SELECT sequence, entry FROM feedback.log ORDER BY sequence")
    assert [row["sequence"] for row in rows] == list(range(1, len(rows) + 1))
    entries = [entry_pb2.Entry.FromString(row["entry"]) for row in rows]
    names = [entry.event.event_id for entry in entries if entry.HasField("event")]
    assert names == [one.event_id for one in events]


async def test_learning_goes_on_beside_an_import(
    processes: FeedbackProcesses, connect: Connect
) -> None:
    """The learner rests between steps while history is appended, and does not starve."""
    _, target = processes.start("feedback")
    client = connect(target)
    await client.upsert(3)
    learned = asyncio.Event()

    async def requests() -> AsyncIterator[service_pb.ImportEventsRequest]:
        for chunk in itertools.count():
            if learned.is_set():
                return
            events = [event(f"{chunk}-{n}", f"u{n % 40}", f"i{n % 3}") for n in range(1000)]
            yield service_pb.ImportEventsRequest(columns=columns_of(events))

    async with FeedReader(client, resume=feed_service_pb2.ResumePoint()) as reader:
        await reader.read("welcome")
        answers = aiter(client.feedback.ImportEvents(requests()))
        first = decode_position((await anext(answers)).position)

        async def the_rest() -> int:
            return sum([answer.accepted async for answer in answers])

        rest = asyncio.create_task(the_rest())
        await reader.frames_through(first.sequence)
        assert not rest.done()
        learned.set()
        assert await rest > 0
