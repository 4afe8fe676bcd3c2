"""Applies entries of the log to the database."""

import asyncio
import time
from collections.abc import Sequence
from typing import Self

from google.protobuf.struct_pb2 import Struct

from harken.internal.facts.v1 import user_fact_service_pb2
from services.common.errors import StoreUnavailableError
from services.common.logs import logger
from services.feed.entries import Entries, UserLink
from services.feed.entries_codec import RefusedEntriesError
from services.feed.progress import Applied, Progress
from services.profile.attributes import to_json
from services.profile.domain.changes import Batch, event_count, later_part, retracts
from services.profile.metrics import ProfileMetrics
from services.profile.store.attribute_store import AttributeStore, LoggedFact
from services.profile.store.history_store import HistoryStore
from services.profile.store.link_store import LinkStore

MAX_BATCH_EVENTS = 5_000
"""Events in one transaction, unless one stretch has more: bounds memory and the time to a result.
"""
LARGE_STRETCH_EVENTS = 100
STORE_PAUSE_SECONDS = 0.2

_log = logger("entries")


class EntriesApplier:
    """Keeps the database, and the progress of this process, up to date with the log."""

    def __init__(
        self,
        store: HistoryStore,
        attributes: AttributeStore,
        links: LinkStore,
        metrics: ProfileMetrics,
        progress: Progress,
    ) -> None:
        """Go on from `progress`."""
        self.progress = progress
        self.lost = progress.applied == Applied()
        """Whether what users did was lost, or was never there; `found` says that it is there."""
        self._store = store
        self._attributes = attributes
        self._links = links
        self._metrics = metrics

    @classmethod
    async def open(
        cls,
        store: HistoryStore,
        attributes: AttributeStore,
        links: LinkStore,
        metrics: ProfileMetrics,
    ) -> Self:
        """Return an applier that goes on from the cursor in the database.

        Raises:
            StoreUnavailableError: the store is away.
            RuntimeError: the schema was never migrated.

        """
        return cls(store, attributes, links, metrics, Progress(await _load(store)))

    def found(self) -> None:
        """Take note that what users did is there again."""
        self.lost = False

    async def apply(self, entries: Sequence[Entries]) -> None:
        """Apply stretches, each entry exactly once; progress moves with each transaction.

        Readers see them, and who waits for a position is woken, as soon as they are committed.

        Raises:
            RefusedEntriesError: a stretch is wrong; those before it are applied, none after it.
            ConnectionError: they do not follow what is applied: subscribe again.
            StoreUnavailableError: the store was away; it is back, and progress is what it holds.

        """
        pending = _beyond(entries, self.progress.applied)
        try:
            while pending:
                pending = await self._apply_some(pending)
        except StoreUnavailableError:
            await self._find_cursor()
            raise

    async def abandon(self) -> None:
        """Go on from the cursor in the database where it is another one than ours: it may have been
        restored together with the log. Else forget what follows from entries, and begin anew.
        """
        before = self.progress.applied
        if await self._follow_cursor():
            return
        await self._store.start_over(before)
        await self._follow_cursor()
        self.lost = True

    async def check(self) -> bool:
        """Return whether the store went back, so that what it lacks is to be had again.

        A crash takes what was committed and not flushed, a restore even more; progress follows.

        Raises:
            StoreUnavailableError: the store is away.

        """
        before = self.progress.applied
        found = await self._store.load()
        if (found.epoch, found.sequence) >= (before.epoch, before.sequence):
            return False
        return self.progress.applied == before and await self._follow_cursor()

    async def _apply_some(self, pending: Sequence[Entries]) -> list[Entries]:
        """Apply the first stretches in one transaction; return what is left."""
        after = self.progress.applied
        batch = Batch(after=after, through=after)
        taken = 0
        for one in pending:
            if taken and batch.events + event_count(one) > MAX_BATCH_EVENTS:
                break
            # What is taken back must be stored already, and what follows comes after.
            if taken and (retracts(one) or retracts(pending[taken - 1])):
                break
            if one.epoch < batch.through.epoch:
                raise RefusedEntriesError(
                    f"epoch {one.epoch} comes after epoch {batch.through.epoch}"
                )
            batch.add(one)
            taken += 1
            if event_count(one) >= LARGE_STRETCH_EVENTS:
                # Reading it took milliseconds; calls get their turn in between.
                await asyncio.sleep(0)
        started = time.perf_counter()
        for tenant, facts in batch.facts.items():
            await self._attributes.bring_back(
                tenant,
                [
                    LoggedFact(
                        key,
                        fact.revision,
                        to_json(Struct.FromString(fact.attributes)),
                        fact.consent,
                    )
                    for key, fact in facts
                ],
            )
        for tenant, links in batch.links.items():
            await self._links.bring_back(tenant, [_link_message(*one) for one in links])
        if not await self._store.apply(batch):
            self._metrics.cursor_conflicts.inc()
            await self._follow_cursor()
            return _beyond(pending, self.progress.applied)
        self.progress.advance(batch.through)
        self._metrics.events.inc(batch.events)
        self._metrics.apply_seconds.observe(time.perf_counter() - started)
        return list(pending[taken:])

    async def _follow_cursor(self) -> bool:
        """Go on from the cursor in the database; return whether it is another one than ours."""
        before = self.progress.applied
        applied = await _load(self._store)
        if applied == before:
            return False
        _log.warning("cursor was moved", expected=before.sequence, found=applied.sequence)
        if applied.sequence < before.sequence:
            self.lost = True
        self.progress.advance(applied)
        return True

    async def _find_cursor(self) -> None:
        """Wait for the store, and go on from the cursor it has.

        That may be earlier than our progress: a crash takes what was committed and not flushed.
        It may also be later: a commit may succeed without our hearing of it.
        """
        while True:
            try:
                await self._follow_cursor()
            except StoreUnavailableError as error:
                _log.warning("waiting for the store", error=str(error))
                await asyncio.sleep(STORE_PAUSE_SECONDS)
            else:
                return


def _link_message(keys: Sequence[bytes], link: UserLink) -> user_fact_service_pb2.UserLink:
    into = None if not link.merged else link.into
    direct = None if not link.merged else link.direct
    return user_fact_service_pb2.UserLink(
        from_key=keys[link.user],
        into_key=b"" if into is None else keys[into],
        direct_key=b"" if direct is None else keys[direct],
        revision=link.revision,
        since_us=link.since_us,
        source=link.source,
    )


def _beyond(pending: Sequence[Entries], applied: Applied) -> list[Entries]:
    """Return what is left of stretches, the first of which may be applied in part.

    Raises:
        ConnectionError: they do not tell.

    """
    left = [one for one in pending if one.through_sequence > applied.sequence]
    if not left or left[0].after_sequence == applied.sequence:
        return left
    first = left[0]
    later = later_part(first, applied.sequence)
    if later is None or first.after_sequence > applied.sequence or first.epoch != applied.epoch:
        raise ConnectionError(f"the cursor was moved to {applied}")
    return [later, *left[1:]]


async def _load(store: HistoryStore) -> Applied:
    """Return the cursor in the database.

    A cursor at the beginning means that nothing is applied, whatever the tables hold: setting it
    there is how an operator has all of it made again.
    """
    applied = await store.load()
    if applied == Applied():
        await store.start_over(applied)
    return applied
