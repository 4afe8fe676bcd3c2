"""Events: from the wire to rows of the log.

What is plain about an event is found out, hashed and encoded in one go. An event with anything
about it that is not goes its own way, which has the exact words for it.
"""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from harken.feedback.v1 import event_pb2 as pb
from harken.internal.log.v1 import entry_pb2
from services.common.timestamps import micros_of
from services.common.user_key import Pseudonyms
from services.common.validation import (
    MAX_ID_BYTES,
    MAX_TIME_US,
    MIN_TIME_US,
    id_fault,
    subject_fault,
    time_fault,
)
from services.feedback.events.domain.event_cleaning import (
    NO_FIELD,
    ClockBounds,
    Draft,
    Reason,
    context_fault,
    fingerprint,
    hashed,
    hashed_field,
    hashed_time,
    hashed_value,
    quarantine_reason,
)
from services.feedback.events.domain.event_types import EventType, EventTypes, ValueRule
from services.feedback.log.log_store import PreparedEvents

MAX_SLATE_ID_BYTES = 64
MAX_VALUE = sys.float_info.max
_EVENT_TAG = entry_pb2.Entry.EVENT_FIELD_NUMBER << 3 | 2


@dataclass(frozen=True, slots=True)
class Rejection:
    """Why an event was refused outright."""

    reason: Reason
    detail: str


@dataclass(slots=True)
class PreparedRequest:
    """The events of a request of a tenant: those to append, with their ordinals, and the others.

    `details` says of quarantined events, by ordinal, why; of those on unknown items nothing yet.
    Where stored keys are pseudonyms, `names` has the id of each, and `unsealed`, by index of the
    event, entries with the event whose context is still to be sealed for them: they are not among
    the events yet.
    """

    tenant: str
    events: PreparedEvents = field(default_factory=PreparedEvents)
    ordinals: list[int] = field(default_factory=list)
    rejections: dict[int, Rejection] = field(default_factory=dict)
    details: dict[int, str] = field(default_factory=dict)
    names: dict[bytes, str] = field(default_factory=dict)
    unsealed: dict[int, tuple[entry_pb2.Entry, pb.Event]] = field(default_factory=dict)

    def keep(
        self,
        ordinal: int,
        event_id: str,
        item_id: str,
        fingerprint: bytes,
        user_key: bytes,
        entry: bytes,
        reason: int = 0,
    ) -> None:
        """Add an event to append."""
        events = self.events
        events.tenants.append(self.tenant)
        events.event_ids.append(event_id)
        events.item_ids.append(item_id)
        events.fingerprints.append(fingerprint)
        events.user_keys.append(user_key)
        events.reasons.append(reason)
        events.entries.append(entry)
        self.ordinals.append(ordinal)


class PlainType:
    """What events of a type have in common, and which values are plain."""

    def __init__(self, name: str, kind: EventType) -> None:
        self.kind = kind
        self.hashed = hashed_field(name.encode())
        self.needs_value = kind.value is ValueRule.REQUIRED
        ranged = kind.value is not ValueRule.IGNORED
        # Nothing is within these that is not finite.
        self.least = max(kind.minimum, -MAX_VALUE) if ranged else -MAX_VALUE
        self.most = min(kind.maximum, MAX_VALUE) if ranged else MAX_VALUE


class EventPreparer:
    """Prepares events of one kind of call."""

    def __init__(
        self,
        types: EventTypes,
        bounds: ClockBounds,
        now_us: Callable[[], int],
        pseudonyms: Pseudonyms,
    ) -> None:
        self.types = types
        self.pseudonyms = pseudonyms
        self._bounds = bounds
        self._now_us = now_us
        self.plain_types = {
            name: PlainType(name, kind) for name, kind in types.items() if not id_fault(name)
        }

    def plain_times(self) -> tuple[int, int]:
        """Return the oldest and the newest time of events, in unix microseconds, that is plain."""
        now_us, bounds = self._now_us(), self._bounds
        oldest = MIN_TIME_US if bounds.oldest_us is None else now_us - bounds.oldest_us
        return max(MIN_TIME_US, oldest), min(MAX_TIME_US, now_us + bounds.newest_us)

    def add(self, request: PreparedRequest, events: Sequence[pb.Event], first: int) -> None:
        """Add events to a request, of which the first has this ordinal."""
        times = self.plain_times()
        for ordinal, event in enumerate(events, first):
            if not self._add_plain(request, ordinal, event, times):
                self.add_any(request, ordinal, event)

    def _add_plain(
        self, request: PreparedRequest, ordinal: int, event: pb.Event, times: tuple[int, int]
    ) -> bool:
        """Add an event; return whether it is plain, and otherwise add nothing."""
        event_id, item_id, subject, slate_id = (
            event.event_id, event.item_id, event.subject, event.slate_id,
        )  # fmt: skip
        kind, user_id, session_id = (
            self.plain_types.get(event.type), subject.user_id, subject.session_id,
        )  # fmt: skip
        name = user_id or session_id
        if kind is None or event.context or not _plain_ids(event_id, item_id, name, slate_id):
            return False
        value, hashed_or_no_value = None, NO_FIELD
        if event.HasField("value"):
            value = event.value
            if not kind.least <= value <= kind.most:
                return False
            hashed_or_no_value = hashed_value(value)
        elif kind.needs_value:
            return False
        time_us, hashed_or_no_time = None, NO_FIELD
        if event.HasField("event_time"):
            time = event.event_time
            nanos = time.nanos
            time_us = time.seconds * 1_000_000 + nanos // 1000
            if not (0 <= nanos < 1_000_000_000 and times[0] <= time_us <= times[1]):
                return False
            hashed_or_no_time = hashed_time(time_us)
        pseudonyms = self.pseudonyms
        key_of = pseudonyms.key_of_user if user_id else pseudonyms.key_of_session
        user_key = key_of(request.tenant, name)
        if pseudonyms.keyed:
            request.names[user_key] = name
        request.keep(
            ordinal,
            event_id,
            item_id,
            hashed(
                b"".join(
                    (
                        hashed_field(user_key),
                        hashed_field(item_id.encode()),
                        kind.hashed,
                        hashed_field(slate_id.encode()),
                        hashed_or_no_value,
                        hashed_or_no_time,
                    )
                ),
                pseudonyms.fingerprint_key,
            ),
            user_key,
            entry_of(
                entry_pb2.LoggedEvent(
                    event_id=event_id,
                    user_key=user_key,
                    item_id=item_id,
                    type=event.type,
                    value=value,
                    event_time_us=time_us,
                    slate_id=slate_id,
                    weight=kind.kind.learning_weight(value),
                ).SerializeToString()
            ),
        )
        return True

    def add_any(self, request: PreparedRequest, ordinal: int, event: pb.Event) -> None:
        """Add an event, or why it is refused or set aside."""
        rejection = _rejection(event)
        if rejection is not None:
            request.rejections[ordinal] = rejection
            return
        subject = event.subject
        user_key = self.pseudonyms.key_of(request.tenant, subject)
        draft = _draft(event, user_key)
        to_seal = self.pseudonyms.keyed and bool(draft.context)
        entry = self._entry(draft, not to_seal)
        if self.pseudonyms.keyed:
            request.names[user_key] = subject.user_id or subject.session_id
        if to_seal:
            request.unsealed[len(request.events)] = (entry, event)
        reason, detail = quarantine_reason(draft, self.types, self._now_us(), self._bounds)
        if detail:
            request.details[ordinal] = detail
        request.keep(
            ordinal,
            draft.event_id,
            draft.item_id,
            fingerprint(draft, self.pseudonyms.fingerprint_key),
            draft.user_key,
            b"" if to_seal else entry.SerializeToString(),
            int(reason),
        )

    def _entry(self, draft: Draft, with_context: bool) -> entry_pb2.Entry:
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
                context=draft.context if with_context else None,
                weight=kind.learning_weight(draft.value) if kind is not None else 0.0,
            )
        )


def _plain_ids(event_id: str, item_id: str, name: str, slate_id: str) -> bool:
    """Return whether an event, its item, its user and its slate, if any, have ids without fault."""
    text = f"{event_id}{item_id}{name}{slate_id}"
    if text.isascii() and text.isprintable():
        return (
            0 < len(event_id) <= MAX_ID_BYTES
            and 0 < len(item_id) <= MAX_ID_BYTES
            and 0 < len(name) <= MAX_ID_BYTES
            and len(slate_id) <= MAX_SLATE_ID_BYTES
        )
    return not (
        id_fault(event_id)
        or id_fault(item_id)
        or id_fault(name)
        or (slate_id and id_fault(slate_id, MAX_SLATE_ID_BYTES))
    )


def entry_of(logged: bytes) -> bytes:
    """Return the entry of the log with a serialised LoggedEvent, as protobuf would write it."""
    size = len(logged)
    if size < 128:
        return bytes((_EVENT_TAG, size)) + logged
    return bytes((_EVENT_TAG, size & 127 | 128, size >> 7)) + logged


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


def _draft(event: pb.Event, user_key: bytes) -> Draft:
    time_us = None
    if event.HasField("event_time"):
        time_us = micros_of(event.event_time)
    return Draft(
        event_id=event.event_id,
        user_key=user_key,
        item_id=event.item_id,
        type=event.type,
        value=event.value if event.HasField("value") else None,
        event_time_us=time_us,
        slate_id=event.slate_id,
        context=event.context,
    )
