"""What the ranker counts."""

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from harken.ranker.v1 import slate_pb2
from services.common.plain_metrics import Counts, Distributions
from services.ranker.domain.degradation import Degradation


class RankerMetrics:
    """Slates, what they lacked, and the cache of users."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.slates = Counts("harken_ranker_slates", "Slates made.", [], registry).labels()
        self.stale = Counter(
            "harken_ranker_stale",
            "Answers that did not reach what was asked for.",
            registry=registry,
        )
        self.ready = Gauge(
            "harken_ranker_ready", "1 while this replica wants traffic, else 0.", registry=registry
        )
        self._degraded = Counter(
            "harken_ranker_degraded", "Answers that lacked something, by what.", ["what"],
            registry=registry,
        )  # fmt: skip
        self._bound: dict[Degradation, Counter] = {}
        self.make_seconds = Distributions(
            "harken_ranker_make_seconds", "Seconds of the CPU-bound part of a slate.", [],
            (0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.003, 0.005, 0.01, 0.02, 0.05), registry,
        ).labels()  # fmt: skip
        self.exposures = Counter(
            "harken_ranker_exposures", "Slates shown, times the experiments that each was part of.",
            registry=registry,
        )  # fmt: skip
        self.variants_not_served = Counter(
            "harken_ranker_variants_not_served",
            "Exposures to variants that could not be served: slates made as without.",
            registry=registry,
        )
        users = Counts(
            "harken_ranker_user_lookups", "User states asked for, by outcome.", ["outcome"],
            registry,
        )  # fmt: skip
        self.user_hits = users.labels("hit")
        self.user_misses = users.labels("miss")
        self.user_failures = users.labels("failed")
        self.user_repeats = users.labels("asked_again")
        loads = Counter(
            "harken_ranker_generation_loads", "Generations fetched, by outcome.", ["outcome"],
            registry=registry,
        )  # fmt: skip
        self.generations_loaded = loads.labels("loaded")
        self.generations_unusable = loads.labels("unusable")
        self.generations_away = loads.labels("unavailable")
        self.generation_seconds = Histogram(
            "harken_ranker_generation_load_seconds", "Seconds to fetch and load a generation.",
            registry=registry, buckets=(0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60),
        )  # fmt: skip

    def exposed(self, exposures: Iterable[slate_pb2.Exposure]) -> None:
        """Count the experiments that a slate which is shown was part of."""
        for exposure in exposures:
            self.exposures.inc()
            if exposure.not_served:
                self.variants_not_served.inc()

    def answered(self, stale: bool, degradations: Iterable[Degradation]) -> None:
        """Count what an answer lacked."""
        if stale:
            self.stale.inc()
        for what in degradations:
            bound = self._bound.get(what)
            if bound is None:
                bound = self._bound[what] = self._degraded.labels(what.name.lower())
            bound.inc()
