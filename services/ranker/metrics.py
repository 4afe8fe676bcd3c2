"""What the ranker counts."""

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Histogram


class RankerMetrics:
    """Slates, what they lacked, and the cache of users."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.slates = Counter("harken_ranker_slates", "Slates made.", registry=registry)
        self.stale = Counter(
            "harken_ranker_stale", "Answers that did not reach min_position.", registry=registry
        )
        self._degraded = Counter(
            "harken_ranker_degraded", "Answers that lacked something, by what.", ["what"],
            registry=registry,
        )  # fmt: skip
        self.make_seconds = Histogram(
            "harken_ranker_make_seconds", "CPU-bound part of a slate.", registry=registry,
            buckets=(0.0002, 0.0005, 0.001, 0.002, 0.003, 0.005, 0.01, 0.02, 0.05),
        )  # fmt: skip
        users = Counter(
            "harken_ranker_user_lookups", "User states asked for, by outcome.", ["outcome"],
            registry=registry,
        )  # fmt: skip
        self.user_hits = users.labels("hit")
        self.user_misses = users.labels("miss")
        self.user_failures = users.labels("failed")

    def answered(self, stale: bool, degradations: Iterable[str]) -> None:
        """Count what an answer lacked."""
        if stale:
            self.stale.inc()
        for what in degradations:
            self._degraded.labels(what).inc()
