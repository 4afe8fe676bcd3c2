"""Channels to other services."""

import json

import grpc

from services.common.answer_size import MAX_ANSWER_BYTES
from services.common.channel_identity import ChannelIdentity
from services.common.renewed_channel import RenewedChannel

# gRPC itself must not repeat streams: repeating one whose client is writing meanwhile, grpcio 1.85
# now and then loses a message in the middle, silently. Those who stream resume by themselves.
ACCEPTING = "accepting"
"""Name in gRPC health for clients that choose among replicas: SERVING from the first readiness to
the drain. Unlike readiness it is not lost with the feed: old answers are better than none."""
_STREAMS = (
    ("harken.feedback.v1.FeedbackService", "ImportEvents"),
    ("harken.feedback.v1.FeedbackService", "ExportEvents"),
    ("harken.feedback.v1.FeedbackService", "ExportSlates"),
    ("harken.ranker.v1.RankerService", "BatchRecommend"),
    ("harken.internal.feed.v1.FeedService", "Subscribe"),
    ("harken.internal.feed.v1.FeedService", "FollowEntries"),
    ("harken.feedback.v1.GenerationService", "PublishGeneration"),
    ("harken.feedback.v1.GenerationService", "DownloadGeneration"),
)
_CONFIG = {
    "methodConfig": [
        {"name": [{"service": service, "method": method} for service, method in _STREAMS]},
        {
            "name": [{}],
            "retryPolicy": {
                "maxAttempts": 3,
                "initialBackoff": "0.05s",
                "maxBackoff": "0.5s",
                "backoffMultiplier": 2,
                # A server that stops answers CANCELLED to what has just arrived.
                "retryableStatusCodes": ["UNAVAILABLE", "CANCELLED"],
            },
        },
    ],
    "loadBalancingConfig": [{"round_robin": {}}],
}

RECONNECT_MS = 100
"""Pause between tries to connect, 20% more or less; deploy/clients.md recommends the same."""
_CONNECT_MS = 2_000
_OPTIONS: tuple[tuple[str, int], ...] = (
    ("grpc.enable_retries", 1),
    ("grpc.max_receive_message_length", MAX_ANSWER_BYTES),
    ("grpc.max_send_message_length", MAX_ANSWER_BYTES),
    # After a connection ended, names are looked up anew, but not more often than this.
    ("grpc.dns_min_time_between_resolutions_ms", 5_000),
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 3_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
    # A pause that does not grow: a process is back within a second, and to be refused costs next
    # to nothing.
    ("grpc.initial_reconnect_backoff_ms", RECONNECT_MS),
    ("grpc.max_reconnect_backoff_ms", RECONNECT_MS),
    # In spite of its name how long a try to connect may take.
    ("grpc.min_reconnect_backoff_ms", _CONNECT_MS),
)


def open_channel(
    target: str, health: str | None = None, identity: ChannelIdentity | None = None
) -> grpc.aio.Channel:
    """Return a channel that balances over all addresses of `target` and notices dead peers.

    Unary calls that never reached a server, or that it refused as UNAVAILABLE or, when it stops, as
    CANCELLED, are retried twice.

    `health`, a name in gRPC health such as ACCEPTING, keeps calls from addresses where it
    is not SERVING. With an `identity` it speaks TLS, and follows a certificate that is renewed.
    """
    config = {**_CONFIG, **({"healthCheckConfig": {"serviceName": health}} if health else {})}
    options = (("grpc.service_config", json.dumps(config)), *_OPTIONS)
    if identity is None:
        return grpc.aio.insecure_channel(target, options=options)
    channel = RenewedChannel(
        lambda: grpc.aio.secure_channel(target, identity.credentials(), options=options)
    )
    identity.pem.on_change(channel.renew)
    return channel
