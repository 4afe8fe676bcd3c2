"""Serves the entries lane: the log as columns, from any point on, as it is committed."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge

from harken.internal.feed.v1 import feed_service_pb2 as pb
from services.common.errors import EpochLostError, NotReadyError
from services.common.pipeline_latency import PipelineStage
from services.common.vault.vault import UserVault
from services.feed.entries import Entries
from services.feed.entries_codec import encode
from services.feedback.feed_server.log_entries import Attributes, entries_of
from services.feedback.feed_server.log_hub import PAGE_ENTRIES, LogHub
from services.feedback.feed_server.prepared import Prepared
from services.feedback.log.log_reader import LogHead, LogReader
from services.feedback.log.log_store import LogRow
from services.feedback.user_facts.sealed_attributes import unsealed_attributes

HEARTBEAT_SECONDS = 1.0


class EntriesStreamMetrics:
    """State of all who follow the entries in a process."""

    def __init__(self, registry: CollectorRegistry, pushed: PipelineStage) -> None:
        self.streams = Gauge(
            "harken_entries_subscribers", "Streams of entries that are open.", registry=registry
        )
        self.sent = Counter(
            "harken_entries_sent", "Messages with entries sent, over all subscribers.",
            registry=registry,
        )  # fmt: skip
        self.pushed = pushed


class EntriesServer:
    """Serves committed entries to subscribers."""

    def __init__(
        self, hub: LogHub, reader: LogReader, metrics: EntriesStreamMetrics, vault: UserVault
    ) -> None:
        self._vault = vault
        self._hub = hub
        self._reader = reader
        self._metrics = metrics
        # What was committed before us is no news.
        self._pushed = hub.head.sequence
        # By where it is, and by whose facts can be read: of who is erased since it is another one.
        self._prepared: Prepared[
            tuple[int, int, int, bool, tuple[int, ...]], pb.FollowEntriesResponse
        ] = Prepared()

    async def stream(
        self, request: pb.FollowEntriesRequest
    ) -> AsyncIterator[pb.FollowEntriesResponse]:
        """Yield the welcome, then entries after the point asked for, for ever.

        Raises:
            EpochLostError: the point is ahead of the head, or on a fork.
            NotReadyError: a new epoch began, so that the welcome is out of date.

        """
        # From the table, not the hub: the hub learns of forks a moment later.
        head = await self._reader.head()
        after = _begin(request, head)
        welcome = pb.EntriesWelcome(
            epoch=head.epoch,
            head_sequence=head.sequence,
            after_sequence=after,
            pseudonym_check=self._vault.pseudonyms.check_value,
        )
        for epoch, last in head.forks.items():
            welcome.forks.add(epoch=epoch, last_sequence=last)
        self._metrics.streams.inc()
        try:
            yield pb.FollowEntriesResponse(welcome=welcome)
            while True:
                rows = await self._rows(after)
                now = self._hub.head
                if now.epoch > head.epoch:
                    raise NotReadyError("a new epoch began: follow again")
                if rows:
                    unsealed: Attributes = {}
                    if request.user_facts and self._vault.pseudonyms.keyed:
                        unsealed = await unsealed_attributes(self._vault, rows)
                    message = self._prepare(rows, head.epoch, after, request.user_facts, unsealed)
                    after = message.entries.through_sequence
                    self._metrics.sent.inc()
                    yield message
                # Who read from the table is ahead of our hub, and waits until that moves.
                elif await self._hub.wait(min(after, now.sequence), HEARTBEAT_SECONDS):
                    if request.gather_ms:
                        await asyncio.sleep(request.gather_ms / 1e3)
                else:
                    now = self._hub.head
                    yield pb.FollowEntriesResponse(
                        heartbeat=pb.EntriesHeartbeat(
                            epoch=now.epoch, head_sequence=max(now.sequence, after)
                        )
                    )
        finally:
            self._metrics.streams.dec()

    async def _rows(self, after: int) -> Sequence[LogRow]:
        """Return the next entries after a sequence; none when there are none yet."""
        rows = self._hub.after(after)
        if rows is not None:
            return rows
        if after > self._hub.head.sequence:
            # Our hub is a moment behind the table.
            return ()
        return await self._reader.after(after, PAGE_ENTRIES)

    def _prepare(
        self,
        rows: Sequence[LogRow],
        epoch: int,
        after: int,
        user_facts: bool,
        unsealed: Attributes,
    ) -> pb.FollowEntriesResponse:
        """Return the message of the next entries; made once for all who are at the same point."""

        def make() -> pb.FollowEntriesResponse:
            entries = entries_of(rows, epoch, after, user_facts, unsealed)
            self._note_push(entries)
            return pb.FollowEntriesResponse(entries=encode(entries))

        key = (epoch, after, rows[-1].sequence, user_facts, tuple(unsealed))
        return self._prepared.get(key, make)

    def _note_push(self, entries: Entries) -> None:
        """Count events that go out for the first time; what is repeated says nothing new."""
        if entries.after_sequence < self._pushed:
            return
        self._pushed = entries.through_sequence
        now = time.time()
        for own in entries.tenants:
            self._metrics.pushed.passed(*own.events.acceptances(), now)


def _begin(request: pb.FollowEntriesRequest, head: LogHead) -> int:
    """Return the sequence after which a stream begins. Raises EpochLostError."""
    if request.WhichOneof("from") != "resume":
        return head.sequence
    resume = request.resume
    if not head.holds(resume.epoch, resume.sequence):
        raise EpochLostError(
            f"sequence {resume.sequence} of epoch {resume.epoch} is not part of the log, whose"
            f" head is {head.sequence} of epoch {head.epoch}"
        )
    return resume.sequence
