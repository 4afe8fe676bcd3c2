"""Truth 13: what no server may take is refused unseen, and the field is named."""

import random
import struct
import time

import grpc
import pytest
from google.protobuf import message_factory

from harken.feedback.v1 import (
    catalog_service_pb2,
    embedding_service_pb2,
    event_columns_pb2,
    event_pb2,
    feedback_service_pb2,
    item_pb2,
)
from harken.feedback.v1.catalog_service_pb2_grpc import CatalogServiceStub
from harken.profile.v1 import profile_service_pb2
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
    """All of them, without a server; in processor time, the quickest of three."""
    slow = []
    for bad in bad_requests(random.Random(12)):
        read = reader_of(message_factory.GetMessageClass(bad.method.input_type))
        seconds = []
        for _ in range(3):
            began = time.thread_time()
            made = read(bad.body)
            seconds.append(time.thread_time() - began)
            assert isinstance(made, Refused), bad.what
        if min(seconds) > 0.005:
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


def test_a_message_in_parts_is_refused_before_they_are_merged() -> None:
    """Each part is within its limits; all of them together hold 8 million ids."""
    part = feedback_service_pb2.ImportEventsRequest()
    part.columns.event_ids.extend([""] * 20_000)
    read = reader_of(feedback_service_pb2.ImportEventsRequest)
    made = read(part.SerializeToString() * 400)
    assert isinstance(made, Refused)
    assert "columns: comes more than once" in str(made.error)


def test_lists_of_a_newer_client_are_passed_over() -> None:
    """Fields are added from release to release, and who does not know them ignores them."""
    read = reader_of(feedback_service_pb2.RecordEventsRequest)
    wanted = feedback_service_pb2.RecordEventsRequest(tenant="t")
    wanted.events.add(event_id="one")
    unknown = b"\xfa\x01\x14" + b"x" * 20
    made = read(wanted.SerializeToString() + unknown * 5000)
    assert not isinstance(made, Refused)
    assert (made.tenant, len(made.events)) == ("t", 1)  # type: ignore[attr-defined]
    assert isinstance(read(unknown * 500_000), Refused)


def test_numbers_that_are_not_packed_are_counted_at_once() -> None:
    """Some writers do not pack; a million of them are not looked at one by one."""
    read = reader_of(embedding_service_pb2.PutEmbeddingsRequest)
    one = embedding_service_pb2.Embedding(item_id="i", values=[0.5] * 1024)
    wanted = embedding_service_pb2.PutEmbeddingsRequest(embeddings=[one] * 1000)
    value = b"\x1d" + struct.pack("<f", 0.5)
    loose = b"\x0a\x01i" + value * 1024
    body = (b"\x1a" + _length(loose) + loose) * 1000
    assert read(body) == wanted
    # Each has more than it may, and all of them more than are taken for faults of elements.
    many = loose + value
    refused = read((b"\x1a" + _length(many) + many) * 1000 + b"\x1a\0")
    assert isinstance(refused, Refused)
    # Cut within a number.
    assert isinstance(read(b"\x1a" + _length(many[:-1]) + many[:-1] + bytes(70_000)), Refused)


def _length(content: bytes) -> bytes:
    return bytes([len(content) & 0x7F | 0x80, len(content) >> 7])


def test_a_profile_may_be_sent_back_as_it_was_read() -> None:
    """UpdateProfile reads none of it, so it is no fault."""
    request = profile_service_pb2.UpdateProfileRequest()
    request.profile.subject.user_id = "u"
    request.profile.seen_item_ids.extend(f"item-{n:032}" for n in range(5000))
    request.profile.seen.item_ids.extend(f"item-{n:032}" for n in range(10_000))
    request.profile.seen.pair_items.extend(range(10_000))
    request.profile.seen.pair_times_us.extend(range(1_700_000_000_000_000, 1_700_000_000_010_000))
    read = reader_of(profile_service_pb2.UpdateProfileRequest)
    assert read(request.SerializeToString()) == request


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
