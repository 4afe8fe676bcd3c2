"""Between what is stored and what is on the wire."""

from harken.common.v1 import subject_pb2
from harken.profile.v1 import profile_pb2
from services.profile.domain.attribute_rules import etag_of
from services.profile.domain.behaviour import Behaviour
from services.profile.domain.seen_events import SeenPairs
from services.profile.store.attribute_store import StoredAttributes
from services.profile.store.profile_store import StoredProfile


def profile_of(subject: subject_pb2.Subject, stored: StoredProfile) -> profile_pb2.Profile:
    """Return the profile of a subject about whom something is stored."""
    profile = profile_pb2.Profile(subject=subject, seen_item_ids=stored.seen_item_ids)
    if stored.attributes is not None:
        set_attributes(profile, stored.attributes)
    if stored.behaviour is not None:
        _set_behaviour(profile, stored.behaviour)
    if stored.seen is not None:
        _set_seen(profile.seen, stored.seen)
    return profile


def set_attributes(profile: profile_pb2.Profile, stored: StoredAttributes) -> None:
    """Fill in attributes, etag and update_time."""
    profile.attributes.CopyFrom(stored.attributes)
    profile.etag = etag_of(stored.revision)
    profile.update_time.FromDatetime(stored.updated_at)


def _set_seen(seen: profile_pb2.SeenItems, pairs: SeenPairs) -> None:
    seen.item_ids.extend(pairs.item_ids)
    for type_, negative in pairs.kinds:
        seen.kinds.add(type=type_, negative=negative)
    seen.pair_items.extend(pairs.pair_items)
    seen.pair_kinds.extend(pairs.pair_kinds)
    seen.pair_times_us.extend(pairs.pair_times_us)


def _set_behaviour(profile: profile_pb2.Profile, behaviour: Behaviour) -> None:
    profile.state.MergeFromString(behaviour.recent)
    profile.state.generation_id = behaviour.generation_id
    if behaviour.vector is not None:
        profile.state.vector = behaviour.vector
    counters = profile.counters
    counters.events = behaviour.events
    counters.events_by_type.update(behaviour.events_by_type)
    counters.distinct_items = behaviour.distinct_items
    if behaviour.first_event_us is not None:
        counters.first_event_time.FromMicroseconds(behaviour.first_event_us)
    if behaviour.last_event_us is not None:
        counters.last_event_time.FromMicroseconds(behaviour.last_event_us)
