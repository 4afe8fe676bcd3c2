"""Between what is stored and what is on the wire."""

from collections.abc import Sequence
from enum import Enum

from harken.common.v1 import subject_pb2
from harken.profile.v1 import profile_pb2
from services.common.user_key import subject_of, user_key_of
from services.profile.domain.attribute_rules import etag_of
from services.profile.domain.behaviour import counts_of, recent_of, seen_ids_of, seen_pairs_of
from services.profile.domain.history import History
from services.profile.store.attribute_store import StoredAttributes
from services.profile.store.profile_store import StoredProfile, StoredVector


class Seen(Enum):
    """What is answered of seen items."""

    NOTHING = 0
    IDS = 1
    BY_TYPE = 2


def profile_of(
    subject: subject_pb2.Subject, stored: StoredProfile, seen: Seen
) -> profile_pb2.Profile:
    """Return the profile of a subject about whom something is stored, or who is merged."""
    if stored.user_key != user_key_of(subject):
        subject = subject_of(stored.user_key)
    profile = profile_pb2.Profile(subject=subject, merged=map(subject_of, stored.merged))
    if stored.attributes is not None:
        set_attributes(profile, stored.attributes)
    if stored.vector is not None:
        _set_vector(profile.state, stored.vector)
    if stored.history is not None:
        _set_behaviour(profile, stored.history, stored.types)
        if seen is Seen.IDS:
            profile.seen_item_ids.extend(seen_ids_of(stored.history))
        elif seen is Seen.BY_TYPE:
            _set_seen(profile.seen, stored.history, stored.types)
    elif stored.vector is not None:
        profile.counters.SetInParent()
    return profile


def set_attributes(profile: profile_pb2.Profile, stored: StoredAttributes) -> None:
    """Fill in attributes, consent, etag and update_time."""
    profile.attributes.CopyFrom(stored.attributes)
    if stored.consent.ListFields():
        profile.consent.CopyFrom(stored.consent)
    profile.etag = etag_of(stored.revision)
    if stored.updated_at is not None:
        profile.update_time.FromDatetime(stored.updated_at)


def _set_vector(state: profile_pb2.UserState, stored: StoredVector) -> None:
    state.vector = stored.vector
    state.generation_id = stored.generation_id
    state.vector_set = stored.is_set
    state.vector_pinned = stored.pinned


def _set_seen(seen: profile_pb2.SeenItems, history: History, types: Sequence[str]) -> None:
    pairs = seen_pairs_of(history, types)
    seen.item_ids.extend(pairs.item_ids)
    for type_, negative in pairs.kinds:
        seen.kinds.add(type=type_, negative=negative)
    seen.pair_items.extend(pairs.pair_items)
    seen.pair_kinds.extend(pairs.pair_kinds)
    seen.pair_times_us.extend(pairs.pair_times_us)


def _set_behaviour(profile: profile_pb2.Profile, history: History, types: Sequence[str]) -> None:
    for event in recent_of(history, types):
        recent = profile.state.recent.add(
            item_id=event.item_id, type=event.type, weight=event.weight
        )
        if event.value == event.value:
            recent.value = event.value
        recent.event_time.FromMicroseconds(event.time_us)
    counts = counts_of(history, types)
    counters = profile.counters
    counters.events = counts.events
    counters.events_by_type.update(counts.events_by_type)
    counters.distinct_items = counts.distinct_items
    counters.first_event_time.FromMicroseconds(counts.first_us)
    counters.last_event_time.FromMicroseconds(counts.last_us)
