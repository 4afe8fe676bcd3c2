"""Chunks over ImportEvents against a server by script: order, resuming, chunks of nothing."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

import pytest

from harken.common.v1 import subject_pb2
from harken.feedback.v1 import event_pb2, feedback_service_pb2
from services.cli.clients import connect
from services.cli.imports.event_stream import EventStream
from tests.cli.scripted_suite import BAD_ITEM, ScriptedSuite, serving
from tests.event_columns import columns_of


@dataclass
class ColumnChunk:
    """A chunk of columns; `asked` counts how often its request was made."""

    number: int
    events: Sequence[event_pb2.Event]
    asked: int = 0

    def request(self, tenant: str) -> feedback_service_pb2.ImportEventsRequest | None:
        self.asked += 1
        if not self.events:
            return None
        columns = columns_of(self.events)
        return feedback_service_pb2.ImportEventsRequest(tenant=tenant, columns=columns)


def event(name: str, item: str = "i") -> event_pb2.Event:
    subject = subject_pb2.Subject(session_id=f"s{len(name)}")
    return event_pb2.Event(event_id=name, subject=subject, item_id=item, type="view", value=0.5)


async def sent(
    suite: ScriptedSuite, chunks: Sequence[ColumnChunk]
) -> list[tuple[int, feedback_service_pb2.ImportEventsResponse]]:
    """Send chunks; return the answers as they were reported."""

    async def source() -> AsyncIterator[ColumnChunk]:
        for chunk in chunks:
            yield chunk

    reported: list[tuple[int, feedback_service_pb2.ImportEventsResponse]] = []
    async with serving(suite) as endpoints, connect(endpoints) as clients:
        stream = EventStream[ColumnChunk](clients.feedback, "default")
        await stream.send(source(), lambda chunk, answer: reported.append((chunk.number, answer)))
    return reported


@pytest.mark.parametrize("script", [[], [0], [1, 0, 2], [3, 3, 3], [9, 1]])
async def test_columns_arrive_once_in_order_whatever_breaks(script: list[int]) -> None:
    """Truths 1 and 2 at the edge."""
    suite = ScriptedSuite()
    suite.break_after.extend(script)
    chunks = [ColumnChunk(n, [event(f"e{n}-{k}") for k in range(3)]) for n in range(12)]
    reported = await sent(suite, chunks)
    assert [number for number, _ in reported] == list(range(12))
    assert list(suite.events) == [one.event_id for chunk in chunks for one in chunk.events]
    assert sum(answer.accepted + answer.duplicates for _, answer in reported) == 36
    assert not suite.break_after
    again = sum(chunk.asked for chunk in chunks) - len(chunks)
    assert again >= len(script)


async def test_a_chunk_of_nothing_is_reported_in_its_turn() -> None:
    suite = ScriptedSuite()
    events = [[event("a")], [], [event("b"), event("c", BAD_ITEM)], [], []]
    reported = await sent(suite, [ColumnChunk(n, own) for n, own in enumerate(events)])
    assert [number for number, _ in reported] == [0, 1, 2, 3, 4]
    assert [answer.accepted for _, answer in reported] == [1, 0, 1, 0, 0]
    assert [fault.ordinal for fault in reported[2][1].faults] == [1]
    assert suite.chunks == [1, 2]
