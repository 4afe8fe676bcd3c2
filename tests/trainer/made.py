"""Data that is made: people of two tastes, items of two kinds whose content says which."""

import numpy as np

from services.common.content_features import Content
from services.common.onnx_model import ITEM_VECTORS, SCORER, TOWER
from services.dataset.history.events import Events
from services.feedback.events.domain.event_types import EventType
from services.feedback.generations.domain.bootstrap_models import (
    BUCKETS,
    ENGAGE,
    item_tower,
    prior_scorer,
)
from services.system.generation import SystemGeneration, trained_generation
from services.trainer.fold_in_model import FoldInOptions
from services.trainer.generation import item_vectors_file, manifest_of
from services.trainer.training_data import TrainingData, training_data

TYPES = {"view": EventType(weight=1.0)}


def events_of(users: list[int], items: list[int], seconds: list[int]) -> Events:
    return Events(
        user_ids=[f"u{n}" for n in range(max(users) + 1)],
        item_ids=[f"i{n}" for n in range(max(items) + 1)],
        types=["view"],
        users=np.array(users, np.int32),
        items=np.array(items, np.int32),
        kinds=np.zeros(len(users), np.int16),
        values=np.full(len(users), np.nan),
        times_us=np.array(seconds, np.int64) * 1_000_000,
    )


def tasteful(
    people: int = 60, items: int = 40, events: int = 1500, kinds: int = 4, seed: int = 1
) -> TrainingData:
    """Person p takes items of kind p mod kinds nine times of ten; an item's tags say its kind."""
    generator = np.random.default_rng(seed)
    users = generator.integers(0, people, events)
    kind = np.where(
        generator.random(events) < 0.9, users % kinds, generator.integers(0, kinds, events)
    )
    chosen = generator.integers(0, items // kinds, events) * kinds + kind
    # All ids appear, in order, so that codes and names agree.
    users[:people] = np.arange(people)
    chosen[:items] = np.arange(items)
    history = events_of(users.tolist(), chosen.tolist(), list(range(1, events + 1)))
    contents = {
        f"i{n}": Content(f"i{n}", title=f"Number {n}", tags=(f"kind{n % kinds}",))
        for n in range(items)
    }
    return training_data(history, contents, TYPES, 0.2)


def generation_with(vectors: np.ndarray, scorer: bytes | None = None) -> SystemGeneration:
    """Item n starts at vectors[n]; what is not given is as the bootstrap generation has it."""
    dimension = vectors.shape[1]
    names = [f"i{n}" for n in range(len(vectors))]
    files = {
        TOWER: item_tower(dimension),
        SCORER: scorer or prior_scorer(),
        ITEM_VECTORS: item_vectors_file(names, vectors, 3.0),
    }
    manifest = manifest_of("made", dimension, BUCKETS, FoldInOptions(), ENGAGE, files, {})
    return trained_generation(manifest, files)
