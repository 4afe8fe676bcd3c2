"""Events: from the wire to a draft, to a log entry."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from harken.feedback.v1 import event_pb2 as pb
from harken.internal.log.v1 import entry_pb2
from services.common.user_key import user_key_of
from services.common.validation import MAX_ID_BYTES, id_fault, subject_fault, time_fault
from services.feedback.events.domain.event_cleaning import (
    ClockBounds,
    Draft,
    Reason,
    context_fault,
    fingerprint,
    quarantine_reason,
)
from services.feedback.events.domain.event_types import EventTypes
from services.feedback.log.log_store import PreparedEvents

MAX_SLATE_ID_BYTES = 64


@dataclass(frozen=True, slots=True)
class Rejection:
    """Why an event was refused outright."""

    reason: Reason
    detail: str


@dataclass(frozen=True, slots=True)
class Prepared:
    """An event ready for the log; `reason` and `detail` say why it is set aside, if it is."""

    event_id: str
    item_id: str
    fingerprint: bytes
    user_key: bytes
    reason: int
    entry: bytes
    detail: str


@dataclass(frozen=True, slots=True)
class PreparedRequest:
    """The events of a request: those to append, with their ordinals, and the others.

    `details` says of quarantined events, by ordinal, why; of those on unknown items nothing yet.
    """

    events: PreparedEvents
    ordinals: Sequence[int]
    rejections: Mapping[int, Rejection]
    details: Mapping[int, str]


@dataclass(frozen=True, slots=True)
class EventPreparer:
    """Prepares events of one kind of call."""

    types: EventTypes
    bounds: ClockBounds
    now_us: Callable[[], int]

    def prepare(self, event: pb.Event) -> Prepared | Rejection:
        """Return the event ready for the log, or why it is refused."""
        rejection = _rejection(event)
        if rejection is not None:
            return rejection
        draft = _draft(event)
        reason, detail = quarantine_reason(draft, self.types, self.now_us(), self.bounds)
        return Prepared(
            event_id=draft.event_id,
            item_id=draft.item_id,
            fingerprint=fingerprint(draft),
            user_key=draft.user_key,
            reason=int(reason),
            entry=self._entry(draft).SerializeToString(),
            detail=detail,
        )

    def _entry(self, draft: Draft) -> entry_pb2.Entry:
        kind = self.types.get(draft.type)
        return entry_pb2.Entry(
            event=entry_pb2.LoggedEvent(
                event_id=draft.event_id,
                user_key=draft.user_key,
                item_id=draft.item_id,
                type=draft.type,
                value=draft.value,
                event_time_us=draft.event_time_us,
                slate_id=draft.slate_id,
                context=draft.context,
                weight=kind.learning_weight(draft.value) if kind is not None else 0.0,
            )
        )


def prepared_request(tenant: str, outcomes: Sequence[Prepared | Rejection]) -> PreparedRequest:
    """Return a request of events, given what `prepare` returned for each."""
    kept = [(k, one) for k, one in enumerate(outcomes) if isinstance(one, Prepared)]
    return PreparedRequest(
        PreparedEvents(
            tenants=[tenant] * len(kept),
            event_ids=[one.event_id for _, one in kept],
            item_ids=[one.item_id for _, one in kept],
            fingerprints=[one.fingerprint for _, one in kept],
            user_keys=[one.user_key for _, one in kept],
            reasons=[one.reason for _, one in kept],
            entries=[one.entry for _, one in kept],
        ),
        ordinals=[k for k, _ in kept],
        rejections={k: one for k, one in enumerate(outcomes) if isinstance(one, Rejection)},
        details={k: one.detail for k, one in kept if one.detail},
    )


def logged_draft(event: entry_pb2.LoggedEvent, time_us: int) -> Draft:
    """Return the draft that an event of the log was made from, had `time_us` been its time."""
    return Draft(
        event_id=event.event_id,
        user_key=event.user_key,
        item_id=event.item_id,
        type=event.type,
        value=event.value if event.HasField("value") else None,
        event_time_us=time_us,
        slate_id=event.slate_id,
        context=event.context,
    )


def _rejection(event: pb.Event) -> Rejection | None:
    for text, missing in (
        (event.event_id, Reason.MISSING_EVENT_ID),
        (event.item_id, Reason.MISSING_ITEM),
        (event.type, Reason.MISSING_TYPE),
    ):
        if not text:
            field = missing.name.removeprefix("MISSING_").lower()
            return Rejection(missing, f"{field} is required")
    if event.subject.WhichOneof("kind") is None:
        return Rejection(Reason.MISSING_SUBJECT, "subject needs user_id or session_id")
    for field, fault in (
        ("event_id", id_fault(event.event_id)),
        ("subject", subject_fault(event.subject)),
        ("item_id", id_fault(event.item_id)),
        ("type", id_fault(event.type, MAX_ID_BYTES)),
        ("slate_id", id_fault(event.slate_id, MAX_SLATE_ID_BYTES) if event.slate_id else None),
    ):
        if fault:
            return Rejection(Reason.INVALID_ID, f"{field} {fault}")
    wrong_time = time_fault(event.event_time) if event.HasField("event_time") else None
    if wrong_time:
        return Rejection(Reason.INVALID_TIME, f"event_time {wrong_time}")
    too_large = context_fault(event.context)
    if too_large:
        return Rejection(Reason.CONTEXT_TOO_LARGE, too_large)
    return None


def _draft(event: pb.Event) -> Draft:
    time_us = None
    if event.HasField("event_time"):
        time_us = event.event_time.seconds * 1_000_000 + event.event_time.nanos // 1000
    return Draft(
        event_id=event.event_id,
        user_key=user_key_of(event.subject),
        item_id=event.item_id,
        type=event.type,
        value=event.value if event.HasField("value") else None,
        event_time_us=time_us,
        slate_id=event.slate_id,
        context=event.context,
    )
