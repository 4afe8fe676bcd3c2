"""Times of messages as whole microseconds."""

from google.protobuf import timestamp_pb2


def micros_of(time: timestamp_pb2.Timestamp) -> int:
    """Return unix microseconds. Much faster than the message's own method, which checks."""
    return time.seconds * 1_000_000 + time.nanos // 1000
