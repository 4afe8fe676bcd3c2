"""A training run: what `harken train` does, from events to the folder of a generation.

The window is the last part of the history. What is trained on all before it chooses constants and
fits a scorer on its first half; what is trained on all before its second half is judged on that.

    first half     base vectors, tower, constants, scorer (and encoders)
    second half    each part takes over from the system that learned by itself, which goes on beside
                   (see contest); what is not better than that is not made
    final pass     the parts that won, from all events; exported and written

Each part leaves a checkpoint in the work folder, so that an interrupted run goes on.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, fields, replace
from pathlib import Path

import numpy as np

from harken.feedback.v1 import generation_pb2 as pb
from services.common.compiled_core import find_core
from services.common.onnx_model import ITEM_VECTORS, SCORER, TOWER
from services.feedback.generations.domain.bootstrap_models import BUCKETS, ENGAGE, item_tower
from services.feedback.generations.domain.bootstrap_models import ENCODER as ENCODER_OF_BOOTSTRAP
from services.feedback.learner.model.item_step import ItemStepConfig
from services.feedback.learner.model.outcome_definition import OutcomeDefinition
from services.feedback.learner.model.tenant_state import LearningConfig
from services.system.generation import SystemGeneration, trained_generation
from services.trainer.base_vectors import (
    PreviousVectors,
    fit_base_vectors,
    start_from,
    turned_onto,
)
from services.trainer.constants import Constants, choose_constants, scaled_table, trials
from services.trainer.content_matrix import ContentMatrix
from services.trainer.contest import Comparison, Judged, best_of, compared, judged
from services.trainer.encoder_run import EncoderRun, encoder_run
from services.trainer.engine import Engine, LocalEngine
from services.trainer.export import ENCODER, export_tower
from services.trainer.fold_in_model import FoldInOptions
from services.trainer.generation import item_vectors_file, manifest_of, write_generation
from services.trainer.interactions import Interactions, write_interactions
from services.trainer.model_card import model_card
from services.trainer.parameters import Parameters
from services.trainer.ranking import sample_groups
from services.trainer.scorer import LinearScorer, bootstrap_scorer, scorer_model, with_learned
from services.trainer.scorer_run import ScorerRun, scorer_run
from services.trainer.serving import PART, Serving
from services.trainer.timeline import Floats, Groups, Timeline
from services.trainer.tower_run import TowerRun, tower_run
from services.trainer.training_data import TrainingData, next_second
from services.trainer.vector_scale import bounded, scaled

_SEQUENCES = 20_000_000
"""Events, at most, whose sequences learned encoders are trained on."""
_SCORES = 400_000_000
"""Scores that one look at the groups of a window costs, at most: each group ranks all items."""
_LEAST_GROUPS = 500
_LEAST_DESCRIBED = 20
"""Items with content and events: fewer teach no tower."""

Progress = Callable[[str, int], AbstractContextManager[Callable[[int], None]]]
"""(what, total) -> a block in which the function given takes how much is done."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to train. buckets: of content. groups: at most so many are ranked for validation, and
    less where items are many. encoders: kinds to train beside fold-in. deep: try the deep scorer.
    warm: start from `previous` rather than rotate onto it. work: folder of checkpoints and
    interactions. keep_anyway: write the best that was trained, also where it is no better than what
    is learned online.
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
    keep_anyway: bool = False


@dataclass(frozen=True, slots=True)
class Trained:
    """What came out: figures by name, remarks by name, and the card. made: a generation is written;
    where none is, none was better than what is learned online.
    """

    made: bool
    metrics: Mapping[str, float]
    notes: Mapping[str, str]
    card: str


@dataclass(frozen=True, slots=True)
class _Space:
    """Where items start. vectors: [N, d] of items with events, zero for others. tower: places the
    rest; buckets: of content that it takes.
    """

    vectors: Floats
    tower: bytes
    buckets: int


@dataclass(frozen=True, slots=True)
class _Contestant:
    """Which parts are trained; the others are as the system has them by itself."""

    vectors: bool
    tower: bool
    scorer: LinearScorer
    fitted: bool

    @property
    def name(self) -> str:
        parts = {"vectors": self.vectors, "tower": self.tower, "scorer": self.fitted}
        return " + ".join(name for name, trained in parts.items() if trained)


@dataclass(frozen=True, slots=True)
class _Fitted:
    """What the first half of the window decided. epochs: of the tower."""

    constants: Constants
    scorer: ScorerRun
    encoder: EncoderRun | None
    epochs: int


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
        self._config = LearningConfig(item_step=self._step, core=find_core())
        self._content = ContentMatrix(data.item_ids, data.contents, plan.buckets)
        self._timeline: Timeline = data.timeline(_SEQUENCES) if plan.encoders else data.timeline()
        self._groups = min(plan.groups, max(_SCORES // max(data.n_items, 1), _LEAST_GROUPS))
        self._prior = bootstrap_scorer(plan.outcomes)
        self._metrics: dict[str, float] = {}
        self._notes: dict[str, str] = {}
        if not self._content.described().any():
            self._notes["tower"] = "not trained: no item has content"

    def run(self) -> Trained:
        """Train, judge, and write the folder of what is better than none."""
        data, plan = self._data, self._plan
        plan.work.mkdir(parents=True, exist_ok=True)
        events, begin = len(data.events), data.validation_start
        half = next_second(data.events, max((begin + events) // 2, events - PART))
        if not begin < half < events:
            self._notes["better"] = (
                "not judged: the history has no last part to hold back, or all of it is in one "
                "second"
            )
            online = self._kept(events)[1]
            return self._final(
                _Contestant(True, self._towers, online, False) if plan.keep_anyway else None,
                None, None, None, plan.parameters.tower.epochs,
            )  # fmt: skip
        if self._groups < plan.groups:
            self._notes["groups"] = f"{self._groups:,}: more take long with so many items"
        fitted = self._fit(begin, half)
        chosen = self._contest(half, fitted)
        return self._final(chosen, fitted.constants, fitted.scorer, fitted.encoder, fitted.epochs)

    def _fit(self, begin: int, half: int) -> _Fitted:
        """Choose constants and fit a scorer on events `begin` to `half`, by what is trained on all
        before. Its tables are gone when it is done: items can be many.
        """
        data, plan = self._data, self._plan
        groups = sample_groups(self._timeline.groups(begin, half), self._groups, 0)
        raw = self._base_vectors("validation", begin)
        tower = self._tower("validation", raw, begin, groups)
        epochs = plan.parameters.tower.epochs if tower is None else tower.epochs
        constants = self._constants(groups, raw, tower)
        online = self._kept(begin)[1]
        made = self._made("validation", self._space(raw, tower, constants), online, constants)[0]
        scorer = scorer_run(
            data, made,
            self._table(raw, tower, constants.median_norm) if plan.deep else None, online, begin,
            min(half, begin + PART), plan.outcomes, self._groups, self._config, self._progress,
        )  # fmt: skip
        self._note(scorer.metrics, scorer.notes)
        encoder = None
        if plan.encoders:
            encoder = encoder_run(
                data, self._timeline, groups, self._table(raw, tower, constants.median_norm),
                plan.parameters.encoder, plan.encoders, plan.work, self._progress,
            )  # fmt: skip
            self._note(encoder.metrics, encoder.notes)
        return _Fitted(constants, scorer, encoder, epochs)

    @property
    def _towers(self) -> bool:
        return bool(self._content.described().any())

    def _kept(self, end: int) -> tuple[_Space, LinearScorer]:
        """Return where items are, and the scorer, when the system learned by itself up to an event.

        Of its items: those that it forgot or never had start anew.
        """
        dimension = self._plan.parameters.ials.dimension
        learner = Serving(self._data, end, end, dimension, self._config).learner
        space = _Space(learner.vectors(self._data.item_ids), item_tower(dimension), BUCKETS)
        return space, with_learned(self._prior, learner.order_weights()[0])

    def _trained(self, half: int, fitted: _Fitted) -> Mapping[tuple[bool, bool], _Space]:
        """Return what events before `half` teach, by (vectors, tower): with the tower and, as it
        is without one, with that of the bootstrap.
        """
        raw = self._base_vectors("contest", half)
        tower = self._tower("contest", raw, half, None, fitted.epochs)
        space = self._space(raw, tower, fitted.constants)
        if tower is None:
            return {(True, False): space}
        plain = replace(space, tower=item_tower(raw.shape[1]), buckets=BUCKETS)
        return {(True, False): plain, (True, True): space}

    def _contest(self, half: int, fitted: _Fitted) -> _Contestant | None:
        """Return the parts that are better than none on events `half` on."""
        data, plan = self._data, self._plan
        constants, scorer = fitted.constants, fitted.scorer
        end = min(len(data.events), half + PART)
        kept, online = self._kept(half)
        spaces = {(False, False): kept, **self._trained(half, fitted)}
        dimension = plan.parameters.ials.dimension
        found: dict[str, Comparison] = {}
        reached: dict[str, tuple[_Contestant, Judged]] = {}
        with self._progress("comparison: test-then-train", 6) as show:

            def judge(generation: SystemGeneration | None) -> Judged:
                return judged(data, generation, half, end, self._groups, dimension, self._config)

            base = judge(None)
            show(1)

            def enter(one: _Contestant) -> None:
                space = spaces[one.vectors, one.tower]
                own = constants if one.vectors else None
                result = judge(self._made("contest", space, one.scorer, own)[0])
                found[one.name] = compared(result, base)
                reached[one.name] = (one, result)
                self._notes[f"with {one.name}"] = found[one.name].said()

            enter(_Contestant(True, False, online, False))
            show(2)
            if (True, True) in spaces:
                enter(_Contestant(True, True, online, False))
            show(3)
            if scorer.scorer is not None:
                best = reached[max(found, key=lambda name: found[name].gain)][0]
                enter(replace(best, scorer=scorer.scorer, fitted=True))
                show(4)
                enter(_Contestant(False, False, scorer.scorer, True))
            show(5)
            alone = compared(judge(self._made("contest", kept, self._prior, None)[0]), base)
            self._notes["with nothing learned of the order"] = alone.said()
            show(6)
        for name, one in found.items():
            for figure, ratio in one.ratios.items():
                self._metrics[f"{name.replace(' + ', '_')}_{figure}_ratio"] = ratio.ratio
        chosen = best_of(found)
        if chosen is None:
            self._notes["better"] = "no better generation was found than what is learned online"
            if not plan.keep_anyway:
                return None
            chosen = max(found, key=lambda name: found[name].gain)
        else:
            self._notes["better"] = f"{chosen}: {found[chosen].said()}"
        contestant, result = reached[chosen]
        # What it learned in the last part goes with it: its head starts anew where it takes over.
        return replace(contestant, scorer=with_learned(contestant.scorer, result.order[0]))

    def _final(
        self,
        chosen: _Contestant | None,
        constants: Constants | None,
        scorer: ScorerRun | None,
        encoder: EncoderRun | None,
        epochs: int,
    ) -> Trained:
        data, plan = self._data, self._plan
        made = chosen is not None
        if chosen is not None:
            events = len(data.events)
            if chosen.vectors:
                raw = self._base_vectors("final", events)
                tower = self._tower("final", raw, events, None, epochs) if chosen.tower else None
                space = self._space(raw, tower, constants)
            else:
                space = self._kept(events)[0]
            _, manifest, files = self._made(
                plan.generation_id, space, chosen.scorer, constants if chosen.vectors else None
            )
        card = model_card(
            plan.generation_id, data, plan.parameters, self._metrics, self._notes, made
        )
        if chosen is not None:
            extra = {"model_card.md": card.encode()}
            if encoder is not None:
                extra[ENCODER] = encoder.model
            if scorer is not None and scorer.deep_model is not None:
                extra["deep_scorer.onnx"] = scorer.deep_model
            write_generation(plan.out, manifest, files, extra)
        return Trained(made, dict(self._metrics), dict(self._notes), card)

    def _space(self, raw: Floats, tower: TowerRun | None, constants: Constants | None) -> _Space:
        """Return where items start, with vectors of the length chosen; None: the bootstrap's tower
        places the rest.
        """
        norm = constants.median_norm if constants else self._plan.parameters.median_norm or 0.5
        vectors, factor = scaled(raw, norm, self._step.max_norm)
        if tower is None:
            return _Space(vectors, item_tower(raw.shape[1]), BUCKETS)
        rows = np.flatnonzero(self._content.described())[:256]
        exported = export_tower(
            tower.scaled_model(factor, self._step.max_norm), self._content.dense(rows)
        )
        self._metrics["tower_export_difference"] = exported.difference
        return _Space(vectors, exported.model, self._plan.buckets)

    def _made(
        self, name: str, space: _Space, scorer: LinearScorer, constants: Constants | None
    ) -> tuple[SystemGeneration, pb.GenerationManifest, dict[str, bytes]]:
        """Return a generation as the system runs it, its manifest and files."""
        plan = self._plan
        fold_in = FoldInOptions(
            **{one.name: getattr(ENCODER_OF_BOOTSTRAP, one.name) for one in fields(FoldInOptions)}
        )
        if constants is not None:
            fold_in = constants.fold_in
        present = np.flatnonzero(space.vectors.any(axis=1))
        files = {
            TOWER: space.tower,
            SCORER: scorer_model(scorer),
            ITEM_VECTORS: item_vectors_file(
                [self._data.item_ids[row] for row in present.tolist()],
                bounded(space.vectors[present], self._step.max_norm),
                self._step.max_norm,
            ),
        }
        manifest = manifest_of(
            name, space.vectors.shape[1], space.buckets, fold_in, plan.outcomes, files,
            self._metrics, plan.tenant, plan.trained_through,
        )  # fmt: skip
        return trained_generation(manifest, files), manifest, files

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
    ) -> TowerRun | None:
        """Return the tower; None where no item with content has events yet."""
        described = self._content.described() & (self._data.item_counts(end) > 0)
        if np.count_nonzero(described) < _LEAST_DESCRIBED:
            if self._towers:
                self._notes["tower"] = "not trained: too few items with content have events"
            return None
        run = tower_run(
            self._data, self._content, vectors, end, self._timeline, groups,
            self._plan.parameters, self._plan.work, name, epochs, self._progress,
        )  # fmt: skip
        self._note(run.metrics, {})
        return run

    def _constants(self, groups: Groups, vectors: Floats, tower: TowerRun | None) -> Constants:
        own = self._plan.parameters
        with self._progress("constants", trials(own.fold_in, own.median_norm)) as show:
            found = choose_constants(
                self._timeline, groups, vectors, self._step, own.fold_in, own.median_norm,
                None if tower is None else tower.starts, show,
            )  # fmt: skip
        self._note(found.online.as_metrics("online"), {})
        self._note(found.frozen.as_metrics("fold_in"), {})
        self._notes["constants"] = (
            f"median norm {found.median_norm:g}, decay {found.fold_in.decay:g}, alpha "
            f"{found.fold_in.alpha:g}, regularization {found.fold_in.regularization:g}"
        )
        return found

    def _table(self, vectors: Floats, tower: TowerRun | None, norm: float) -> Floats:
        starts = None if tower is None else tower.starts
        return scaled_table(vectors, starts, norm, self._step.max_norm)

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
