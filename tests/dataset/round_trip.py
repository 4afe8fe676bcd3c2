"""Made files into a real suite, and out of it again."""

import asyncio
import itertools
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from harken.feedback.v1 import catalog_service_pb2, feedback_service_pb2, item_pb2
from services.cli.clients import Clients, connect
from services.cli.endpoints import Endpoints
from services.cli.imports.counts import Counts
from services.cli.imports.event_chunk import Window
from services.cli.imports.event_import import EventImport, History
from services.cli.imports.rejects import RejectsFile
from services.dataset.fields.event_fields import event_fields
from services.dataset.history.event_batch import EventReader
from services.dataset.history.ordered import OrderedEvents
from services.dataset.table.table import Source, open_table
from tests.dataset.any_file import ITEMS, UNKNOWN_ITEM, MadeFile, Truth
from tests.dataset.test_any_file import in_order, said

Event = tuple[str, str, str, str, int, float | None]


class RoundTrips:
    """Imports files, one after the other, into one tenant; ids must not repeat between files."""

    def __init__(self, clients: Clients, tenant: str) -> None:
        self._clients = clients
        self._tenant = tenant
        self._position = b""

    async def prepare(self) -> None:
        """Make the catalogue."""
        items = [item_pb2.Item(item_id=item_id) for item_id in ITEMS]
        request = catalog_service_pb2.UpsertItemsRequest(tenant=self._tenant, items=items)
        await self._clients.catalog.UpsertItems(request, wait_for_ready=True, timeout=30)

    async def check(self, made: MadeFile, folder: Path) -> None:
        """Import, export and import again; compare with how the file was made."""
        with open_table(Source([str(made.write(folder))]), made.read) as table:
            if not table.columns:
                # Not one row that could be read: a command says so and does nothing.
                return
        accepted, taken, expected = _expected(made, {})
        assert await self._imported(made, folder) == expected
        assert await self._exported() == [said(event) for event in accepted]
        once_more, _, again = _expected(made, taken)
        # Events without an id were accepted under one that is made of what they say.
        assert not any(event.event_id for event in once_more)
        known = again.plus(accepted=-again.accepted, duplicates=again.accepted)
        assert await self._imported(made, folder) == known
        assert await self._exported() == []

    async def _imported(self, made: MadeFile, folder: Path) -> Counts:
        path = made.write(folder)
        rejects = folder / "rejects.jsonl"
        with open_table(Source([str(path)]), made.read) as table:
            reader = EventReader(table, event_fields(table, made.fields))
            ordered = OrderedEvents(reader, folder)
            survey = ordered.look_through()
            job = EventImport(
                self._clients, self._tenant, lambda keep: RejectsFile(rejects, rejects, keep), None
            )
            history = History(ordered.batches, reader.fields, Window(), survey.rows)
            summary = await job.run(history)
        lines = rejects.read_text().splitlines() if rejects.exists() else []
        assert len(lines) == summary.counts.not_taken
        return summary.counts

    async def _exported(self) -> list[Event]:
        """Return what is in the log since the last time."""
        request = feedback_service_pb2.ExportEventsRequest(
            tenant=self._tenant, after_position=self._position
        )
        found: list[Event] = []
        async for page in self._clients.feedback.ExportEvents(request, timeout=30):
            self._position = page.position or self._position
            found += [
                (
                    one.subject.user_id,
                    one.subject.session_id,
                    one.item_id,
                    one.type,
                    one.event_time.ToMicroseconds(),
                    one.value if one.HasField("value") else None,
                )
                for one in page.events
            ]
        return found


@contextmanager
def round_trips(endpoints: Endpoints, tenant: str) -> Iterator["Checker"]:
    """Check files against a running suite, without an event loop around."""
    with asyncio.Runner() as runner:
        connection = connect(endpoints)
        clients = runner.run(connection.__aenter__())
        try:
            trips = RoundTrips(clients, tenant)
            runner.run(trips.prepare())
            yield Checker(runner, trips)
        finally:
            runner.run(connection.__aexit__(None, None, None))


class Checker:
    """Checks one file after the other."""

    def __init__(self, runner: asyncio.Runner, trips: RoundTrips) -> None:
        self._runner = runner
        self._trips = trips
        self._numbers = itertools.count(1)

    def prefix(self) -> str:
        """Return what goes before the ids of the next file, which no other file has."""
        return f"f{next(self._numbers)}-"

    def check(self, made: MadeFile) -> None:
        """See RoundTrips.check."""
        with tempfile.TemporaryDirectory() as folder:
            self._runner.run(self._trips.check(made, Path(folder)))


def _expected(
    made: MadeFile, before: Mapping[str, Event]
) -> tuple[list[Truth], Mapping[str, Event], Counts]:
    """Return the events that are accepted, the ids that are taken then, and the counts: one event
    after the other. `before`: ids that are taken already.
    """
    accepted: list[Truth] = []
    taken = dict(before)
    duplicates = quarantined = 0
    reused = 0
    for event in in_order(made):
        known = taken.get(event.event_id) if event.event_id else None
        if known is not None:
            same = known == said(event)
            duplicates, reused = duplicates + same, reused + (not same)
        elif event.item == UNKNOWN_ITEM:
            quarantined += 1
        else:
            accepted.append(event)
            if event.event_id:
                taken[event.event_id] = said(event)
    counts = Counts(made.rows, len(accepted), duplicates, quarantined, len(made.faults) + reused)
    return accepted, taken, counts
