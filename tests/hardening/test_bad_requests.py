"""Truth 13: what no server may take is refused unseen, and the field is named."""

import random
import time

import grpc
import pytest
from google.protobuf import message_factory

from harken.feedback.v1 import (
    catalog_service_pb2,
    event_columns_pb2,
    event_pb2,
    feedback_service_pb2,
    item_pb2,
)
from harken.feedback.v1.catalog_service_pb2_grpc import CatalogServiceStub
from services.common.request_reader import Refused, reader_of
from tests.conftest import StartSuite
from tests.faults import violations_of
from tests.hardening.bad_requests import bad_requests, surprise_of, varint

_REFUSALS = 400


async def test_every_field_of_every_rpc_is_bounded(module_suite: StartSuite) -> None:
    suite = module_suite()
    drawn = random.Random(11)
    every = list(bad_requests(drawn))
    channels = {
        "feedback": grpc.aio.insecure_channel(suite.endpoints.feedback),
        "profile": grpc.aio.insecure_channel(suite.endpoints.profile),
        "ranker": grpc.aio.insecure_channel(suite.endpoints.rankers[0]),
    }
    surprises = [
        await surprise_of(channels[bad.service], bad, drawn.random() < 0.5)
        for bad in drawn.sample(every, _REFUSALS)
    ]
    catalog = CatalogServiceStub(channels["feedback"])
    request = catalog_service_pb2.GetItemsRequest(item_ids=[""] * 1001)
    sized = await violations_of(catalog.GetItems(request))  # type: ignore[arg-type]
    request = catalog_service_pb2.GetItemsRequest(item_ids=[""] * 1000)
    with pytest.raises(grpc.aio.AioRpcError) as many:
        await catalog.GetItems(request)  # type: ignore[misc]
    for channel in channels.values():
        await channel.close()
    assert [one for one in surprises if one] == []
    assert sized == [("item_ids", "must have 1 to 1000 elements, has 1001")]
    assert str(many.value.details()).endswith("; and 980 more")


def test_every_field_is_refused_before_the_message_is_made() -> None:
    """All of them, without a server; the quickest of three, as others use the processor too."""
    slow = []
    for bad in bad_requests(random.Random(12)):
        read = reader_of(message_factory.GetMessageClass(bad.method.input_type))
        seconds = []
        for _ in range(3):
            began = time.perf_counter()
            made = read(bad.body)
            seconds.append(time.perf_counter() - began)
            assert isinstance(made, Refused), bad.what
        if min(seconds) > 0.05:
            slow.append((bad.path, bad.what, min(seconds)))
    assert slow == []


def test_tags_that_are_longer_than_they_need_be_are_counted_too() -> None:
    """A parser takes 8a 00 for 0a: of 5 million such elements none may slip in with small ones."""
    entries = b"\x8a\x00\x00" * 341
    contexts = event_columns_pb2.EventColumns.DESCRIPTOR.fields_by_name["contexts"]
    context = varint(contexts.number << 3 | 2) + varint(len(entries)) + entries
    columns = context * 15_000
    body = b"\x1a" + varint(len(columns)) + columns
    made = reader_of(feedback_service_pb2.ImportEventsRequest)(body)
    assert isinstance(made, Refused)
    assert "contexts[" in str(made.error)
    tags = b"\xaa\x00\x00" * 341
    items = (b"\x12" + varint(len(tags)) + tags) * 1000
    assert isinstance(reader_of(catalog_service_pb2.UpsertItemsRequest)(items), Refused)


def test_what_is_right_passes_whatever_its_size() -> None:
    """Largest requests that the protos allow, and such as have a fault in one element only."""
    items = [
        item_pb2.Item(
            item_id=f"{n}", description='"2*\n:)B' * 1100, tags=[f"{k}" for k in range(64)],
            categories=[f"{k}" for k in range(32)], numbers={f"{k}": 1.0 for k in range(32)},
        )
        for n in range(1000)
    ]  # fmt: skip
    items[7].tags.append("one more than may be")
    wanted = catalog_service_pb2.UpsertItemsRequest(items=items)
    read = reader_of(catalog_service_pb2.UpsertItemsRequest)
    assert read(wanted.SerializeToString()) == wanted
    events = [
        event_pb2.Event(event_id="e" * 128, context={f"{k:02}" + "k" * 126: "v" * 128
                        for k in range(17)})
        for _ in range(900)
    ]  # fmt: skip
    recorded = feedback_service_pb2.RecordEventsRequest(events=events)
    assert reader_of(type(recorded))(recorded.SerializeToString()) == recorded
    columns = feedback_service_pb2.ImportEventsRequest()
    columns.columns.event_ids.extend(f"{n}" * 10 for n in range(20_000))
    columns.columns.subjects.extend(range(20_000))
    columns.columns.values.extend([1.5] * 20_000)
    assert reader_of(type(columns))(columns.SerializeToString()) == columns
