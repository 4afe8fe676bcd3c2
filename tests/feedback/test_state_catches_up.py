"""A standby folds up to a point at a time, while whoever leads goes on."""

import asyncpg

from services.common.database import open_pool
from services.feed.progress import Applied
from services.feedback.feed_server.frame_store import FrameStore
from services.feedback.generations.generation_store import GenerationStore
from services.feedback.learner.learner_state import LearnerState
from services.feedback.learner.model.tenant_state import LearningConfig
from services.feedback.process import SCHEMA
from tests.conftest import FreshDatabase
from tests.feedback.conftest import Connect, FeedbackProcesses, record_sequence
from tests.waiting import until


async def test_a_state_that_catches_up_in_parts_is_the_one_that_loads_at_once(
    processes: FeedbackProcesses,
    database: FreshDatabase,
    connect: Connect,
    admin: asyncpg.Connection,
) -> None:
    """Truth 4: frames that come while the state catches up are not folded without their entries."""
    _, target = processes.start("feedback")
    client = connect(target)
    await client.upsert(20)
    ends: list[int] = []

    async def learned() -> bool:
        sequence = await admin.fetchval("SELECT sequence FROM feedback.learners")
        return bool(sequence >= ends[-1])

    for part in range(3):
        ends.append(await record_sequence(client, *(f"u{n}-{part}" for n in range(5))))
        await until(learned, "events to be learned")
    pool = await open_pool(database.feedback_dsn, SCHEMA, 2)
    try:
        frames = FrameStore(pool)
        head = await frames.head()
        points = await pool.fetch("SELECT epoch, version, through_sequence FROM frames ORDER BY 2")
        assert len(points) >= len(ends)
        parts, whole = [
            LearnerState(GenerationStore(pool, 10), LearningConfig(user_vectors_us=0))
            for _ in range(2)
        ]
        for point in points:
            reached = Applied(*point)
            await parts.catch_up(frames, reached)
            assert parts.applied == reached
        await whole.load(frames, Applied(head.epoch, head.version, head.sequence))
        assert parts.applied.version >= head.version
        assert parts.states["default"].users.keys == whole.states["default"].users.keys
        assert len(whole.states["default"].users.keys) == len(ends) * 5
        assert parts.checkpoint() == whole.checkpoint()
    finally:
        await pool.close()
