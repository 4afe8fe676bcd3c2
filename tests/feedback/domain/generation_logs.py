"""Logs in which generations come, serve and go, among everything else that happens."""

import functools
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from hypothesis import strategies as st

from harken.feedback.v1 import generation_pb2
from services.common.content_features import Content, content_features
from services.feedback.generations.bootstrap import BootstrapBuilder
from services.feedback.generations.domain.bootstrap_models import item_tower
from services.feedback.generations.generation_conversion import (
    FilesOf,
    GenerationFiles,
    activation_of,
)
from services.feedback.learner.model.entries import (
    GenerationActivated,
    GenerationRetired,
    GenerationStaged,
    Kind,
    LogEntry,
    StagedStart,
    TrainedVectors,
)
from tests.feedback.domain.learning import DIMENSION, FILES, OUTCOMES, SCORER, activated, logs

OTHER_DIMENSION = 5
FIRST, OTHER = f"bootstrap-{DIMENSION}", f"bootstrap-{OTHER_DIMENSION}"
TRAINED = TrainedVectors(
    {f"i{number}": number for number in range(0, 24, 2)},
    np.random.default_rng(3).normal(0, 0.4, (24, OTHER_DIMENSION)).astype(np.float32),
    np.linspace(-0.5, 0.5, 24).astype(np.float32),
)
"""Of every other item, and of some that never exist."""
ALL_FILES: FilesOf = {
    **FILES,
    **{
        (tenant, OTHER): GenerationFiles(item_tower(OTHER_DIMENSION), TRAINED, SCORER)
        for tenant in ("a", "b")
    },
}


def features_of(payload: bytes) -> dict[str, float]:
    item_id, title = payload.decode().split("/")
    content = Content(item_id, title=title, categories=(f"c{int(item_id[1:]) % 3}",))
    return content_features(content)


@functools.cache
def generation(tenant: str, name: str) -> GenerationActivated:
    dimension = DIMENSION if name == FIRST else OTHER_DIMENSION
    serialised, _, _ = BootstrapBuilder(dimension, OUTCOMES)(tenant)
    manifest = generation_pb2.GenerationManifest.FromString(serialised)
    # The second generation remembers less of users.
    manifest.encoder.length = 30 if name == FIRST else 7
    return activation_of(manifest, ALL_FILES)


def lifecycle(tenant: str, what: str, name: str) -> Kind:
    match what:
        case "stage" | "stage now":
            start = StagedStart(features_of, TRAINED if name == OTHER else None)
            return GenerationStaged(generation(tenant, name), start, what == "stage now")
        case "activate":
            return generation(tenant, name)
        case _:
            return GenerationRetired(name)


Turn = tuple[int, str, str, str]
"""Where in the log, whose, what happens, and to which generation."""
_turns: st.SearchStrategy[Turn] = st.tuples(
    st.integers(0, 70),
    st.sampled_from(["a", "a", "b"]),
    st.sampled_from(["stage", "stage now", "activate", "activate", "retire"]),
    st.sampled_from([OTHER, OTHER, FIRST]),
)


@st.composite
def drawn_logs(draw: st.DrawFn) -> tuple[list[LogEntry], list[Turn]]:
    """What `with_generations` makes a log of (generations are too large to draw)."""
    log = draw(logs())
    turns = draw(st.lists(_turns, max_size=8))
    if draw(st.booleans()):
        # A whole life, so that most examples get far.
        turns += [(8, "a", "stage", OTHER), (24, "a", "activate", OTHER)]
    return log, turns


def with_generations(log: Sequence[LogEntry], turns: Sequence[Turn]) -> list[LogEntry]:
    """Put the turns into a log, after the items and before the activations of its tenants."""
    entries = list(log)
    tenants = {entry.tenant for entry in log}
    for place, tenant, what, name in sorted(turns, reverse=True):
        if tenant in tenants:
            place = min(place, len(entries))
            near = entries[max(place - 1, 0)]
            entries.insert(place, replace(near, tenant=tenant, kind=lifecycle(tenant, what, name)))
    return activated(entries)
