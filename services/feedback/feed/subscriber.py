"""Who listens to the feed."""

from dataclasses import dataclass

from harken.internal.feed.v1 import frame_pb2


@dataclass(frozen=True, slots=True)
class Subscriber:
    """Who listens, and for what."""

    name: str
    sections: frozenset[frame_pb2.Section]
    durable: bool
