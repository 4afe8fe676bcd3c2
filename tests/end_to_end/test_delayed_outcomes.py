"""Users who come back are a delayed outcome of slates, on real processes."""

from collections import defaultdict
from dataclasses import replace

import asyncpg
import grpc
import numpy as np

from harken.feedback.v1 import generation_service_pb2 as pb
from harken.internal.log.v1 import entry_pb2
from services.cli.suite import Suite
from services.feedback.learner.model.outcome_definition import OutcomeDefinition, ReturnWindow
from tests.conftest import StartSuite
from tests.end_to_end.clients import Caller, caller_of, catalogue, event
from tests.end_to_end.test_slates import head_of, metrics
from tests.end_to_end.trained_generation import PLAY, files_of, manifest_of, upload_of
from tests.waiting import until

AFTER_US, UNTIL_US = 1_000_000, 30_000_000
# Long enough for a loaded machine to kill and start feedback within it.
BACK = OutcomeDefinition("back", frozenset({"play"}), None, 1.0, ReturnWindow(AFTER_US, UNTIL_US))
USERS = 60
COUNT = 10


async def serve(caller: Caller, generation_id: str, *outcomes: OutcomeDefinition) -> None:
    files = files_of(catalogue(), 16, outcomes)
    manifest = manifest_of(generation_id, 16, files, outcomes)
    await caller.clients.generations.PublishGeneration(upload_of(manifest, files))
    await caller.clients.generations.PromoteGeneration(
        pb.PromoteGenerationRequest(generation_id=generation_id, mode=pb.PROMOTION_MODE_NOW)
    )

    async def serves() -> bool:
        return (await caller.slate("nobody", preview=True)).generation_id == generation_id

    await until(serves, f"{generation_id} serves")


def joined(suite: Suite, what: str) -> float:
    """Return how many slates and events became of this, as the learner's metrics say."""
    start = f'harken_joiner_total{{what="{what}"}}'
    return sum(float(line.split()[-1]) for line in metrics(suite) if line.startswith(start))


async def came_true(admin: asyncpg.Connection) -> int:
    """Return of how many items shown the delayed outcome is true, as the log tells it."""
    rows = await admin.fetch("SELECT accepted_at, entry FROM feedback.log ORDER BY sequence")
    shown, taken = {}, defaultdict(set)
    visits = defaultdict(list)
    for row in rows:
        entry = entry_pb2.Entry.FromString(row["entry"])
        at_us = round(row["accepted_at"].timestamp() * 1e6)
        if entry.HasField("slate"):
            shown[entry.slate.slate_id] = entry.slate.user_key, at_us
        elif entry.HasField("event"):
            taken[entry.event.slate_id].add(entry.event.item_id)
            visits[entry.event.user_key].append(at_us)
    return sum(
        len(taken[slate_id])
        for slate_id, (user_key, at_us) in shown.items()
        if any(AFTER_US <= visit - at_us < UNTIL_US for visit in visits[user_key])
    )


async def test_who_comes_back_teaches_the_head_across_restarts_and_generations(
    suite: StartSuite, admin: asyncpg.Connection
) -> None:
    """Some users come back, and meanwhile the learner dies and another generation serves: what is
    counted is what the log says (truths 2 and 4).
    """
    running = suite(
        preset="media",
        environment={
            "feedback": {
                "HARKEN_FEEDBACK_SETTLE_SECONDS": "0.3",
                "HARKEN_FEEDBACK_TICK_SECONDS": "0.2",
                "HARKEN_FEEDBACK_CHECKPOINT_VERSIONS": "20",
                "HARKEN_FEEDBACK_CHECKPOINT_SECONDS": "0.1",
            }
        },
    )
    async with caller_of(running) as caller:
        await caller.upsert(*catalogue())
        await serve(caller, "first", PLAY, BACK)
        for n in range(USERS):
            who = f"reader-{n}"
            slate = await caller.slate(who, count=COUNT, surface="home")
            for slot in slate.slots[: n % 4]:
                name = f"{who}-{slot.item_id}"
                await caller.record(event(name, who, slot.item_id, slate_id=slate.slate_id))

        await until(lambda: joined(running, "settled") >= USERS, "all slates settled")
        assert joined(running, "awaited") == USERS
        figures = (await caller.state()).tenants[0].outcomes
        assert {one.outcome for one in figures} == {"play"}

        running.kill("feedback")
        running.start("feedback")
        returning = [event(f"back-{n}", f"reader-{n}", "space-0") for n in range(USERS) if n % 3]

        async def back() -> bool:
            try:
                await caller.record(*returning)
            except grpc.aio.AioRpcError:
                return False
            return True

        await until(back, "users come back")
        await serve(caller, "second", replace(BACK, weight=5.0), PLAY)

        async def known() -> bool:
            outcomes = (await caller.state()).tenants[0].outcomes
            examples = {one.outcome: one.examples for one in outcomes}
            return examples.get("back", 0.0) > (USERS - 1) * COUNT

        await until(known, "what became of all slates", 120)
        outcomes = (await caller.state()).tenants[0].outcomes
        [figures_of_back] = [one for one in outcomes if one.outcome == "back"]
        true = await came_true(admin)
        assert 0 < true < USERS * 1.5
        # Figures fade with every example, by less than one of them is worth.
        assert abs(figures_of_back.actual - true / (USERS * COUNT)) < 0.5 / (USERS * COUNT)
        head = await head_of(running)
        assert list(head.outcomes) == ["back", "play"]
        parameters = np.frombuffer(head.parameters, "<f8").reshape(2, -1)
        # It learned its level and the order, though all slates were of the generation before.
        assert parameters[0, -2] != 0
        assert np.abs(parameters[0, 1:-2]).max() > 0.01
