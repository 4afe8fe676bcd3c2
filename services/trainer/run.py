"""A training run: what `harken train` does, from events to the folder of a generation.

    validation pass   base vectors, tower, scorer (and encoders) from what is before the window,
                      judged on the window, which also chooses constants
    final pass        the same from all events, with the constants chosen; exported and written

Each part leaves a checkpoint in the work folder, so that an interrupted run goes on.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from services.common.compiled_core import find_core
from services.common.onnx_model import ITEM_VECTORS, SCORER, TOWER
from services.feedback.generations.domain.bootstrap_models import ENGAGE, prior_scorer
from services.feedback.learner.model.item_step import ItemStepConfig
from services.feedback.learner.model.outcome_definition import OutcomeDefinition
from services.feedback.learner.model.tenant_state import LearningConfig
from services.trainer.base_vectors import (
    PreviousVectors,
    fit_base_vectors,
    start_from,
    turned_onto,
)
from services.trainer.constants import Constants, choose_constants, scaled_table, trials
from services.trainer.content_matrix import ContentMatrix
from services.trainer.encoder_run import EncoderRun, encoder_run
from services.trainer.engine import Engine, LocalEngine
from services.trainer.export import ENCODER, export_tower
from services.trainer.fold_in_model import FoldInOptions
from services.trainer.generation import item_vectors_file, manifest_of, write_generation
from services.trainer.interactions import Interactions, write_interactions
from services.trainer.model_card import model_card
from services.trainer.parameters import Parameters
from services.trainer.ranking import sample_groups
from services.trainer.scorer import scorer_model
from services.trainer.scorer_run import ScorerRun, scorer_run
from services.trainer.timeline import Floats, Groups, Timeline
from services.trainer.tower_run import TowerRun, tower_run
from services.trainer.training_data import TrainingData
from services.trainer.vector_scale import scaled

Progress = Callable[[str, int], AbstractContextManager[Callable[[int], None]]]
"""(what, total) -> a block in which the function given takes how much is done."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to train. buckets: of content. groups: at most so many are ranked for validation.
    encoders: kinds to train beside fold-in. deep: try the deep scorer. warm: start from `previous`
    rather than rotate onto it. work: folder of checkpoints and interactions.
    """

    generation_id: str
    out: Path
    work: Path
    parameters: Parameters = field(default_factory=Parameters)
    outcomes: Sequence[OutcomeDefinition] = ENGAGE
    buckets: int = 2048
    groups: int = 4000
    encoders: Sequence[str] = ()
    deep: bool = False
    previous: PreviousVectors = field(default_factory=dict)
    warm: bool = False
    tenant: str = "default"
    trained_through: int = 0


@dataclass(frozen=True, slots=True)
class Trained:
    """What came out: figures by name, remarks by name, and the card."""

    metrics: Mapping[str, float]
    notes: Mapping[str, str]
    card: str


class TrainingRun:
    """One run over one data set."""

    def __init__(
        self, data: TrainingData, plan: Plan, progress: Progress, engine: Engine | None = None
    ) -> None:
        self._data = data
        self._plan = plan
        self._progress = progress
        self._engine = engine or LocalEngine()
        self._step = ItemStepConfig()
        self._content = ContentMatrix(data.item_ids, data.contents, plan.buckets)
        self._timeline: Timeline = data.timeline()
        self._metrics: dict[str, float] = {}
        self._notes: dict[str, str] = {}

    def run(self) -> Trained:
        """Train, judge, write the folder."""
        data, plan = self._data, self._plan
        plan.work.mkdir(parents=True, exist_ok=True)
        window = data.validation_start < len(data.events)
        constants = None
        scorer: ScorerRun | None = None
        encoder: EncoderRun | None = None
        epochs = plan.parameters.tower.epochs
        if window:
            groups = sample_groups(self._timeline.groups(data.validation_start), plan.groups, 0)
            vectors = self._base_vectors("validation", data.validation_start)
            tower = self._tower("validation", vectors, data.validation_start, groups)
            epochs = tower.epochs
            constants = self._constants(groups, vectors, tower)
            table = self._table(vectors, tower, constants.median_norm)
            scorer = scorer_run(data, table, plan.outcomes, plan.groups, plan.deep,
                                LearningConfig(item_step=self._step, core=find_core()),
                                constants.fold_in, self._progress)  # fmt: skip
            self._note(scorer.metrics, scorer.notes)
            if plan.encoders:
                encoder = encoder_run(
                    data, self._timeline, groups, table, plan.parameters.encoder, plan.encoders,
                    plan.work, self._progress,
                )  # fmt: skip
                self._note(encoder.metrics, encoder.notes)
        return self._final(constants, scorer, encoder, epochs)

    def _final(
        self,
        constants: Constants | None,
        scorer: ScorerRun | None,
        encoder: EncoderRun | None,
        epochs: int,
    ) -> Trained:
        data, plan = self._data, self._plan
        fold_in = constants.fold_in if constants else plan.parameters.fold_in or FoldInOptions()
        norm = constants.median_norm if constants else plan.parameters.median_norm or 0.5
        raw = self._base_vectors("final", len(data.events))
        tower = self._tower("final", raw, len(data.events), None, epochs)
        vectors, factor = scaled(raw, norm, self._step.max_norm)
        present = np.flatnonzero(vectors.any(axis=1))
        rows = present if present.size else np.arange(min(data.n_items, 1))
        exported = export_tower(
            tower.scaled_model(factor, self._step.max_norm), self._content.dense(rows[:256])
        )
        self._metrics["tower_export_difference"] = exported.difference
        files = {
            TOWER: exported.model,
            SCORER: scorer_model(scorer.scorer) if scorer else prior_scorer(plan.outcomes),
            ITEM_VECTORS: item_vectors_file(
                [data.item_ids[row] for row in present.tolist()],
                vectors[present],
                self._step.max_norm,
            ),
        }
        manifest = manifest_of(
            plan.generation_id, vectors.shape[1], plan.buckets, fold_in, plan.outcomes, files,
            self._metrics, plan.tenant, plan.trained_through,
        )  # fmt: skip
        card = model_card(plan.generation_id, data, plan.parameters, self._metrics, self._notes)
        extra = {"model_card.md": card.encode()}
        if encoder is not None:
            extra[ENCODER] = encoder.model
        if scorer is not None and scorer.deep_model is not None:
            extra["deep_scorer.onnx"] = scorer.deep_model
        write_generation(plan.out, manifest, files, extra)
        return Trained(dict(self._metrics), dict(self._notes), card)

    def _interactions(self, name: str, end: int) -> Interactions:
        data = self._data
        with self._progress(f"{name}: interactions", end) as show:
            return write_interactions(
                self._plan.work / f"{name}.interactions",
                data.chunks(end),
                data.n_users,
                data.n_items,
                show,
            )

    def _base_vectors(self, name: str, end: int) -> Floats:
        plan, data = self._plan, self._data
        interactions = self._interactions(name, end)
        options = plan.parameters.ials
        start = start_from(data.item_ids, plan.previous, options.dimension) if plan.warm else None
        facts = {"events": end, "data": _fingerprint(data, end), "warm": start is not None}
        total = options.sweeps * (interactions.users + interactions.items)
        with self._progress(f"{name}: iALS", total) as show:
            vectors = fit_base_vectors(
                interactions, options, plan.work, f"{name}.ials", facts, self._engine, start, show
            )
        vectors, common = turned_onto(data.item_ids, vectors, plan.previous)
        if common:
            self._notes["space"] = f"rotated onto the previous one by {common:,} common items"
        return vectors

    def _tower(
        self, name: str, vectors: Floats, end: int, groups: Groups | None, epochs: int | None = None
    ) -> TowerRun:
        run = tower_run(
            self._data, self._content, vectors, end, self._timeline, groups,
            self._plan.parameters, self._plan.work, name, epochs, self._progress,
        )  # fmt: skip
        self._note(run.metrics, {})
        return run

    def _constants(self, groups: Groups, vectors: Floats, tower: TowerRun) -> Constants:
        own = self._plan.parameters
        with self._progress("constants", trials(own.fold_in, own.median_norm)) as show:
            found = choose_constants(
                self._timeline, groups, vectors, self._step, own.fold_in, own.median_norm,
                tower.starts, show,
            )  # fmt: skip
        self._note(found.online.as_metrics("online"), {})
        self._note(found.frozen.as_metrics("fold_in"), {})
        self._notes["constants"] = (
            f"median norm {found.median_norm:g}, decay {found.fold_in.decay:g}, alpha "
            f"{found.fold_in.alpha:g}, regularization {found.fold_in.regularization:g}"
        )
        return found

    def _table(self, vectors: Floats, tower: TowerRun, norm: float) -> Floats:
        return scaled_table(vectors, tower.starts, norm, self._step.max_norm)

    def _note(self, metrics: Mapping[str, float], notes: Mapping[str, str]) -> None:
        self._metrics |= metrics
        self._notes |= notes


def _fingerprint(data: TrainingData, end: int) -> str:
    """Tell data apart: checkpoints of other data must not be resumed."""
    digest = hashlib.sha256()
    for users, items, weights in data.chunks(end):
        for column in (users, items, weights):
            digest.update(np.ascontiguousarray(column).tobytes())
    return digest.hexdigest()[:16]
