"""Changes the catalogue meanwhile: items come, are hidden, and go for good."""

import asyncio
from collections.abc import Sequence

import grpc

from harken.common.v1 import subject_pb2
from harken.feedback.v1 import item_pb2
from harken.ranker.v1 import ranker_service_pb2
from services.common.position import decode_position
from tests.chaos.model import Journal
from tests.chaos.report import READ, STALE, Report
from tests.chaos.traffic import Sender
from tests.end_to_end.clients import Caller

_PAUSE_SECONDS = 0.5
_CALL_SECONDS = 10.0
_ORACLE = "reads of the catalogue"


class Shop:
    """Adds items that nobody plays, and deletes them; senders look that none is shown."""

    def __init__(
        self, caller: Caller, senders: Sequence[Sender], journal: Journal, rankers: int,
        report: Report,
    ) -> None:  # fmt: skip
        self._caller = caller
        self._senders = senders
        self._journal = journal
        self._rankers = rankers
        self._report = report

    async def run(self, stop: asyncio.Event) -> None:
        """Go on until told to stop."""
        number = 0
        while not stop.is_set():
            number += 1
            try:
                await self._pass_through(number)
            except grpc.aio.AioRpcError:
                # Unknown whether it was deleted: it counts as neither.
                await asyncio.sleep(_PAUSE_SECONDS)

    async def _pass_through(self, number: int) -> None:
        """Let an item come and go; every other one is hidden before."""
        name = f"spare-{number}"
        item = item_pb2.Item(item_id=name, title=f"space film {name}", categories=["space"])
        came = await self._caller.upsert(item)
        await self._look(number, name, learned=came)
        await asyncio.sleep(_PAUSE_SECONDS)
        if number % 2:
            item.available = False
            await self._look(number + 1, name, hidden=await self._caller.upsert(item))
        position = await self._caller.delete(name)
        self._journal.note_deleted(name)
        self._report.deleted += 1
        for sender in self._senders:
            sender.deletions = position
        await self._look(number, name, hidden=position)

    async def _look(
        self, number: int, name: str, learned: bytes = b"", hidden: bytes = b""
    ) -> None:
        """Truths 8 and 9: an item is there once what was learned reflects it, and is hidden once
        entries do, unless the answer says stale.
        """
        request = ranker_service_pb2.RankRequest(
            subject=subject_pb2.Subject(user_id="visitor"), item_ids=[name],
            min_position=hidden, min_learned_position=learned,
        )  # fmt: skip
        request.wait_budget.FromSeconds(1)
        ranker = self._caller.clients.rankers[number % self._rankers]
        answer = await ranker.Rank(request, timeout=_CALL_SECONDS)
        self._report.reads += 1
        if answer.stale:
            return
        for wanted, reached in ((hidden, answer.position), (learned, answer.learned_position)):
            if wanted and decode_position(reached).sequence < decode_position(wanted).sequence:
                self._report.complain(STALE, _ORACLE, f"{name}: an older position as fresh")
        if (name in answer.unranked_item_ids) != bool(hidden):
            self._report.complain(READ, _ORACLE, f"{name}, hidden: {bool(hidden)}: {answer}"[:500])
