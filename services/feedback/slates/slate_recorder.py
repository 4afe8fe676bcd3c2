"""Records a batch of slates: refuses the unsound, logs the others."""

from collections.abc import Callable, Sequence

from prometheus_client import CollectorRegistry, Counter

from harken.internal.log.v1 import entry_pb2
from harken.internal.slates.v1 import slate_service_pb2 as pb
from services.common.bulk_work import BulkWork
from services.common.position import Position
from services.common.vault.admission import Admission
from services.common.vault.vault import UserVault
from services.feedback.events.event_flusher import EventFlusher
from services.feedback.log.log_store import NewEntry
from services.feedback.slates.slate_conversion import SlateRejection, logged_slate

_SLICE = 10


class SlateMetrics:
    """What became of slates that rankers sent."""

    def __init__(self, registry: CollectorRegistry) -> None:
        slates = Counter(
            "harken_slates", "Slates received, by outcome.", ["outcome"], registry=registry
        )
        self.accepted = slates.labels("ACCEPTED")
        self.rejected = slates.labels("REJECTED")


class SlateRecorder:
    """Takes slates of RecordSlates."""

    def __init__(
        self,
        flusher: EventFlusher,
        metrics: SlateMetrics,
        bulk: BulkWork,
        now_us: Callable[[], int],
        vault: UserVault,
    ) -> None:
        self._flusher = flusher
        self._bulk = bulk
        self._metrics = metrics
        self._now_us = now_us
        self._vault = vault

    async def record(
        self, tenant: str, slates: Sequence[pb.ServedSlate]
    ) -> tuple[list[pb.SlateResult], Position | None]:
        """Return results in order after what can be kept is durable, and the last position.

        Raises what the flusher raises.
        """
        now_us = self._now_us()
        results: list[pb.SlateResult] = []
        entries: list[NewEntry] = []
        users = Admission(self._vault, tenant)
        # A slate with some hundred candidates takes about half a millisecond.
        for start in range(0, len(slates), _SLICE):
            async with self._bulk:
                for slate in slates[start : start + _SLICE]:
                    results.append(_prepared(tenant, slate, now_us, users, len(results), entries))
        await users.done()
        position = await self._flusher.append_entries(entries) if entries else None
        self._metrics.accepted.inc(len(entries))
        self._metrics.rejected.inc(len(slates) - len(entries))
        return results, position


def _prepared(
    tenant: str,
    slate: pb.ServedSlate,
    now_us: int,
    users: Admission,
    ordinal: int,
    entries: list[NewEntry],
) -> pb.SlateResult:
    """Return what becomes of a slate, and add its entry to those that are kept."""
    logged = logged_slate(slate, now_us, users.key_of)
    if isinstance(logged, SlateRejection):
        return pb.SlateResult(
            ordinal=ordinal,
            outcome=pb.SLATE_OUTCOME_REJECTED,
            reason=logged.reason,
            detail=logged.detail,
        )
    entry = entry_pb2.Entry(slate=logged).SerializeToString()
    entries.append(NewEntry(tenant, logged.user_key, entry))
    return pb.SlateResult(ordinal=ordinal, outcome=pb.SLATE_OUTCOME_ACCEPTED)
