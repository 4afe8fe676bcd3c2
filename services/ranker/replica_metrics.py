"""What a ranker holds, read when Prometheus asks: it costs nothing between."""

from collections.abc import Iterator

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from services.ranker.frame_applier import FrameApplier


class ReplicaCollector(Collector):
    """Figures of all tenants. Reads only counts, so it may run beside the event loop."""

    def __init__(self, folder: FrameApplier) -> None:
        self._folder = folder

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield one family per figure, labelled by tenant."""
        generation = GaugeMetricFamily(
            "harken_ranker_generation_info",
            "Always 1; the labels say which generation serves, and which is built beside it.",
            labels=["tenant", "generation", "other"],
        )
        items = _family("items", "Items that are listed in the catalogue.")
        rows = _family("index_rows", "Rows of the vector index, those of deleted items too.")
        users = _family("cached_users", "User states that are held.")
        head = _family("head_slates", "Slates that the head of the scorer has learned from.")
        rollbacks = _family(
            "vector_rollbacks", "Times the vectors that serve went back to earlier ones."
        )
        for tenant, replica in list(self._folder.replicas.items()):
            serving = replica.active
            other = next((name for name in list(replica.spaces) if name != serving), "")
            generation.add_metric([tenant, serving, other], 1)
            items.add_metric([tenant], replica.catalogue.catalogued_count)
            rows.add_metric([tenant], replica.catalogue.size)
            users.add_metric([tenant], len(replica.users))
            head.add_metric([tenant], 0 if replica.head is None else replica.head.slates)
            rollbacks.add_metric([tenant], replica.vector_rollbacks)
        yield from (generation, items, rows, users, head, rollbacks)


def _family(name: str, meaning: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"harken_ranker_{name}", meaning, labels=["tenant"])
