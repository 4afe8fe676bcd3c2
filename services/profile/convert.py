"""Between what is stored and what is on the wire."""

from collections.abc import Collection, Mapping, Sequence

from harken.common.v1 import subject_pb2
from harken.profile.v1 import profile_pb2
from services.profile.domain.attribute_rules import etag_of
from services.profile.domain.behaviour import counts_of, recent_of, seen_ids_of, seen_pairs_of
from services.profile.domain.habits import Habits
from services.profile.domain.history import History
from services.profile.domain.interests import Interest
from services.profile.store.attribute_store import StoredAttributes
from services.profile.store.profile_store import StoredProfile, StoredVector


def profile_of(
    subject: subject_pb2.Subject,
    stored: StoredProfile,
    parts: Collection[str],
    names: Mapping[bytes, subject_pb2.Subject],
) -> profile_pb2.Profile:
    """Return the profile of a subject about whom something is stored, or who is merged.

    parts: paths of a read mask, all but "interests", which are not in what is stored. names: of who
    is merged into the user, and of the user, where there is anybody.
    """
    profile = profile_pb2.Profile(
        subject=names.get(stored.user_key, subject) if stored.merged else subject,
        merged=[names[key] for key in stored.merged if key in names],
    )
    if stored.attributes is not None and "attributes" in parts:
        set_attributes(profile, stored.attributes)
    if stored.vector is not None and "state" in parts:
        _set_vector(profile.state, stored.vector)
    if stored.history is not None:
        _set_history(profile, stored.history, stored.types, parts)
    elif stored.vector is not None and "counters" in parts:
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


def set_habits(behaviour: profile_pb2.Behaviour, habits: Habits, now_us: int) -> None:
    """Fill in how a user behaves, as of a moment."""
    behaviour.as_of.FromMicroseconds(now_us)
    behaviour.active_days = habits.active_days
    behaviour.sessions = habits.sessions
    behaviour.events_by_hour.extend(habits.events_by_hour)
    behaviour.events_by_weekday.extend(habits.events_by_weekday)
    for one in habits.types:
        added = behaviour.types.add(
            type=one.type, events=one.events, active_days=one.active_days,
            events_7_days=one.events_7_days, events_30_days=one.events_30_days,
            value_sum=one.value_sum,
        )  # fmt: skip
        added.first_time.FromMicroseconds(one.first_us)
        added.last_time.FromMicroseconds(one.last_us)


def set_interests(
    interests: profile_pb2.Interests,
    categories: Sequence[Interest],
    tags: Sequence[Interest],
    now_us: int,
) -> None:
    """Fill in what a user likes, as of a moment."""
    interests.as_of.FromMicroseconds(now_us)
    for found, field in ((categories, interests.categories), (tags, interests.tags)):
        for one in found:
            field.add(
                name=one.name, short_term=one.short_term, long_term=one.long_term,
                events=one.events, negative_events=one.negative_events,
            )  # fmt: skip


def _set_history(
    profile: profile_pb2.Profile, history: History, types: Sequence[str], parts: Collection[str]
) -> None:
    if "state" in parts:
        _set_recent(profile.state, history, types)
    if "counters" in parts:
        _set_counters(profile.counters, history, types)
    if "seen_item_ids" in parts:
        profile.seen_item_ids.extend(seen_ids_of(history))
    if "seen" in parts:
        _set_seen(profile.seen, history, types)


def _set_recent(state: profile_pb2.UserState, history: History, types: Sequence[str]) -> None:
    for event in recent_of(history, types):
        recent = state.recent.add(item_id=event.item_id, type=event.type, weight=event.weight)
        if event.value == event.value:
            recent.value = event.value
        recent.event_time.FromMicroseconds(event.time_us)


def _set_counters(counters: profile_pb2.Counters, history: History, types: Sequence[str]) -> None:
    counts = counts_of(history, types)
    counters.events = counts.events
    counters.events_by_type.update(counts.events_by_type)
    counters.distinct_items = counts.distinct_items
    counters.first_event_time.FromMicroseconds(counts.first_us)
    counters.last_event_time.FromMicroseconds(counts.last_us)
