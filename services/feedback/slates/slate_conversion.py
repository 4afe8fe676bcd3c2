"""Slates: from the wire to a log entry, and to what the joiner sees."""

import re
import sys
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from harken.common.v1 import subject_pb2
from harken.internal.log.v1 import entry_pb2
from harken.internal.slates.v1 import decision_pb2
from harken.internal.slates.v1 import slate_service_pb2 as pb
from services.common.position import decode_position
from services.common.surfaces.rule_checks import MAX_LAST_SLATES
from services.common.timestamps import micros_of
from services.common.validation import id_fault, subject_fault, time_fault
from services.feed.columns import to_bytes
from services.feedback.learner.model.impression import Impression
from services.feedback.slates.decision_faults import decision_fault, exposures_fault

MAX_ITEMS = 100
_MAX_NAME_BYTES = 64
_MAX_OUTCOMES = 100
_MAX_COLUMNS = 1000
_MAX_SKEW_US = 5 * 60 * 1_000_000
_SURFACE = re.compile(r"[a-z0-9_-]{0,64}")
_FLOAT_BYTES = 4


@dataclass(frozen=True, slots=True)
class SlateRejection:
    """Why a slate was refused."""

    reason: pb.SlateReason
    detail: str


def logged_slate(
    slate: pb.ServedSlate, now_us: int, key_of: Callable[[subject_pb2.Subject], bytes]
) -> entry_pb2.LoggedSlate | SlateRejection:
    """Return a slate as it is logged, or why it is refused. `key_of`: stored keys of subjects."""
    rejection = _rejection(slate, now_us)
    if rejection is not None:
        return rejection
    items = len(slate.item_ids)
    kept = min(items, MAX_ITEMS)
    sequence = 0
    if slate.served_position:
        sequence = decode_position(slate.served_position).sequence
    return entry_pb2.LoggedSlate(
        slate_id=slate.slate_id,
        user_key=key_of(slate.subject),
        surface=slate.surface,
        served_sequence=sequence,
        generation_id=slate.generation_id,
        policy=slate.policy,
        seed=slate.seed,
        served_at_us=_microseconds(slate),
        item_ids=slate.item_ids[:kept],
        propensities=_cut(slate.propensities, items, kept),
        probabilities=_cut(slate.probabilities, items, kept),
        logits=_cut(slate.logits, items, kept),
        features=_cut(slate.features, items, kept),
        exposures=slate.exposures,
        decision=_decision(slate, kept) if slate.HasField("decision") else None,
        remembered_slates=slate.remembered_slates,
    )


def served_again(logged: entry_pb2.LoggedSlate, subject: subject_pb2.Subject) -> pb.ServedSlate:
    """Return a slate of the log as a ranker sent it to a subject; without served_position."""
    slate = pb.ServedSlate(
        slate_id=logged.slate_id,
        subject=subject,
        surface=logged.surface,
        generation_id=logged.generation_id,
        policy=logged.policy,
        seed=logged.seed,
        item_ids=logged.item_ids,
        propensities=logged.propensities,
        probabilities=logged.probabilities,
        logits=logged.logits,
        features=logged.features,
        exposures=logged.exposures,
        decision=logged.decision if logged.HasField("decision") else None,
        remembered_slates=logged.remembered_slates,
    )
    slate.serve_time.FromMicroseconds(logged.served_at_us)
    return slate


def impression(logged: entry_pb2.LoggedSlate, sequence: int) -> Impression:
    """Return a slate as the joiner sees it; `sequence`: in the log, 0 when that is not known."""
    items = len(logged.item_ids)
    return Impression(
        slate_id=logged.slate_id,
        user_key=logged.user_key,
        # Thousands of slates name the same few: one object of each will do.
        surface=sys.intern(logged.surface),
        served_sequence=logged.served_sequence,
        generation_id=sys.intern(logged.generation_id),
        policy=sys.intern(logged.policy),
        seed=logged.seed,
        served_at_us=logged.served_at_us,
        item_ids=tuple(map(sys.intern, logged.item_ids)),
        outcomes=len(logged.logits) // (_FLOAT_BYTES * items),
        columns=logged.propensities + logged.probabilities + logged.logits + logged.features,
        sequence=sequence,
    )


def logged_again(slate: Impression) -> entry_pb2.LoggedSlate:
    """Return the log entry of a slate that the joiner holds: what learning needs of it, so without
    exposures and decision.
    """
    return entry_pb2.LoggedSlate(
        slate_id=slate.slate_id,
        user_key=slate.user_key,
        surface=slate.surface,
        served_sequence=slate.served_sequence,
        generation_id=slate.generation_id,
        policy=slate.policy,
        seed=slate.seed,
        served_at_us=slate.served_at_us,
        item_ids=slate.item_ids,
        propensities=to_bytes(slate.propensities, "<f4"),
        probabilities=to_bytes(slate.probabilities, "<f4"),
        logits=to_bytes(slate.logits, "<f4"),
        features=to_bytes(slate.features, "<f4"),
    )


def _rejection(slate: pb.ServedSlate, now_us: int) -> SlateRejection | None:
    for field, fault in (
        ("slate_id", id_fault(slate.slate_id, _MAX_NAME_BYTES)),
        ("generation_id", id_fault(slate.generation_id, _MAX_NAME_BYTES)),
        ("policy", id_fault(slate.policy, _MAX_NAME_BYTES) if slate.policy else None),
        ("surface", None if _SURFACE.fullmatch(slate.surface) else "is not 0 to 64 of [a-z0-9_-]"),
    ):
        if fault:
            return SlateRejection(pb.SLATE_REASON_INVALID_ID, f"{field} {fault}")
    fault = subject_fault(slate.subject)
    if fault:
        return SlateRejection(pb.SLATE_REASON_INVALID_SUBJECT, f"subject {fault}")
    if slate.served_position:
        try:
            decode_position(slate.served_position)
        except ValueError as error:
            return SlateRejection(pb.SLATE_REASON_INVALID_POSITION, str(error))
    fault = _time_fault(slate, now_us)
    if fault:
        return SlateRejection(pb.SLATE_REASON_INVALID_TIME, f"serve_time {fault}")
    fault = _items_fault(slate)
    if fault:
        return SlateRejection(pb.SLATE_REASON_INVALID_ITEMS, f"item_ids {fault}")
    fault = _columns_fault(slate)
    if fault:
        return SlateRejection(pb.SLATE_REASON_INVALID_COLUMNS, fault)
    if slate.remembered_slates > MAX_LAST_SLATES:
        what = f"remembered_slates must be at most {MAX_LAST_SLATES}"
        return SlateRejection(pb.SLATE_REASON_INVALID_COLUMNS, what)
    fault = exposures_fault(slate.exposures)
    if fault:
        return SlateRejection(pb.SLATE_REASON_INVALID_ID, f"exposures {fault}")
    if slate.HasField("decision"):
        fault = decision_fault(slate.decision, slate.item_ids)
        if fault:
            return SlateRejection(pb.SLATE_REASON_INVALID_COLUMNS, f"decision {fault}")
    return None


def _time_fault(slate: pb.ServedSlate, now_us: int) -> str | None:
    if not slate.HasField("serve_time"):
        return "is required"
    fault = time_fault(slate.serve_time)
    if fault is None and abs(_microseconds(slate) - now_us) > _MAX_SKEW_US:
        return "is more than 5 minutes from now"
    return fault


def _items_fault(slate: pb.ServedSlate) -> str | None:
    if not slate.item_ids:
        return "must have an element"
    if len(set(slate.item_ids)) < len(slate.item_ids):
        return "holds an id twice"
    for item_id in slate.item_ids:
        fault = id_fault(item_id)
        if fault:
            return f"holds one that {fault}"
    return None


def _columns_fault(slate: pb.ServedSlate) -> str | None:
    items = len(slate.item_ids)
    if len(slate.propensities) != items * _FLOAT_BYTES:
        return f"propensities must be float32 [{items}]"
    propensities = np.frombuffer(slate.propensities, "<f4")
    if not ((propensities > 0) & (propensities <= 1)).all():
        return "propensities must be in (0, 1]"
    columns = {}
    for name, content, most in (
        ("probabilities", slate.probabilities, _MAX_OUTCOMES),
        ("logits", slate.logits, _MAX_OUTCOMES),
        ("features", slate.features, _MAX_COLUMNS),
    ):
        width, rest = divmod(len(content), items * _FLOAT_BYTES)
        if rest or width > most:
            return f"{name} must be float32 [{items}, up to {most}]"
        if not np.isfinite(np.frombuffer(content, "<f4")).all():
            return f"{name} must be finite"
        columns[name] = width
    if columns["probabilities"] != columns["logits"]:
        return "probabilities and logits must have as many outcomes"
    if bool(columns["logits"]) != bool(columns["features"]):
        return "logits and features come together"
    probabilities = np.frombuffer(slate.probabilities, "<f4")
    if not ((probabilities >= 0) & (probabilities <= 1)).all():
        return "probabilities must be in [0, 1]"
    return None


def _microseconds(slate: pb.ServedSlate) -> int:
    return micros_of(slate.serve_time)


def _decision(slate: pb.ServedSlate, kept: int) -> decision_pb2.SlateDecision:
    """Return how the places that are logged were decided."""
    decision = decision_pb2.SlateDecision()
    decision.CopyFrom(slate.decision)
    del decision.barred[kept:]
    del decision.lowered[kept:]
    del decision.slots[kept:]
    if len(decision.decided_places) > kept:
        # What was sorted from behind the end is not there any more.
        del decision.decided_places[:]
    return decision


def _cut(content: bytes, items: int, kept: int) -> bytes:
    """Return the first rows of a column that has one row per item."""
    return content[: len(content) // items * kept]
