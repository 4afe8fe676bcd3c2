"""Records a batch of slates: refuses the unsound, logs the others."""

from collections.abc import Callable, Sequence

from prometheus_client import CollectorRegistry, Counter

from harken.internal.log.v1 import entry_pb2
from harken.internal.slates.v1 import slate_service_pb2 as pb
from services.common.position import Position
from services.feedback.events.event_flusher import EventFlusher
from services.feedback.log.log_store import NewEntry
from services.feedback.slates.slate_conversion import SlateRejection, logged_slate


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
        self, flusher: EventFlusher, metrics: SlateMetrics, now_us: Callable[[], int]
    ) -> None:
        self._flusher = flusher
        self._metrics = metrics
        self._now_us = now_us

    async def record(
        self, tenant: str, slates: Sequence[pb.ServedSlate]
    ) -> tuple[list[pb.SlateResult], Position | None]:
        """Return results in order after what can be kept is durable, and the last position.

        Raises what the flusher raises.
        """
        now_us = self._now_us()
        results = []
        entries = []
        for ordinal, slate in enumerate(slates):
            logged = logged_slate(slate, now_us)
            if isinstance(logged, SlateRejection):
                results.append(
                    pb.SlateResult(
                        ordinal=ordinal,
                        outcome=pb.SLATE_OUTCOME_REJECTED,
                        reason=logged.reason,
                        detail=logged.detail,
                    )
                )
                continue
            entry = entry_pb2.Entry(slate=logged).SerializeToString()
            entries.append(NewEntry(tenant, logged.user_key, entry))
            results.append(pb.SlateResult(ordinal=ordinal, outcome=pb.SLATE_OUTCOME_ACCEPTED))
        position = await self._flusher.append_entries(entries) if entries else None
        self._metrics.accepted.inc(len(entries))
        self._metrics.rejected.inc(len(slates) - len(entries))
        return results, position
