"""Erasures in words."""

from harken.profile.v1 import erasure_pb2


def state_text(erasure: erasure_pb2.Erasure) -> str:
    """Return how far an erasure is."""
    match erasure.state:
        case erasure_pb2.ERASURE_STATE_PENDING:
            return "waits for the log"
        case erasure_pb2.ERASURE_STATE_HIDDEN if erasure.searched < 1:
            return f"no answer knows the user; {erasure.searched:.0%} of the log searched"
        case erasure_pb2.ERASURE_STATE_HIDDEN:
            return "no answer knows the user; unlearning"
        case erasure_pb2.ERASURE_STATE_UNLEARNED:
            return "unlearned; scrubbing the log, checkpoints and frames"
        case erasure_pb2.ERASURE_STATE_DONE:
            return "done"
        case _:
            return "unknown"
