"""Named failpoints, put in by the launcher of tests: HARKEN_FAILPOINTS=name:action,name:action
(`every` names them all).

Actions: `kill` (SIGKILL of the process), `pause` (half a second), `raise` (a lost connection or
store); each takes place once in some hundred times that the point is passed.
"""

import asyncio
import importlib
import os
import random
import signal
import time
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from services.common.errors import StoreUnavailableError

FAILPOINTS = "HARKEN_FAILPOINTS"
_ONE_IN = 300
_PAUSE_SECONDS = 0.5
_PEACE_SECONDS = 5.0
"""After its start, so that a process gets to do something: some points are passed all the time."""
_STORES = ("_store", "_flusher", "_reader", "_hub")
"""Ends of modules that speak to PostgreSQL."""

POINTS: Mapping[str, tuple[str, str, str]] = MappingProxyType(
    {
        "insert": ("services.feedback.events.event_flusher", "EventFlusher", "_append"),
        "ack": ("services.feedback.events.event_flusher", "EventFlusher", "append"),
        "entries": ("services.feedback.events.event_flusher", "EventFlusher", "append_entries"),
        "retract": ("services.feedback.events.retraction_store", "RetractionStore", "retract"),
        "fact": ("services.feedback.user_facts.user_fact_store", "UserFactStore", "append"),
        "upsert": ("services.feedback.catalogue.catalog_store", "CatalogStore", "upsert"),
        "delete": ("services.feedback.catalogue.catalog_store", "CatalogStore", "delete"),
        "term": ("services.feedback.learner.learner", "Learner", "_lead"),
        "heartbeat": (
            "services.feedback.learner.learner_store",
            "LearnerStore",
            "heartbeat",
        ),
        "read": ("services.feedback.learner.learner_store", "LearnerStore", "read_log"),
        "step": ("services.feedback.learner.learner_state", "LearnerState", "advance"),
        "commit": (
            "services.feedback.learner.learner_store",
            "LearnerStore",
            "commit_step",
        ),
        "tick": ("services.feedback.learner.learner_store", "LearnerStore", "append_tick"),
        "checkpoint": (
            "services.feedback.learner.learner_store",
            "LearnerStore",
            "write_checkpoint",
        ),
        "forget": ("services.feedback.learner.learner_store", "LearnerStore", "forget"),
        "load": ("services.feedback.learner.learner_state", "LearnerState", "catch_up"),
        "snapshot": ("services.feedback.feed_server.frame_store", "FrameStore", "pin_newest"),
        "frames_hub": ("services.feedback.feed_server.frame_hub", "FrameHub", "_catch_up"),
        "log_hub": ("services.feedback.feed_server.log_hub", "LogHub", "_catch_up"),
        "push": ("services.feedback.feed_server.news", "News", "wait"),
        "page": ("services.feedback.feed_server.frame_store", "FrameStore", "frames_after"),
        "log_page": ("services.feedback.log.log_reader", "LogReader", "after"),
        "begin": ("services.feedback.log.log_reader", "LogReader", "head"),
        "flip": (
            "services.feedback.learner.generation_keeper",
            "GenerationKeeper",
            "settle",
        ),
        "apply": ("services.profile.store.history_store", "HistoryStore", "apply"),
        "keep": ("services.profile.store.vector_store", "VectorStore", "keep"),
        "update": ("services.profile.store.attribute_store", "AttributeStore", "update"),
        "deliver": ("services.profile.outbox_relay", "OutboxRelay", "_deliver"),
        "fold": ("services.ranker.frame_applier", "FrameApplier", "_fold"),
        "restart": ("services.ranker.frame_applier", "FrameApplier", "restart"),
        "follow": ("services.ranker.entries_folder", "EntriesFolder", "apply"),
        "user": ("services.ranker.user_states", "UserStates", "get"),
    }
)
"""Module, class and coroutine function of each; a name is before_ or after_ one of these."""

NAMES = tuple(f"{moment}_{point}" for point in POINTS for moment in ("before", "after"))


def arm(text: str, module: str) -> None:
    """Arm what a text names, as far as it belongs to a service."""
    for part in filter(None, text.split(",")):
        if part.startswith("every:"):
            arm(",".join(f"{name}:{part[6:]}" for name in NAMES), module)
            continue
        name, _, action = part.partition(":")
        moment, _, point = name.partition("_")
        if action not in ("kill", "pause", "raise") or moment not in ("before", "after"):
            raise ValueError(f"{part!r} is no failpoint and action")
        where, owner, attribute = POINTS[point]
        if where.startswith(f"{module}."):
            _wrap(getattr(importlib.import_module(where), owner), attribute, moment, action)


def _wrap(owner: Any, attribute: str, moment: str, action: str) -> None:
    of_store = owner.__module__.endswith(_STORES)
    function = getattr(owner, attribute)
    from_then_on = time.monotonic() + _PEACE_SECONDS

    async def armed(*given: Any, **named: Any) -> Any:
        if moment == "before" and time.monotonic() > from_then_on:
            await _act(action, of_store)
        found = await function(*given, **named)
        if moment == "after" and time.monotonic() > from_then_on:
            await _act(action, of_store)
        return found

    setattr(owner, attribute, armed)


async def _act(action: str, of_store: bool) -> None:
    if random.randrange(_ONE_IN):
        return
    if action == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    elif action == "pause":
        await asyncio.sleep(_PAUSE_SECONDS)
    else:
        raise StoreUnavailableError("a failpoint") if of_store else ConnectionError("a failpoint")
