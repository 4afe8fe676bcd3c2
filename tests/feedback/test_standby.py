"""A standby has the right to lead as soon as the lock is free, whatever it is still loading."""

import asyncio
from typing import cast

import asyncpg

from services.feed.progress import Applied
from services.feedback.feed_server.frame_store import FrameStore, Head
from services.feedback.learner.leadership import candidate, try_lead
from services.feedback.learner.learner_state import LearnerState
from services.feedback.learner.standby import Standby
from tests.conftest import FreshDatabase
from tests.feedback.conftest import FeedbackProcesses

LEASE = 60.0


class SlowState:
    """A state that loads for as long as it is told to."""

    def __init__(self) -> None:
        self.loading = asyncio.Event()
        self.loaded = asyncio.Event()

    async def catch_up(self, _frames: FrameStore, _until: Applied) -> None:
        self.loading.set()
        await self.loaded.wait()


class NoFrames:
    """A feed without frames."""

    async def head(self) -> Head:
        return Head(1, 0, 0, {})


async def test_the_turn_comes_while_the_state_still_loads(
    processes: FeedbackProcesses, database: FreshDatabase, admin: asyncpg.Connection
) -> None:
    """Else nobody says that the new holder lives, and the next standby ends its session."""
    processes.start("ingest", role="ingest")
    state = SlowState()
    standby = Standby(cast("LearnerState", state), cast("FrameStore", NoFrames()), "b", LEASE)
    first = await try_lead(admin, "a", LEASE)
    assert first is not None

    async def resign() -> None:
        await state.loading.wait()
        await admin.execute("UPDATE feedback.learners SET holder = ''")

    async with asyncio.timeout(20), asyncio.TaskGroup() as group:
        group.create_task(resign())
        async with candidate(database.admin_dsn) as session, standby.turn(session) as turn:
            assert turn.term == first + 1
            assert await try_lead(admin, "a", LEASE) is None
            folding = asyncio.ensure_future(turn.last_fold)
            assert not folding.done()
            state.loaded.set()
            await folding
