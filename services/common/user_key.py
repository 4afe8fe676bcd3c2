"""Stored keys of users and sessions.

Nothing stores or streams a user id: tables, the log and the feed hold user keys. Today a key is
the id with a prefix that keeps users and sessions apart; a keyed pseudonym can take its place
without touching what is stored around it.
"""

from harken.common.v1 import subject_pb2
from services.common.validation import MAX_ID_BYTES

_USER = b"u:"
_SESSION = b"s:"
MAX_KEY_BYTES = MAX_ID_BYTES + 2


def user_key_of(subject: subject_pb2.Subject) -> bytes:
    """Return the stored key of a subject.

    Raises:
        ValueError: neither user_id nor session_id is set.

    """
    match subject.WhichOneof("kind"):
        case "user_id":
            return key_of_user(subject.user_id)
        case "session_id":
            return key_of_session(subject.session_id)
        case _:
            raise ValueError("neither user_id nor session_id is set")


def key_of_user(user_id: str) -> bytes:
    """Return the stored key of a user."""
    return _USER + user_id.encode()


def key_of_session(session_id: str) -> bytes:
    """Return the stored key of a session."""
    return _SESSION + session_id.encode()


def subject_of(user_key: bytes) -> subject_pb2.Subject:
    """Return the subject that a stored key stands for."""
    name = user_key[2:].decode()
    if user_key.startswith(_SESSION):
        return subject_pb2.Subject(session_id=name)
    return subject_pb2.Subject(user_id=name)
