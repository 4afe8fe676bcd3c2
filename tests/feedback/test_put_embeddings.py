"""A backend's own vectors: validated, through the log, into the feed (truth 7)."""

import math
from typing import Any

import grpc
import numpy as np
import pytest

from harken.common.v1 import subject_pb2
from harken.feedback.v1 import embedding_service_pb2 as pb
from harken.feedback.v1 import feedback_service_pb2
from harken.internal.feed.v1 import feed_service_pb2
from services.common.position import decode_position
from tests.faults import fault_of, fields_of, reason_of
from tests.feedback.conftest import Client, event
from tests.feedback.feed_reader import EntriesReader, FeedReader

D = 16
FINE = [0.25] * D


async def put(client: Client, *embeddings: pb.Embedding, **fields: Any) -> pb.PutEmbeddingsResponse:
    request = pb.PutEmbeddingsRequest(embeddings=embeddings, **fields)
    response: pb.PutEmbeddingsResponse = await client.embedding.PutEmbeddings(request)
    return response


async def vectors_of(client: Client, position: bytes, item_id: str) -> list[list[float]]:
    """Return all vectors that the feed has for an item up to a position, oldest first."""
    found = []
    async with FeedReader(client, resume=feed_service_pb2.ResumePoint()) as reader:
        await reader.read("welcome")
        for frame in await reader.frames_through(decode_position(position).sequence):
            for one in frame.tenants:
                table = np.frombuffer(one.item_vectors.vectors, "<f4").reshape(-1, D)
                for row, index in enumerate(one.item_vectors.items):
                    if one.item_ids[index] == item_id:
                        found.append(table[row].tolist())
    return found


async def test_vectors_of_items_and_users_reach_the_feed(client: Client) -> None:
    answer = await put(
        client,
        pb.Embedding(item_id="i1", values=FINE, bias=0.5),
        pb.Embedding(subject=subject_pb2.Subject(user_id="vip"), values=FINE),
    )
    assert [r.fault for r in answer.results] == [0, 0]
    assert (await vectors_of(client, answer.position, "i1"))[-1] == FINE
    async with EntriesReader(client) as reader:
        await reader.read("welcome")
        stretches = await reader.through(decode_position(answer.position).sequence)
    (put_for,) = [own for one in stretches for own in one.tenants if own.vectors]
    assert list(put_for.user_keys) == [b"u:vip"]
    (vectors,) = put_for.vectors
    assert np.frombuffer(vectors.vectors, "<f4").tolist() == FINE
    assert (vectors.generation_id, list(vectors.pinned)) == ("bootstrap-16", [False])


@pytest.mark.parametrize(
    ("embedding", "fault"),
    [
        (pb.Embedding(values=FINE), pb.EMBEDDING_FAULT_INVALID_TARGET),
        (pb.Embedding(item_id="nowhere", values=FINE), pb.EMBEDDING_FAULT_UNKNOWN_ITEM),
        (pb.Embedding(item_id="i2", values=FINE[1:]), pb.EMBEDDING_FAULT_WRONG_DIMENSION),
        (pb.Embedding(item_id="i2", values=[math.nan] * D), pb.EMBEDDING_FAULT_NOT_FINITE),
        (
            pb.Embedding(item_id="i2", values=FINE, bias=math.inf),
            pb.EMBEDDING_FAULT_NOT_FINITE,
        ),
        (pb.Embedding(item_id="i2", values=[9.0] * D), pb.EMBEDDING_FAULT_OUT_OF_BOUNDS),
        (
            pb.Embedding(item_id="i2", values=[0.5] * D, bias=0.51),
            pb.EMBEDDING_FAULT_OUT_OF_BOUNDS,
        ),
        (
            pb.Embedding(item_id="i2", values=[0.5] * D, bias=-3.0),
            pb.EMBEDDING_FAULT_OUT_OF_BOUNDS,
        ),
    ],
)
async def test_a_bad_vector_is_rejected_and_changes_nothing(
    client: Client, embedding: pb.Embedding, fault: int
) -> None:
    fine = pb.Embedding(item_id="i3", values=FINE)
    answer = await put(client, embedding, fine)
    assert [r.fault for r in answer.results] == [fault, 0]
    assert answer.results[0].detail
    for vector in await vectors_of(client, answer.position, "i2"):
        assert vector != list(embedding.values)


async def test_a_pinned_vector_is_not_moved_by_events(client: Client) -> None:
    pinned = await put(client, pb.Embedding(item_id="i7", values=FINE, pinned=True))
    free = await put(client, pb.Embedding(item_id="i8", values=FINE))
    events = [
        event(f"pin-{user}-{item}", user=f"pin-{user}", item=item)
        for user in range(5)
        for item in ("i9", "i7", "i8")
    ]
    request = feedback_service_pb2.RecordEventsRequest(events=events)
    after = (await client.feedback.RecordEvents(request)).position
    assert decode_position(after) > decode_position(max(pinned.position, free.position))
    assert (await vectors_of(client, after, "i7"))[-1] == FINE
    assert (await vectors_of(client, after, "i8"))[-1] != FINE


async def test_faults_of_the_envelope(client: Client) -> None:
    error = await fault_of(put(client))
    assert fields_of(error) == {"embeddings"}
    error = await fault_of(
        put(client, pb.Embedding(item_id="i1", values=FINE), generation_id="another")
    )
    assert error.code() == grpc.StatusCode.FAILED_PRECONDITION
    assert reason_of(error) == "WRONG_GENERATION"
