"""Slates of `full` as log entries: shown just before a group, joined with the events in it.

On the wire a ranker logs its slates by RecordSlates, and clients name the slate in the events that
came of it. Here everybody is taken to have seen the slate that was asked for at that moment.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from services.evaluation.system.arms import Served
from services.feedback.learner.model.entries import Event, Kind
from services.feedback.learner.model.impression import Impression, columns_of
from services.ranker.domain.slate import POLICY


def with_slate(
    kinds: Sequence[Kind], served: Served, number: int, user_key: bytes, generation_id: str
) -> list[Kind]:
    """Return the entries of a group after that of a slate; events on its items name it."""
    shown = served.slate.shown
    item_ids = tuple(slot.item_id for slot in served.slate.slots[: shown.items])
    slate_id = f"slate-{number}"
    slate = Impression(
        slate_id=slate_id,
        user_key=user_key,
        surface="",
        served_sequence=0,
        generation_id=generation_id,
        policy=POLICY,
        seed=0,
        served_at_us=served.time_us,
        item_ids=item_ids,
        outcomes=shown.logits.shape[1],
        columns=columns_of(
            np.ones(len(item_ids), np.float32), shown.probabilities, shown.logits, shown.features
        ),
    )
    there = set(item_ids)
    joined = [
        replace(kind, slate_id=slate_id)
        if isinstance(kind, Event) and kind.item_id in there
        else kind
        for kind in kinds
    ]
    return [slate, *joined]
