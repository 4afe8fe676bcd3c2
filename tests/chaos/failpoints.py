"""Named failpoints, put in by the launcher of tests: HARKEN_FAILPOINTS=name:action,name:action.

Actions: `kill` (SIGKILL of the process), `pause` (half a second), `raise` (a lost connection); each
takes place about once in fifty times that the point is passed.
"""

import asyncio
import importlib
import os
import random
import signal
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

FAILPOINTS = "HARKEN_FAILPOINTS"
_ONE_IN = 50
_PAUSE_SECONDS = 0.5

POINTS: Mapping[str, tuple[str, str, str]] = MappingProxyType(
    {
        "insert": ("services.feedback.store.event_flusher", "EventFlusher", "_append"),
        "ack": ("services.feedback.store.event_flusher", "EventFlusher", "append"),
        "step": ("services.feedback.store.learner_store", "LearnerStore", "commit_step"),
        "snapshot": ("services.feedback.store.learner_store", "LearnerStore", "write_checkpoint"),
        "forget": ("services.feedback.store.learner_store", "LearnerStore", "forget"),
        "apply": ("services.profile.store.behaviour_store", "BehaviourStore", "apply"),
        "peer_ack": ("services.profile.store.behaviour_store", "BehaviourStore", "flush"),
        "fold": ("services.ranker.frame_folder", "FrameFolder", "_fold"),
        "restart": ("services.ranker.frame_folder", "FrameFolder", "restart"),
    }
)
"""Module, class and coroutine function of each; a name is before_ or after_ one of these."""


def arm(text: str, module: str) -> None:
    """Arm what a text names, as far as it belongs to a service."""
    for part in filter(None, text.split(",")):
        name, _, action = part.partition(":")
        moment, _, point = name.partition("_")
        if action not in ("kill", "pause", "raise") or moment not in ("before", "after"):
            raise ValueError(f"{part!r} is no failpoint and action")
        where, owner, attribute = POINTS[point]
        if where.startswith(f"{module}."):
            _wrap(getattr(importlib.import_module(where), owner), attribute, moment, action)


def _wrap(owner: Any, attribute: str, moment: str, action: str) -> None:
    function = getattr(owner, attribute)

    async def armed(*given: Any, **named: Any) -> Any:
        if moment == "before":
            await _act(action)
        found = await function(*given, **named)
        if moment == "after":
            await _act(action)
        return found

    setattr(owner, attribute, armed)


async def _act(action: str) -> None:
    if random.randrange(_ONE_IN):
        return
    if action == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    elif action == "pause":
        await asyncio.sleep(_PAUSE_SECONDS)
    else:
        raise ConnectionError("a failpoint")
