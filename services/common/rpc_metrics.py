"""Rate, errors and duration of the RPCs of a process."""

from prometheus_client import CollectorRegistry, Gauge

from services.common.plain_metrics import Counts, Distributions

_LATENCY_BUCKETS = (
    0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0,
)  # fmt: skip
_STREAM_BUCKETS = (0.01, 0.1, 1.0, 10.0, 60.0, 600.0, 3600.0, 4 * 3600.0)


class RpcMetrics:
    """Rate, errors and duration of every RPC."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.handled = Counts(
            "harken_rpc_handled", "RPCs that ended, streams too, by method and status.",
            ["method", "code"], registry,
        )  # fmt: skip
        self.seconds = Distributions(
            "harken_rpc_seconds", "Seconds that unary RPCs took; those shed are not in it.",
            ["method"], _LATENCY_BUCKETS, registry,
        )  # fmt: skip
        self.in_flight = Gauge(
            "harken_rpc_in_flight", "Unary RPCs being handled that count against the limit.",
            registry=registry,
        )  # fmt: skip
        self.shed = Counts("harken_rpc_shed", "RPCs shed by the limits.", ["method"], registry)
        self.queue = Gauge(
            "harken_rpc_queue_seconds", "Seconds that the unary RPC that is next has been waiting.",
            registry=registry,
        )  # fmt: skip
        self.waiters = Gauge(
            "harken_rpc_waiters", "RPCs that wait for a position.", registry=registry
        )
        self.work_limit = Gauge(
            "harken_rpc_work_limit", "Unary RPCs that may work at once at the moment.",
            registry=registry,
        )  # fmt: skip
        self.stream_seconds = Distributions(
            "harken_rpc_stream_seconds", "Seconds that streaming RPCs were open, once they ended.",
            ["method"], _STREAM_BUCKETS, registry,
        )  # fmt: skip
        self.streams = Gauge(
            "harken_rpc_streams_open", "Streaming RPCs that are open.", ["method"],
            registry=registry,
        )  # fmt: skip
        self.messages = Counts(
            "harken_rpc_stream_messages", "Messages sent on streaming RPCs.", ["method"],
            registry,
        )  # fmt: skip
