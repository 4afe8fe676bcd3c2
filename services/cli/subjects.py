"""Small messages that many requests need."""

from google.protobuf import duration_pb2

from harken.common.v1 import subject_pb2


def subject_of(name: str, session: bool) -> subject_pb2.Subject:
    """Return a user or a session as a subject."""
    return subject_pb2.Subject(session_id=name) if session else subject_pb2.Subject(user_id=name)


def seconds(value: float) -> duration_pb2.Duration:
    """Return a duration."""
    duration = duration_pb2.Duration()
    duration.FromNanoseconds(int(value * 1e9))
    return duration
