"""Slates for tests of what is learned from them."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from services.feedback.learner.model.impression import Impression, SlateEvent, columns_of
from services.feedback.learner.model.outcome_definition import (
    GenerationOutcomes,
    OutcomeDefinition,
)

GENERATION = "g"
OUTCOMES = GenerationOutcomes(
    GENERATION,
    (
        OutcomeDefinition("click", frozenset({"click", "buy"}), None, 1.0),
        OutcomeDefinition("buy", frozenset({"buy"}), None, 5.0),
    ),
)


def shown(
    slate_id: str,
    items: Sequence[str],
    user: bytes = b"u:1",
    *,
    served_at_us: int = 1,
    generation_id: str = GENERATION,
    surface: str = "",
    logits: npt.NDArray[np.float32] | None = None,
    features: npt.NDArray[np.float32] | None = None,
    probabilities: npt.NDArray[np.float32] | None = None,
) -> Impression:
    size = len(items)
    nothing = np.zeros((size, 2), np.float32)
    scores = nothing if logits is None else logits
    served = (1 / (1 + np.exp(-scores))).astype(np.float32)
    return Impression(
        slate_id=slate_id,
        user_key=user,
        surface=surface,
        served_sequence=0,
        generation_id=generation_id,
        policy="greedy-1",
        seed=0,
        served_at_us=served_at_us,
        item_ids=tuple(items),
        outcomes=scores.shape[1],
        columns=columns_of(
            np.ones(size, np.float32),
            served if probabilities is None else probabilities,
            scores,
            np.zeros((size, 3), np.float32) if features is None else features,
        ),
    )


def clicked(
    slate_id: str, item: str, user: bytes = b"u:1", kind: str = "click", weight: float = 1.0
) -> SlateEvent:
    return SlateEvent(slate_id, user, item, kind, float("nan"), weight)
