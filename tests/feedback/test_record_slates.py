"""RecordSlates: a fault is the outcome of its slate; what is sound is logged, for once."""

import functools
import time
from collections.abc import Callable
from typing import Any

import asyncpg
import grpc
import numpy as np
import pytest

from harken.common.v1 import subject_pb2
from harken.internal.log.v1 import entry_pb2
from harken.internal.slates.v1 import decision_pb2, slate_service_pb2
from services.common.position import decode_position
from tests.feedback.conftest import Client


def slate(name: str, items: int = 3, **fields: Any) -> slate_service_pb2.ServedSlate:
    ones = np.ones(items, "<f4")
    whole: dict[str, Any] = {
        "slate_id": name,
        "subject": subject_pb2.Subject(user_id="u"),
        "generation_id": "bootstrap-16",
        "item_ids": [f"i{n}" for n in range(items)],
        "propensities": ones.tobytes(),
        "probabilities": (ones / 2).tobytes(),
        "logits": np.zeros(items, "<f4").tobytes(),
        "features": np.zeros((items, 5), "<f4").tobytes(),
        **fields,
    }
    message = slate_service_pb2.ServedSlate(**whole)
    if "serve_time" not in fields:
        message.serve_time.GetCurrentTime()
    return message


async def record(
    client: Client, *slates: slate_service_pb2.ServedSlate
) -> slate_service_pb2.RecordSlatesResponse:
    request = slate_service_pb2.RecordSlatesRequest(slates=slates)
    answer: slate_service_pb2.RecordSlatesResponse = await client.slates.RecordSlates(request)
    return answer


async def test_a_sound_slate_is_in_the_log_as_it_was_sent(
    client: Client, module_admin: asyncpg.Connection
) -> None:
    sent = slate("whole", surface="home", policy="greedy-1", seed=2**64 - 1)
    answer = await record(client, sent)
    assert answer.results[0].outcome == slate_service_pb2.SLATE_OUTCOME_ACCEPTED
    sequence = decode_position(answer.position).sequence
    row = await module_admin.fetchrow(
        "SELECT user_key, entry FROM feedback.log WHERE sequence = $1", sequence
    )
    assert row is not None
    logged = entry_pb2.Entry.FromString(row["entry"]).slate
    assert row["user_key"] == logged.user_key == b"u:u"
    assert (logged.slate_id, logged.surface, logged.policy) == ("whole", "home", "greedy-1")
    assert (logged.seed, list(logged.item_ids)) == (2**64 - 1, ["i0", "i1", "i2"])
    assert logged.features == sent.features
    assert logged.served_at_us == sent.serve_time.ToMicroseconds()


async def test_what_is_beyond_the_hundredth_item_is_cut(
    client: Client, module_admin: asyncpg.Connection
) -> None:
    features = np.arange(250 * 4, dtype="<f4").reshape(250, 4)
    sent = slate("long", 250, features=features.tobytes())
    sequence = decode_position((await record(client, sent)).position).sequence
    entry = await module_admin.fetchval(
        "SELECT entry FROM feedback.log WHERE sequence = $1", sequence
    )
    logged = entry_pb2.Entry.FromString(entry).slate
    assert len(logged.item_ids) == 100
    assert len(logged.propensities) == len(logged.logits) == 400
    assert logged.features == features[:100].tobytes()


def decision(candidates: int = 9, places: int = 3, **fields: Any) -> decision_pb2.SlateDecision:
    """Return one with the items of `slate` among its candidates."""
    whole: dict[str, Any] = {
        "surface_revision": 7,
        "candidate_ids": [f"i{n}" for n in range(candidates)],
        "utilities": np.linspace(1, 0, candidates, dtype="<f4").tobytes(),
        "probabilities": np.full((candidates, 2), 0.5, "<f4").tobytes(),
        "barred": [bytes([(2**place - 1) % 256, 0]) for place in range(places)],
        **fields,
    }
    made = decision_pb2.SlateDecision(**whole)
    made.exploration.plackett_luce_temperature = 0.5
    return made


def exposures(count: int, **fields: Any) -> list[decision_pb2.SlateExposure]:
    return [
        decision_pb2.SlateExposure(
            **{"experiment": f"e{n}", "variant": "a", "revision": 3, "layer": "l", **fields}
        )
        for n in range(count)
    ]


async def test_how_a_slate_was_decided_is_logged_as_it_was_sent(
    client: Client, module_admin: asyncpg.Connection
) -> None:
    """Truth 11: what the propensities can be computed from again."""
    sent = slate("decided", decision=decision(), exposures=exposures(20))
    sequence = decode_position((await record(client, sent)).position).sequence
    entry = await module_admin.fetchval(
        "SELECT entry FROM feedback.log WHERE sequence = $1", sequence
    )
    logged = entry_pb2.Entry.FromString(entry).slate
    assert logged.decision == sent.decision
    assert list(logged.exposures) == list(sent.exposures)


async def test_places_that_are_cut_are_cut_from_the_decision(
    client: Client, module_admin: asyncpg.Connection
) -> None:
    bits = [bytes([place % 251] * 32) for place in range(250)]
    slots = [decision_pb2.SlateSlot(sources=[f"s{place}"]) for place in range(250)]
    made = decision(250, 250, barred=bits, slots=slots, decided_places=reversed(range(250)))
    sent = slate("cut", 250, decision=made, features=b"", logits=b"", probabilities=b"")
    sequence = decode_position((await record(client, sent)).position).sequence
    entry = await module_admin.fetchval(
        "SELECT entry FROM feedback.log WHERE sequence = $1", sequence
    )
    logged = entry_pb2.Entry.FromString(entry).slate
    assert list(logged.decision.barred) == bits[:100]
    assert list(logged.decision.slots) == slots[:100]
    # Who stands where cannot be said without those that were cut.
    assert not logged.decision.decided_places
    assert len(logged.decision.candidate_ids) == 250


_effect = decision_pb2.SlateEffect
_NAN_LAST = np.array([1.0] * 8 + [np.nan], "<f4").tobytes()


async def test_a_candidate_without_a_score_is_no_fault(client: Client) -> None:
    unsure = decision(utilities=_NAN_LAST, probabilities=_NAN_LAST)
    answer = await record(client, slate("unsure", decision=unsure))
    assert answer.results[0].outcome == slate_service_pb2.SLATE_OUTCOME_ACCEPTED


_FAULTS: dict[str, tuple[Callable[[], slate_service_pb2.ServedSlate], int]] = {
    "no id": (lambda: slate(""), slate_service_pb2.SLATE_REASON_INVALID_ID),
    "long id": (lambda: slate("x" * 65), slate_service_pb2.SLATE_REASON_INVALID_ID),
    "no generation": (
        lambda: slate("x", generation_id=""),
        slate_service_pb2.SLATE_REASON_INVALID_ID,
    ),
    "surface": (lambda: slate("x", surface="Über"), slate_service_pb2.SLATE_REASON_INVALID_ID),
    "subject": (
        lambda: slate("x", subject=subject_pb2.Subject()),
        slate_service_pb2.SLATE_REASON_INVALID_SUBJECT,
    ),
    "position": (
        lambda: slate("x", served_position=b"mine"),
        slate_service_pb2.SLATE_REASON_INVALID_POSITION,
    ),
    "old": (lambda: _served(time.time() - 301), slate_service_pb2.SLATE_REASON_INVALID_TIME),
    "ahead": (lambda: _served(time.time() + 310), slate_service_pb2.SLATE_REASON_INVALID_TIME),
    "no item": (lambda: slate("x", 0), slate_service_pb2.SLATE_REASON_INVALID_ITEMS),
    "twice": (
        lambda: slate("x", item_ids=["i0", "i1", "i0"]),
        slate_service_pb2.SLATE_REASON_INVALID_ITEMS,
    ),
    "propensities": (
        lambda: slate("x", propensities=np.ones(2, "<f4").tobytes()),
        slate_service_pb2.SLATE_REASON_INVALID_COLUMNS,
    ),
    "zero": (
        lambda: slate("x", propensities=np.zeros(3, "<f4").tobytes()),
        slate_service_pb2.SLATE_REASON_INVALID_COLUMNS,
    ),
    "nan": (
        lambda: slate("x", logits=np.full(3, np.nan, "<f4").tobytes()),
        slate_service_pb2.SLATE_REASON_INVALID_COLUMNS,
    ),
    "torn": (lambda: slate("x", features=b"12345"), slate_service_pb2.SLATE_REASON_INVALID_COLUMNS),
    "likely": (
        lambda: slate("x", probabilities=np.full(3, 1.5, "<f4").tobytes()),
        slate_service_pb2.SLATE_REASON_INVALID_COLUMNS,
    ),
    "alone": (lambda: slate("x", features=b""), slate_service_pb2.SLATE_REASON_INVALID_COLUMNS),
    "exposures": (
        lambda: slate("x", exposures=exposures(21)),
        slate_service_pb2.SLATE_REASON_INVALID_ID,
    ),
    "exposed twice": (
        lambda: slate("x", exposures=exposures(2, experiment="e")),
        slate_service_pb2.SLATE_REASON_INVALID_ID,
    ),
    "exposed in no layer": (
        lambda: slate("x", exposures=exposures(1, layer="L")),
        slate_service_pb2.SLATE_REASON_INVALID_ID,
    ),
    "exposed to nothing": (
        lambda: slate("x", exposures=exposures(1, variant="")),
        slate_service_pb2.SLATE_REASON_INVALID_ID,
    ),
    **{
        f"decision: {name}": (
            functools.partial(lambda made: slate("x", decision=made()), make),
            slate_service_pb2.SLATE_REASON_INVALID_COLUMNS,
        )
        for name, make in {
            "no candidates": lambda: decision(0, barred=[b""] * 3),
            "too many": lambda: decision(4001, barred=[bytes(501)] * 3),
            "twice": lambda: decision(
                candidate_ids=["i0", "i1", "i2", "i2"],
                utilities=bytes(16),
                probabilities=b"",
                barred=[b"0"] * 3,
            ),
            "not shown": lambda: decision(candidate_ids=[f"o{n}" for n in range(9)]),
            "bad id": lambda: decision(candidate_ids=[*(f"i{n}" for n in range(8)), "x" * 129]),
            "utilities": lambda: decision(utilities=bytes(32)),
            "infinite": lambda: decision(utilities=np.full(9, -np.inf, "<f4").tobytes()),
            "torn": lambda: decision(probabilities=bytes(40)),
            "likely": lambda: decision(probabilities=np.full(9, 1.5, "<f4").tobytes()),
            "places": lambda: decision(places=2),
            "bits": lambda: decision(barred=[b"0"] * 3),
            "draws": lambda: decision(drawn=[bytes(18)] * 101),
            "drawn": lambda: decision(drawn=[bytes(18), bytes(16)]),
            "drawn infinite": lambda: decision(drawn=[np.full(9, np.inf, "<f2").tobytes()]),
            "unboosted": lambda: decision(unboosted=bytes(32)),
            "infinitely unboosted": lambda: decision(unboosted=np.full(9, np.inf, "<f4").tobytes()),
            "moved": lambda: decision(decided_places=[0, 1, 1]),
            "slots": lambda: decision(slots=[decision_pb2.SlateSlot()]),
            "source": lambda: decision(slots=[decision_pb2.SlateSlot(sources=["x" * 65])] * 3),
            "sources": lambda: decision(slots=[decision_pb2.SlateSlot(sources=["x"] * 11)] * 3),
            "rule": lambda: decision(
                slots=[decision_pb2.SlateSlot(effects=[_effect(rule="", effect="x")])] * 3
            ),
            "effect": lambda: decision(
                slots=[decision_pb2.SlateSlot(effects=[_effect(rule="x", effect="x" * 257)])] * 3
            ),
        }.items()
    },
}


def _served(at: float) -> slate_service_pb2.ServedSlate:
    made = slate("x")
    made.serve_time.FromMicroseconds(int(at * 1e6))
    return made


@pytest.mark.parametrize("name", _FAULTS)
async def test_a_fault_is_the_outcome_of_its_slate_only(client: Client, name: str) -> None:
    make, reason = _FAULTS[name]
    answer = await record(client, slate("before"), make(), slate("after"))
    assert [result.ordinal for result in answer.results] == [0, 1, 2]
    outcomes = [result.outcome for result in answer.results]
    assert outcomes[0] == outcomes[2] == slate_service_pb2.SLATE_OUTCOME_ACCEPTED
    assert outcomes[1] == slate_service_pb2.SLATE_OUTCOME_REJECTED
    assert answer.results[1].reason == reason
    assert answer.results[1].detail


@pytest.mark.parametrize("count", [0, 501])
async def test_the_envelope_is_bounded(client: Client, count: int) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await record(client, *[slate(f"s{n}", 1) for n in range(count)])
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
