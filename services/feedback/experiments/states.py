"""What becomes of an experiment: draft -> running -> stopped -> concluded.

Each function returns the next one. What was done already is returned as it is, so that a call may
be repeated.
"""

import math
from typing import NoReturn

from google.protobuf.timestamp_pb2 import Timestamp

from harken.feedback.v1 import experiment_pb2 as pb
from services.common.errors import FieldViolation, InvalidRequestError, WrongStateError

DRAFT = pb.EXPERIMENT_STATE_DRAFT
RUNNING = pb.EXPERIMENT_STATE_RUNNING
STOPPED = pb.EXPERIMENT_STATE_STOPPED
CONCLUDED = pb.EXPERIMENT_STATE_CONCLUDED
_WORDS = {DRAFT: "a draft", RUNNING: "running", STOPPED: "stopped", CONCLUDED: "concluded"}


def started(one: pb.Experiment, share: float, now: Timestamp, position: bytes) -> pb.Experiment:
    """Return a draft as it begins, with a share of its buckets open; `position`: of the log.

    Raises:
        WrongStateError: it is no draft.

    """
    opened = _opened(one, share)
    if one.state == RUNNING and one.open_buckets == opened:
        return one
    if one.state != DRAFT:
        _refuse(one, "only a draft is started")
    following = _copy(one)
    following.state, following.open_buckets = RUNNING, opened
    following.start_time.CopyFrom(now)
    following.start_position = position
    return following


def ramped(one: pb.Experiment, share: float) -> pb.Experiment:
    """Return it with more of its buckets open.

    Raises:
        WrongStateError: it does not run.
        InvalidRequestError: fewer would be open.

    """
    if one.state != RUNNING:
        _refuse(one, "only what runs is ramped")
    opened = _opened(one, share)
    if opened < one.open_buckets:
        what = (
            f"{one.open_buckets:,} of {one.config.buckets:,} buckets are open already, and would be"
            f" {opened:,}: whoever is in stays in"
        )
        raise InvalidRequestError([FieldViolation("share", what)])
    following = _copy(one)
    following.open_buckets = opened
    return following


def stopped(one: pb.Experiment, now: Timestamp) -> pb.Experiment:
    """Return it without assignment.

    Raises:
        WrongStateError: it never ran, or is concluded.

    """
    if one.state == STOPPED:
        return one
    if one.state != RUNNING:
        _refuse(one, "only what runs is stopped")
    following = _copy(one)
    following.state = STOPPED
    following.stop_time.CopyFrom(now)
    return following


def concluded(one: pb.Experiment, winner: str, now: Timestamp) -> pb.Experiment:
    """Return it with what came of it, stopped.

    Raises:
        WrongStateError: it never ran, or another winner was named.
        InvalidRequestError: there is no such variant.

    """
    if one.state == DRAFT:
        _refuse(one, "nothing can have come of it")
    names = [variant.name for variant in one.config.variants]
    if winner not in names:
        what = f"there is no variant {winner!r}, but {', '.join(names)}"
        raise InvalidRequestError([FieldViolation("winner", what)])
    if one.state == CONCLUDED:
        if one.winner != winner:
            _refuse(one, f"{one.winner!r} was named")
        return one
    following = _copy(one)
    following.state, following.winner = CONCLUDED, winner
    if one.state == RUNNING:
        following.stop_time.CopyFrom(now)
    return following


def require_draft(one: pb.Experiment) -> None:
    """Raise WrongStateError unless it may be changed."""
    if one.state != DRAFT:
        _refuse(one, "only a draft is changed, note included")


def require_not_under_way(one: pb.Experiment) -> None:
    """Raise WrongStateError unless it may be deleted."""
    if one.state not in (DRAFT, CONCLUDED):
        _refuse(one, "conclude it first")


def _opened(one: pb.Experiment, share: float) -> int:
    # A share such as 0.07 of 100 is 7.000000000000001 buckets, and means 7.
    return max(1, math.ceil(round(share * one.config.buckets, 6)))


def _copy(one: pb.Experiment) -> pb.Experiment:
    following = pb.Experiment()
    following.CopyFrom(one)
    return following


def _refuse(one: pb.Experiment, why: str) -> NoReturn:
    raise WrongStateError(f"experiment {one.name!r} is {_WORDS.get(one.state, '?')}: {why}")
