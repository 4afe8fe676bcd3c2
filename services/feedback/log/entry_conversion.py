"""Log entries: from storage to what the learner sees."""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from harken.internal.log.v1 import entry_pb2
from services.common.content_features import content_features
from services.common.item_content import content_of
from services.feed.parameters import Document
from services.feedback.generations.generation_conversion import FilesOf, activation_of, staging_of
from services.feedback.learner.model.entries import (
    EmbeddingPut,
    Event,
    EventRetracted,
    GenerationRetired,
    ItemDeleted,
    ItemUpserted,
    Kind,
    LearningConsent,
    LogEntry,
    Nothing,
    UserErased,
    UserLinked,
    UserUnlearned,
)
from services.feedback.log.log_store import LogRow
from services.feedback.slates.slate_conversion import impression

_OF_USERS = (
    "event", "event_retracted", "user_fact", "users_merged", "users_unmerged", "user_erased",
)  # fmt: skip


def parse(row: LogRow) -> entry_pb2.Entry:
    """Return the entry of a row."""
    return entry_pb2.Entry.FromString(row.entry)


def log_entry(row: LogRow, entry: entry_pb2.Entry, files: FilesOf) -> LogEntry:
    """Return an entry for the learner; `files` holds those of generations that it names."""
    return LogEntry(row.sequence, row.tenant, row.accepted_at_us, _kind(row, entry, files))


def _kind(row: LogRow, entry: entry_pb2.Entry, files: FilesOf) -> Kind:
    match entry.WhichOneof("kind"):
        case "event":
            return _event(entry.event, row.accepted_at_us)
        case "event_retracted":
            retracted = entry.event_retracted
            return EventRetracted(
                _event(retracted.event, retracted.event_accepted_at_us), retracted.event_sequence
            )
        case "slate":
            return impression(entry.slate, row.sequence)
        case "item_upserted":
            item = entry.item_upserted
            return ItemUpserted(
                item.item_id, item.SerializeToString(), content_features(content_of(item))
            )
        case "item_deleted":
            return ItemDeleted(entry.item_deleted)
        case "embedding":
            put = entry.embedding
            return EmbeddingPut(
                item_id=put.item_id if put.HasField("item_id") else None,
                user_key=put.user_key if put.HasField("user_key") else None,
                vector=np.frombuffer(put.vector, "<f4"),
                bias=put.bias,
                pinned=put.pinned,
                generation_id=put.generation_id,
            )
        case "generation_activated":
            return activation_of(entry.generation_activated, files)
        case "generation_staged":
            staged = entry.generation_staged
            return staging_of(staged.manifest, files, staged.now)
        case "generation_retired":
            return GenerationRetired(entry.generation_retired.generation_id)
        case "document":
            one = entry.document
            return Document(one.kind, one.name, one.revision, one.body)
        case "user_erased":
            erased = entry.user_erased
            if erased.unlearn:
                return UserUnlearned(erased.erasure_id)
            return UserErased(erased.erasure_id, erased.user_key, erased.tombstone)
        case "user_fact":
            fact = entry.user_fact
            decided = fact.consent.learning if fact.consent.HasField("learning") else None
            return LearningConsent(fact.user_key, None if decided is None else decided.granted)
        case "users_merged":
            merged = entry.users_merged
            return UserLinked(merged.from_key, merged.into_key)
        case "users_unmerged":
            return UserLinked(entry.users_unmerged.from_key, b"")
        case _:
            return Nothing()


def user_entries(rows: Sequence[LogRow]) -> list[LogEntry]:
    """Return those of some entries that say something of users, without what else they say."""
    found = []
    for row in rows:
        entry = parse(row)
        kind = entry.WhichOneof("kind")
        wanted = kind in _OF_USERS or (kind == "embedding" and entry.embedding.HasField("user_key"))
        if wanted:
            found.append(log_entry(row, entry, {}))
    return found


def with_events(entry: LogEntry, rows: Sequence[LogRow]) -> LogEntry:
    """Return an entry that unlearns a user, with the events named by it, given what the log has of
    them.
    """
    assert isinstance(entry.kind, UserUnlearned)
    events = []
    for row in sorted(rows, key=lambda row: row.sequence):
        own = parse(row)
        if own.HasField("event"):
            events.append(log_entry(row, own, {}))
    return replace(entry, kind=replace(entry.kind, events=tuple(events)))


def _event(event: entry_pb2.LoggedEvent, accepted_at_us: int) -> Event:
    return Event(
        user_key=event.user_key,
        item_id=event.item_id,
        type=event.type,
        value=event.value if event.HasField("value") else math.nan,
        time_us=event.event_time_us if event.HasField("event_time_us") else accepted_at_us,
        weight=event.weight,
        slate_id=event.slate_id,
    )
