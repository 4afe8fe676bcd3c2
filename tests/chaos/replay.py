"""Truth 4: the log, replayed offline with the recorded step boundaries, gives the same bits.

Reads log, checkpoint and boundaries from PostgreSQL, never through the feed. Every frame that was
committed after the checkpoint is compared with the one that its step gives here: so whatever
learner took it, after whatever crash or hand-over, folded and stepped states are the same. They are
compared as a whole, too, whether or not a learner took over when they differed.
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from unittest import mock

import asyncpg
from threadpoolctl import threadpool_limits

from harken.internal.feed.v1 import frame_pb2
from services.cli.embedded_postgres import EmbeddedPostgres
from services.common.compiled_core import find_core
from services.common.database import open_pool
from services.common.user_key import Pseudonyms
from services.feed.progress import Applied
from services.feedback.config import FeedbackConfig
from services.feedback.feed_server.frame_store import FrameStore
from services.feedback.generations.generation_store import GenerationStore
from services.feedback.learner.learner_state import LearnerState
from services.feedback.log.log_reader import LogReader
from services.feedback.log.log_store import read_log
from services.feedback.process import SCHEMA, _learning
from tests.chaos.report import REPLAY, UNANSWERED, Report

_ORACLE = "offline replay"
_PIN = "00000000-0000-0000-0000-00000000c4a0"
_KEEP = """
    INSERT INTO feedback.snapshot_pins (pin, shard, version, expires_at)
    SELECT $1::uuid, 0, max(version), now() + interval '1 day' FROM feedback.checkpoints
    HAVING max(version) IS NOT NULL
    ON CONFLICT (pin) DO UPDATE SET expires_at = excluded.expires_at
    RETURNING true
"""


async def keep_from_now(server: EmbeddedPostgres) -> bool:
    """Keep the newest checkpoint, and all frames after it, for the replay; False: there is none."""
    connection = await asyncpg.connect(server.admin_dsn)
    try:
        # As who forgets does: so nothing is forgotten between the look and the pin.
        async with connection.transaction():
            await connection.execute("LOCK TABLE feedback.checkpoints IN SHARE MODE")
            return bool(await connection.fetchval(_KEEP, _PIN))
    finally:
        await connection.close()


async def check_replay(
    server: EmbeddedPostgres, environment: dict[str, str], report: Report
) -> None:
    """Replay what followed the checkpoint that was kept; compare frame by frame."""
    dsn = server.dsn("harken_feedback")
    async with _pool(dsn) as pool:
        frames = FrameStore(pool)
        at = await pool.fetchrow(
            "SELECT version, epoch, through_sequence FROM checkpoints JOIN snapshot_pins"
            " USING (shard, version) WHERE pin = $1",
            _PIN,
        )
        if at is None:
            report.complain(UNANSWERED, _ORACLE, "no checkpoint was kept")
            return
        version = at["version"]
        rows = await pool.fetch(
            "SELECT content FROM checkpoint_chunks WHERE version = $1 ORDER BY chunk", version
        )
        # As the services have it.
        with threadpool_limits(limits=1):
            # What is folded has to be the same without the compiled core.
            stepped, folded = [
                LearnerState(
                    GenerationStore(pool, 10),
                    _learning(_config(dsn, environment), core, Pseudonyms()),
                    LogReader(pool).entries,
                )
                for core in (find_core(), None)
            ]
            for state in (stepped, folded):
                for row in rows:
                    await state._fold(frame_pb2.Frame.FromString(row["content"]), frames, None)
                state._forget_files()
                state.applied = Applied(at["epoch"], version, at["through_sequence"])
            await _replay(pool, frames, stepped, folded, report)


async def _replay(
    pool: asyncpg.Pool, frames: FrameStore, state: LearnerState, folded: LearnerState,
    report: Report,
) -> None:  # fmt: skip
    """Go on until the last frame, or the first that differs."""
    async with pool.acquire() as connection:
        while page := await frames.frames_after(state.applied.version):
            for frame in page:
                before = state.applied.sequence
                length = frame.through_sequence - before
                rows = await read_log(connection, before, length)
                state.applied = replace(state.applied, epoch=frame.epoch)
                found, after = await state.advance(rows)
                if after.sequence != frame.through_sequence:
                    report.complain(
                        REPLAY, _ORACLE,
                        f"step {frame.version} ends at {after.sequence}, not "
                        f"{frame.through_sequence}",
                    )  # fmt: skip
                    return
                kept = frame.parsed()
                if found.SerializeToString(deterministic=True) != kept.SerializeToString(
                    deterministic=True
                ):
                    report.complain(REPLAY, _ORACLE, f"step {frame.version}: {_parts(found, kept)}")
                    return
                report.steps_replayed += 1
                await folded._fold(kept, frames, rows)
                folded.applied = state.applied
            difference = _difference(state, folded)
            if difference:
                report.complain(
                    REPLAY, _ORACLE,
                    f"state at {state.applied.version}, stepped and folded: {difference}",
                )  # fmt: skip
                return


def _difference(one: LearnerState, other: LearnerState) -> str:
    """Name what checkpoints of two states differ in; empty when they have the same bits."""
    chunks, others = one.checkpoint(), other.checkpoint()
    if chunks == others:
        return ""
    if len(chunks) != len(others):
        return f"{len(chunks)} and {len(others)} chunks"
    frames = ([frame_pb2.Frame.FromString(chunk) for chunk in part] for part in (chunks, others))
    return ", ".join(
        _parts(mine, theirs) for mine, theirs in zip(*frames, strict=True) if mine != theirs
    )


def _parts(found: frame_pb2.Frame, frame: frame_pb2.Frame) -> str:
    """Name the sections that differ."""
    names = []
    for one, other in zip(found.tenants, frame.tenants, strict=False):
        names += [
            field.name
            for field in one.DESCRIPTOR.fields
            if getattr(one, field.name) != getattr(other, field.name)
        ]
    return f"{len(found.tenants)} and {len(frame.tenants)} parts, different {names}"


def _config(dsn: str, environment: dict[str, str]) -> FeedbackConfig:
    """Return the settings that the learners had."""
    wanted = {**environment, "HARKEN_FEEDBACK_DSN": dsn}
    with mock.patch.dict(os.environ, wanted):
        return FeedbackConfig()  # type: ignore[call-arg]


@asynccontextmanager
async def _pool(dsn: str) -> AsyncIterator[asyncpg.Pool]:
    pool = await open_pool(dsn, SCHEMA, 4)
    try:
        yield pool
    finally:
        await pool.close()
