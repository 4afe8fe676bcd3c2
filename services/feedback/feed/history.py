"""History for a durable subscriber whose frames are gone, or who was restored: made from the log.

Frames are forgotten once they were acked; the log is not. So whoever lost what it made of the feed,
or a part of it, can have what the log says of users again, up to a frame that is kept.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

from harken.internal.feed.v1 import feed_service_pb2 as pb
from harken.internal.feed.v1 import history_pb2
from services.common.progress import Applied
from services.feedback.history_conversion import history_of
from services.feedback.store.frame_store import FrameStore, Head

_PAGE_ENTRIES = 1000


@dataclass(frozen=True, slots=True)
class HistoryPlan:
    """Which stretch of the log: after a sequence, up to the point at which frames go on."""

    after_sequence: int
    until: Applied


async def plan_history(
    store: FrameStore, resume: pb.ResumePoint, head: Head, acked: int
) -> HistoryPlan | None:
    """Return what a subscriber needs of the log; None when frames do.

    `acked`: the version that it has said it has. Whoever comes back earlier was restored, and may
    have lost facts that no frame holds.
    """
    at = await store.point_at(resume.version)
    kept = at is not None and (at.epoch, at.sequence) == (resume.epoch, resume.through_sequence)
    begins = resume.version == 0 and resume.through_sequence == 0
    if (
        (kept or begins)
        and resume.version >= acked
        and (resume.version == head.version or await store.frames_after(resume.version))
    ):
        return None
    until = await store.point_at(head.version) or Applied(head.epoch, 0, 0)
    after = resume.through_sequence if _is_past(resume, head, until) else 0
    return HistoryPlan(after, until)


def _is_past(resume: pb.ResumePoint, head: Head, until: Applied) -> bool:
    """Return whether what is applied is all of our log up to a sequence, and nothing else."""
    if resume.through_sequence > until.sequence or resume.epoch > until.epoch:
        return False
    if resume.epoch != head.epoch and resume.epoch not in head.forks:
        return False
    return all(
        resume.through_sequence <= last
        for epoch, last in head.forks.items()
        if epoch >= resume.epoch
    )


async def history(store: FrameStore, plan: HistoryPlan) -> AsyncIterator[history_pb2.History]:
    """Yield the stretch in parts, one at least."""
    after = plan.after_sequence
    while True:
        rows = await store.log_after(after, plan.until.sequence, _PAGE_ENTRIES)
        part = await asyncio.to_thread(history_of, rows, after)
        if not rows:
            part.content.through_sequence = plan.until.sequence
        part.content.epoch = plan.until.epoch
        part.content.version = plan.until.version
        part.last = part.content.through_sequence >= plan.until.sequence
        yield part
        if part.last:
            return
        after = part.content.through_sequence
