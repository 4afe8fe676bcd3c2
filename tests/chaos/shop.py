"""Changes the catalogue meanwhile: items come, and go for good."""

import asyncio
from collections.abc import Sequence

import grpc

from harken.feedback.v1 import item_pb2
from tests.chaos.model import Journal
from tests.chaos.report import Report
from tests.chaos.traffic import Sender
from tests.end_to_end.clients import Caller

_PAUSE_SECONDS = 0.5


class Shop:
    """Adds items that nobody plays, and deletes them; senders look that none is shown."""

    def __init__(
        self, caller: Caller, senders: Sequence[Sender], journal: Journal, report: Report
    ) -> None:
        self._caller = caller
        self._senders = senders
        self._journal = journal
        self._report = report

    async def run(self, stop: asyncio.Event) -> None:
        """Go on until told to stop."""
        number = 0
        while not stop.is_set():
            number += 1
            name = f"spare-{number}"
            try:
                await self._caller.upsert(
                    item_pb2.Item(item_id=name, title=f"space film {name}", categories=["space"])
                )
                await asyncio.sleep(_PAUSE_SECONDS)
                position = await self._caller.delete(name)
            except grpc.aio.AioRpcError:
                # Unknown whether it was deleted: it counts as neither.
                await asyncio.sleep(_PAUSE_SECONDS)
                continue
            self._journal.note_deleted(name)
            self._report.deleted += 1
            for sender in self._senders:
                sender.deletions = position
