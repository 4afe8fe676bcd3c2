"""Client of the entries lane: follows the log, resumes after every break, applies in order."""

import asyncio
import contextlib
import time
from collections.abc import Sequence
from typing import Protocol

import grpc
from grpc_status import rpc_status
from prometheus_client import CollectorRegistry, Counter, Gauge

from harken.internal.feed.v1 import feed_service_pb2 as pb
from harken.internal.feed.v1 import feed_service_pb2_grpc
from services.common.errors import EpochLostError, StoreUnavailableError
from services.common.logs import logger
from services.common.pipeline_latency import VISIBLE, PipelineLatency
from services.common.plain_metrics import Counts, Distributions
from services.common.status import reason_of
from services.common.user_key import WrongPseudonymKeyError
from services.feed.entries import Entries
from services.feed.entries_codec import RefusedEntriesError, decode
from services.feed.feed_lag import FeedLag
from services.feed.progress import Applied, Progress
from services.feed.stream import Backoff, ReadAhead, StreamReader

_MAX_GATHERED = 256
_GATHER_THERE_SECONDS = 0.05
"""Entries gather at the server for so long at most: nobody can hasten that."""
_log = logger("entries")


class EntriesSink(Protocol):
    """What applies entries. Its progress says where to resume; versions in it mean nothing."""

    progress: Progress

    async def apply(self, entries: Sequence[Entries]) -> None:
        """Apply consecutive stretches, the first of which follows progress, then advance it.

        Where others move progress, too, the first may begin before it.

        Raises:
            RefusedEntriesError: one is wrong; those before it may be applied, none after it.
            ConnectionError: what was given does not follow what is applied: subscribe again.
            StoreUnavailableError: the sink's store is away; it is asked again after a pause.

        """

    async def abandon(self) -> None:
        """What is applied is not part of the log: go back to a point that may be, and say so in
        progress. Asked for again when that one is not either.

        Raises:
            StoreUnavailableError: the sink's store is away; it is asked again after a pause.

        """


class EntriesMetrics:
    """State of a subscription."""

    def __init__(self, registry: CollectorRegistry, loop: PipelineLatency) -> None:
        self.connected = Gauge(
            "harken_entries_connected", "1 while following the log's entries, else 0.",
            registry=registry,
        )  # fmt: skip
        self.lag = Gauge(
            "harken_entries_lag", "Entries of the log that are known and not applied.",
            registry=registry,
        )  # fmt: skip
        self.lag_seconds = Gauge(
            "harken_entries_lag_seconds",
            "Seconds since which there is an entry that is not applied, or the log is not heard.",
            registry=registry,
        )
        self.sequence = Gauge(
            "harken_entries_applied_sequence", "Log sequence applied.", registry=registry
        )
        self.entries = Counts(
            "harken_entries", "Entries of the log applied.", (), registry
        ).labels()
        self.refused = Counter(
            "harken_entries_refused", "Messages with entries refused, as they are wrong.",
            registry=registry,
        )  # fmt: skip
        self.breaks = Counter(
            "harken_entries_breaks", "Streams of entries that broke.", registry=registry
        )
        self.apply_seconds = Distributions(
            "harken_entries_apply_seconds", "Seconds to apply the entries that had gathered.", (),
            (0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.05, 0.2, 1, 5), registry,
        ).labels()  # fmt: skip
        self.visible = loop.stage(VISIBLE)


class EntriesClient:
    """Keeps one sink up to date with the log."""

    def __init__(
        self,
        channel: grpc.aio.Channel,
        sink: EntriesSink,
        metrics: EntriesMetrics,
        subscriber: str,
        pseudonym_check: bytes,
        *,
        from_newest: bool = False,
        user_facts: bool = False,
        gather_seconds: float | None = None,
    ) -> None:
        """Follow as `subscriber`, whose pseudonym key `pseudonym_check` tells.

        `from_newest`: with nothing applied, begin after the head instead of at the beginning.
        `user_facts`: want facts about users, too. `gather_seconds`: after applying, let entries
        gather for so long, as many cost little more than one; whoever waits for a position ends it.
        """
        self._stub: feed_service_pb2_grpc.FeedServiceAsyncStub
        self._stub = feed_service_pb2_grpc.FeedServiceStub(channel)  # type: ignore[assignment]
        self._sink = sink
        self._metrics = metrics
        self._subscriber = subscriber
        self._pseudonym_check = pseudonym_check
        self._from_newest = from_newest
        self._user_facts = user_facts
        self._gather_seconds = gather_seconds
        self._lag = FeedLag()
        self._news_after = 0
        self._ahead: ReadAhead[Entries] | None = None
        self.connected = False
        self.began_after: int | None = None
        """Sequence after which the first stream began, since the sink held nothing; None before it
        did."""
        self.head_sequence = 0
        self.last_contact = 0.0
        # Asked for when somebody looks: what is set with every entry costs more than to fold it.
        metrics.lag_seconds.set_function(lambda: self._lag.seconds(self.connected))
        metrics.sequence.set_function(lambda: self._sink.progress.applied.sequence)
        metrics.lag.set_function(self._entries_behind)

    def caught_up(self, max_lag: int = 0) -> bool:
        """Return whether the sink has all, but for `max_lag` entries, that the server has."""
        applied = self._sink.progress.applied.sequence
        return self.connected and applied + max_lag >= self.head_sequence

    def resubscribe(self) -> None:
        """Begin a new stream: progress went back. Only where entries gather."""
        if self._ahead is not None:
            self._ahead.end(ConnectionError("progress went back"))

    async def run(self) -> None:
        """Follow until cancelled.

        Raises:
            WrongPseudonymKeyError: the log has stored keys of another key than ours.

        """
        backoff = Backoff()
        while True:
            started = time.monotonic()
            try:
                await self._follow()
            except grpc.aio.AioRpcError as error:
                await self._note_break(error)
            except RefusedEntriesError as error:
                # Trying again helps when the message was damaged on its way; when it is wrong at
                # its source the state as it was serves on, and the metric calls for help.
                self._metrics.refused.inc()
                _log.error("entries refused", reason=str(error))
            except (TimeoutError, StoreUnavailableError, ConnectionError) as error:
                _log.warning("entries broke", error=str(error) or type(error).__name__)
            finally:
                self._set_connected(False)
            self._metrics.breaks.inc()
            await backoff.pause(time.monotonic() - started)

    async def _note_break(self, error: grpc.aio.AioRpcError) -> None:
        if reason_of(rpc_status.from_call(error)) != EpochLostError.reason:  # type: ignore[arg-type]
            _log.warning("entries broke", code=error.code().name, details=error.details())
            return
        before = self._sink.progress.applied
        try:
            await self._sink.abandon()
        except StoreUnavailableError as away:
            _log.warning("the store is away", error=str(away))
            return
        if self._sink.progress.applied == Applied():
            self.began_after = None
        found = self._sink.progress.applied
        _log.warning("what was applied is lost", before=before.sequence, now=found.sequence)

    async def _follow(self) -> None:
        reader = StreamReader(self._stub.FollowEntries(self._request()))
        try:
            first = await self._read(reader)
            if not first.HasField("welcome"):
                raise ConnectionError("the stream did not begin with a welcome")
            welcome = first.welcome
            if welcome.pseudonym_check != self._pseudonym_check:
                raise WrongPseudonymKeyError(
                    "feedback makes stored keys of users with another pseudonym key than we, or"
                    " without one: give all processes the same pseudonym_key_file"
                )
            progress = self._sink.progress
            progress.learn_forks({fork.epoch: fork.last_sequence for fork in welcome.forks})
            if progress.applied == Applied() and welcome.after_sequence:
                progress.advance(Applied(welcome.epoch, 0, welcome.after_sequence))
            if self.began_after is None:
                self.began_after = welcome.after_sequence
            # What was there before we began is no measure of how fast the loop is.
            self._news_after = welcome.head_sequence
            self._hear(welcome.head_sequence)
            self._note_applied()
            self._set_connected(True)
            if self._gather_seconds is not None:
                await self._apply_gathered(reader)
            else:
                while True:
                    await self._apply([await self._next_entries(reader)])
        finally:
            reader.close()

    def _request(self) -> pb.FollowEntriesRequest:
        applied = self._sink.progress.applied
        request = pb.FollowEntriesRequest(
            subscriber=self._subscriber,
            user_facts=self._user_facts,
            gather_ms=int(1e3 * min(_GATHER_THERE_SECONDS, (self._gather_seconds or 0.0) / 4)),
        )
        if self._from_newest and applied == Applied():
            request.newest.SetInParent()
        else:
            request.resume.epoch = applied.epoch
            request.resume.sequence = applied.sequence
        return request

    async def _read(self, reader: StreamReader) -> pb.FollowEntriesResponse:
        message: pb.FollowEntriesResponse = await reader.next_message()
        self.last_contact = time.monotonic()
        return message

    async def _next_entries(self, reader: StreamReader) -> Entries:
        """Return the next entries; take note of heartbeats until then."""
        while True:
            message = await self._read(reader)
            if message.HasField("entries"):
                wire = message.entries
                self.head_sequence = max(self.head_sequence, wire.through_sequence)
                self._lag.heard(wire.through_sequence, wire.accepted_at_us / 1e6)
                return decode(wire)
            if message.HasField("heartbeat"):
                self._hear(message.heartbeat.head_sequence)
                self._note_applied()

    async def _apply_gathered(self, reader: StreamReader) -> None:
        """Read on while applying and resting, so that what gathers is applied in one go."""
        async with ReadAhead(lambda: self._next_entries(reader), _MAX_GATHERED) as ahead:
            self._ahead = ahead
            try:
                while True:
                    await self._apply(await ahead.gathered())
                    ahead.check()
                    if not ahead.full():
                        with contextlib.suppress(TimeoutError):
                            async with asyncio.timeout(self._gather_seconds):
                                await self._sink.progress.asked()
            finally:
                self._ahead = None

    async def _apply(self, arrived: Sequence[Entries]) -> None:
        applied = self._sink.progress.applied.sequence
        expected = applied
        fresh = [one for one in arrived if one.through_sequence > applied]
        for place, one in enumerate(fresh):
            if one.after_sequence > expected or (place and one.after_sequence < expected):
                raise ConnectionError(
                    f"entries after {one.after_sequence} do not follow {expected}"
                )
            expected = one.through_sequence
        if not fresh:
            return
        began, started = time.time(), time.perf_counter()
        try:
            await self._sink.apply(fresh)
        finally:
            self._metrics.apply_seconds.observe(time.perf_counter() - started)
            self._note_applied()
        self._metrics.entries.inc(expected - applied)
        for one in fresh:
            if one.after_sequence >= self._news_after:
                for own in one.tenants:
                    self._metrics.visible.passed(*own.events.acceptances(), began)

    def _hear(self, head_sequence: int) -> None:
        self.head_sequence = head_sequence
        self._lag.head_is(head_sequence)

    def _note_applied(self) -> None:
        self._lag.applied(self._sink.progress.applied.sequence)

    def _entries_behind(self) -> int:
        return max(0, self.head_sequence - self._sink.progress.applied.sequence)

    def _set_connected(self, connected: bool) -> None:
        self.connected = connected
        self._metrics.connected.set(connected)
