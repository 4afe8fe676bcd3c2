"""Takes back a batch of events, and says what became of each."""

from collections.abc import Sequence

from prometheus_client import CollectorRegistry, Counter

from harken.feedback.v1 import retraction_pb2 as pb
from services.common.position import Position, token_of
from services.common.validation import id_fault
from services.feedback.events.retraction_store import RetractionFate, RetractionStore

_OUTCOMES = {
    RetractionFate.RETRACTED: pb.RETRACTION_OUTCOME_RETRACTED,
    RetractionFate.ALREADY: pb.RETRACTION_OUTCOME_ALREADY_RETRACTED,
    RetractionFate.UNKNOWN: pb.RETRACTION_OUTCOME_UNKNOWN_EVENT,
}


class RetractionMetrics:
    """What became of retractions."""

    def __init__(self, registry: CollectorRegistry) -> None:
        counter = Counter(
            "harken_retractions", "Retractions by outcome.", ["outcome"], registry=registry
        )
        self.outcomes = {fate: counter.labels(fate.name) for fate in RetractionFate}


class EventRetractor:
    """Takes the ids of RetractEvents."""

    def __init__(self, store: RetractionStore, metrics: RetractionMetrics) -> None:
        self._store = store
        self._metrics = metrics

    async def retract(
        self, tenant: str, event_ids: Sequence[str]
    ) -> tuple[list[pb.RetractionResult], Position | None]:
        """Return results in order, and the latest position. Raises what the store raises."""
        # An id out of its limits is in no log; the store could not even look for all of them.
        sound = [event_id for event_id in event_ids if id_fault(event_id) is None]
        fates = iter(await self._store.retract(tenant, sound) if sound else ())
        latest: Position | None = None
        results = []
        for ordinal, event_id in enumerate(event_ids):
            fate, position = RetractionFate.UNKNOWN, None
            if id_fault(event_id) is None:
                answer = next(fates)
                fate, position = answer.fate, answer.position
            if position is not None:
                latest = max(latest or position, position)
            self._metrics.outcomes[fate].inc()
            results.append(
                pb.RetractionResult(
                    ordinal=ordinal, outcome=_OUTCOMES[fate], position=token_of(position)
                )
            )
        return results, latest
