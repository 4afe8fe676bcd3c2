"""What the learner counts and times."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from services.common.pipeline_latency import LEARNED, PipelineLatency

_BUCKETS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5)


class LearnerMetrics:
    """State of the learner. A process that stands by has them all, and does not lead."""

    def __init__(self, registry: CollectorRegistry, loop: PipelineLatency) -> None:
        self.leads = Gauge(
            "harken_learner_leads", "1 while this process is the active learner, else 0.",
            registry=registry,
        )  # fmt: skip
        self.entries = Counter(
            "harken_learner_entries", "Log entries learned from, of all kinds.", registry=registry
        )
        self.beyond_influence = Counter(
            "harken_learner_beyond_influence",
            "Events that moved only their user, who had moved all users enough that day.",
            registry=registry,
        )
        self.held = Counter(
            "harken_learner_held",
            "Events that moved only their user, as too many were on one item: a suspected push.",
            registry=registry,
        )
        self.fenced = Counter(
            "harken_learner_fenced", "Terms lost to another learner.", registry=registry
        )
        self.failures = Counter(
            "harken_learner_failures", "Terms that ended by a fault.", registry=registry
        )
        self.step = Histogram(
            "harken_learner_step_seconds", "Seconds to compute a step.", registry=registry,
            buckets=_BUCKETS,
        )  # fmt: skip
        self.commit = Histogram(
            "harken_learner_commit_seconds", "Seconds to commit a step.", registry=registry,
            buckets=_BUCKETS,
        )  # fmt: skip
        self.checkpoints = Counter(
            "harken_learner_checkpoints", "Checkpoints written.", registry=registry
        )
        self.checkpoint_bytes = Gauge(
            "harken_learner_checkpoint_bytes", "Bytes of the last checkpoint written.",
            registry=registry,
        )  # fmt: skip
        self.versions_since_checkpoint = Gauge(
            "harken_learner_versions_since_checkpoint",
            "Versions committed since the last checkpoint was begun, while leading.",
            registry=registry,
        )  # fmt: skip
        self.learned = loop.stage(LEARNED)
