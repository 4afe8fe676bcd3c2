"""Metrics of the profile service, beside those of its RPCs and of the feed."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram


class ProfileMetrics:
    """What the service did, and every state in which it does less than it should."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.apply_seconds = Histogram(
            "harken_profile_apply_seconds", "Seconds of a transaction that applies entries.",
            buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5),
            registry=registry,
        )  # fmt: skip
        self.events = Counter(
            "harken_profile_events", "Events of users applied.", registry=registry
        )
        self.cursor_conflicts = Counter(
            "harken_profile_cursor_conflicts",
            "Transactions dropped because another process had moved the cursor.",
            registry=registry,
        )
        self.rebuilding = Gauge(
            "harken_profile_rebuilding",
            "1 while what users did is made again from the log, else 0.",
            registry=registry,
        )
        self.rebuilds = Counter(
            "harken_profile_rebuilds",
            "Times that what users did, or the newest part of it, was lost and made again.",
            registry=registry,
        )
        self.stale_answers = Counter(
            "harken_profile_stale_answers", "Answers older than min_position.", registry=registry
        )
        self.outbox_rows = Gauge(
            "harken_profile_outbox_rows", "Facts about users not delivered yet.", registry=registry
        )
        self.outbox_age = Gauge(
            "harken_profile_outbox_oldest_seconds", "Seconds that the oldest of them waits.",
            registry=registry,
        )  # fmt: skip
        self.outbox_delivered = Counter(
            "harken_profile_outbox_delivered", "Facts about users delivered.", registry=registry
        )
        self.outbox_refused = Counter(
            "harken_profile_outbox_refused", "Facts about users that were refused, each time.",
            registry=registry,
        )  # fmt: skip
        self.outbox_failures = Counter(
            "harken_profile_outbox_failures", "Deliveries that failed, by status.", ["code"],
            registry=registry,
        )  # fmt: skip
