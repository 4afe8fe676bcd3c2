"""Generations as the system starts with them: the learner's side and the ranker's."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from harken.feedback.v1 import generation_pb2 as pb
from services.common.candidate_features import are_first_columns
from services.common.onnx_model import ITEM_VECTORS, SCORER, TOWER
from services.common.ranking.features import FEATURES
from services.common.ranking.scorer import Scorer
from services.feedback.generations.domain.bootstrap_models import (
    OUTCOMES,
    bootstrap_activation,
    prior_scorer,
)
from services.feedback.learner.model.entries import (
    FeaturesOf,
    GenerationActivated,
    GenerationStaged,
    StagedStart,
    TrainedVectors,
)
from services.feedback.learner.model.outcome_definition import OutcomeDefinition, ReturnWindow
from services.ranker.domain.generation import Generation


@dataclass(frozen=True, slots=True)
class SystemGeneration:
    """One generation as the learner and as the ranker see it.

    trained: start vectors of items, for one that was trained.
    """

    learner: GenerationActivated
    ranker: Generation
    trained: TrainedVectors | None = None

    def staged(self, features_of: FeaturesOf) -> GenerationStaged:
        """Return the entry that puts it beside the one that serves, to serve once it is built."""
        return GenerationStaged(self.learner, StagedStart(features_of, self.trained), now=True)


def bootstrap_generation(
    dimension: int, outcomes: Sequence[OutcomeDefinition] = ()
) -> SystemGeneration:
    """Return the generation of day 0, which needs no training.

    `outcomes`: what its one output, engagement, is told by; none: by nothing.
    """
    activation = bootstrap_activation(dimension)
    manifest = pb.GenerationManifest(generation_id=activation.generation_id)
    activation = replace(
        activation,
        manifest=manifest.SerializeToString(),
        outcomes=tuple(outcomes),
        columns=len(FEATURES),
        scorer=prior_scorer(),
    )
    scorer = Scorer(activation.scorer, FEATURES, OUTCOMES)
    return SystemGeneration(activation, _ranker_side(activation, scorer, ()))


def engagement(types: Sequence[str]) -> tuple[OutcomeDefinition, ...]:
    """Return the one outcome that any event of these types is."""
    return (OutcomeDefinition(OUTCOMES[0], frozenset(types), None, 1.0),)


def trained_generation(
    manifest: pb.GenerationManifest, files: Mapping[str, bytes]
) -> SystemGeneration:
    """Return what the trainer made, as feedback reads it (generations/generation_conversion.py).

    Raises:
        ValueError: its scorer wants other features than there are.

    """
    features = tuple(manifest.scorer_features)
    if not are_first_columns(features):
        raise ValueError(f"{manifest.generation_id} wants other features than this version makes")
    outcomes = tuple(_outcome(one) for one in manifest.outcomes)
    activation = GenerationActivated(
        generation_id=manifest.generation_id,
        manifest=manifest.SerializeToString(),
        tower=files[TOWER],
        dimension=manifest.dimension,
        max_norm=manifest.max_norm,
        content_buckets=manifest.content_buckets,
        length=manifest.encoder.length,
        decay=manifest.encoder.decay,
        alpha=manifest.encoder.alpha,
        regularization=manifest.encoder.regularization,
        outcomes=outcomes,
        columns=len(features),
        scorer=files[SCORER],
    )
    scorer = Scorer(files[SCORER], features, [one.name for one in outcomes])
    vectors = files.get(ITEM_VECTORS)
    return SystemGeneration(
        activation,
        _ranker_side(activation, scorer, [one.weight for one in outcomes]),
        None if vectors is None else _vectors(vectors, manifest.dimension),
    )


def _ranker_side(
    activation: GenerationActivated, scorer: Scorer, weights: Sequence[float]
) -> Generation:
    return Generation(
        activation.generation_id,
        activation.dimension,
        activation.max_norm,
        scorer,
        activation.encoder,
        tuple(weights),
    )


def _outcome(outcome: pb.Outcome) -> OutcomeDefinition:
    least = outcome.min_value if outcome.HasField("min_value") else None
    window = None
    if outcome.HasField("return_window"):
        ends = outcome.return_window.after, outcome.return_window.until
        window = ReturnWindow(*(end.ToMicroseconds() for end in ends))
    kinds = frozenset(outcome.event_types)
    return OutcomeDefinition(outcome.name, kinds, least, outcome.weight, window)


def _vectors(content: bytes, dimension: int) -> TrainedVectors:
    file = pb.ItemVectorFile.FromString(content)
    count = len(file.item_ids)
    biases = np.frombuffer(file.biases, "<f4") if file.biases else np.zeros(count, np.float32)
    return TrainedVectors(
        {item_id: row for row, item_id in enumerate(file.item_ids)},
        np.frombuffer(file.vectors, "<f4").reshape(count, dimension),
        biases,
    )
