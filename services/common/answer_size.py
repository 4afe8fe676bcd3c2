"""How large an answer may be."""

from services.common.errors import FieldViolation, InvalidRequestError

CLIENT_BYTES = 4 * 1024 * 1024
"""What gRPC clients take unless they are told otherwise; beyond it they fail, and nothing tells
their caller what to do about it."""
MAX_ANSWER_BYTES = 64 * 1024 * 1024
"""Frames and answers are kept well below this; only what one entry or call makes may be large."""


def check_answer_size(field: str, size: int, limit: int = CLIENT_BYTES) -> None:
    """Raise InvalidRequestError on the field that asks for much when an answer is too large.

    `size`: bytes of the answer.
    """
    if size > limit:
        what = f"the answer would be {size} bytes, above {limit}: ask for fewer"
        raise InvalidRequestError([FieldViolation(field, what)])
