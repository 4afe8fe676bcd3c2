"""Searching parameters on a validation window: Optuna's TPE, seeded, resumable.

The objective is tie-safe NDCG@10 of test-then-train (fold-in, item vectors learned online) on the
last part of the history given. Give only what comes before the test part: the window chooses, so
what is reported on it flatters.
"""

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import optuna

from services.feedback.learner.model.item_step import ItemStepConfig
from services.trainer.encoder_training import train_encoder
from services.trainer.engine import Engine
from services.trainer.fold_in_model import FoldInOptions, online_ranks
from services.trainer.ials import IalsOptions, train_ials
from services.trainer.interactions import Interactions, write_interactions
from services.trainer.parameters import Parameters
from services.trainer.ranking import quality_of, ranks_of, sample_groups
from services.trainer.sequence_encoder import EncoderUsers, SequenceEncoder
from services.trainer.sequences import OBJECTIVES, examples_of
from services.trainer.timeline import Floats, Groups, Timeline
from services.trainer.training_data import TrainingData
from services.trainer.vector_scale import scaled


@dataclass(frozen=True, slots=True)
class Trial:
    """One trial: its number from 0, NDCG@10 on the window, and what was tried."""

    number: int
    ndcg: float
    values: dict[str, Any]


@dataclass(frozen=True, slots=True)
class TuningPlan:
    """What to search.

    trials: how many to have in all, those of the storage included. groups: of the window, at most.
    encoder: search the options of this kind of learned encoder, over the vectors of the base
    parameters, instead. storage: Optuna URL such as sqlite:///tuning.db; None: memory.
    """

    trials: int = 30
    groups: int = 2000
    encoder: str | None = None
    storage: str | None = None
    study: str = "harken"
    seed: int = 0


def tune(
    data: TrainingData,
    base: Parameters,
    plan: TuningPlan,
    engine: Engine,
    on_trial: Callable[[Sequence[Trial]], None] = lambda _: None,
) -> tuple[Parameters, Sequence[Trial]]:
    """Return the best parameters and all trials; `on_trial` hears all trials so far.

    Ctrl-C between trials leaves them in the storage: the same call goes on.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(
        storage=plan.storage,
        study_name=f"{plan.study}-{plan.encoder or 'vectors'}",
        direction="maximize",
        # A resumed study must not draw again what it has drawn.
        sampler=optuna.samplers.TPESampler(seed=plan.seed),
        load_if_exists=True,
    )
    done = _finished(study)
    if done:
        study.sampler = optuna.samplers.TPESampler(seed=plan.seed + len(done))
    else:
        study.enqueue_trial(_start(base, plan))
    timeline = data.timeline()
    groups = sample_groups(timeline.groups(data.validation_start), plan.groups, plan.seed)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        interactions = write_interactions(
            path / "interactions", data.chunks(data.validation_start), data.n_users, data.n_items
        )
        window = _Window(data, timeline, groups, interactions, path, engine)
        objective = (
            _Encoders(window, base, plan.encoder) if plan.encoder else _Vectors(window, base)
        )
        for _ in range(max(plan.trials - len(done), 0)):
            study.optimize(objective, n_trials=1)
            on_trial(_finished(study))
    trials = _finished(study)
    best = max(trials, key=lambda trial: trial.ndcg)
    return parameters_from(best.values, base, plan.encoder), trials


def parameters_from(values: dict[str, Any], base: Parameters, encoder: str | None) -> Parameters:
    """Return `base` with the values of a trial."""
    if encoder:
        own = {name: value for name, value in values.items() if name != "kind"}
        return replace(base, encoder=replace(base.encoder, kind=encoder, **own))
    norm = float(values["median_norm"])
    fold_in = FoldInOptions(
        length=int(values["length"]),
        decay=float(values["decay"]),
        alpha=float(values["fold_in_alpha"]),
        regularization=float(values["ridge"]) * (norm / 0.5) ** 2,
    )
    ials = replace(
        base.ials,
        alpha=float(values["alpha"]),
        regularization=float(values["regularization"]),
        frequency_power=float(values["frequency_power"]),
        sweeps=int(values["sweeps"]),
    )
    return replace(base, ials=ials, fold_in=fold_in, median_norm=norm)


@dataclass(frozen=True, slots=True)
class _Window:
    data: TrainingData
    timeline: Timeline
    groups: Groups
    interactions: Interactions
    folder: Path
    engine: Engine

    def vectors(self, options: IalsOptions) -> Floats:
        return train_ials(self.interactions, options, self.folder / "users.bin", engine=self.engine)


class _Vectors:
    """Objective over iALS, fold-in and the length of vectors."""

    def __init__(self, window: _Window, base: Parameters) -> None:
        self._window = window
        self._base = base

    def __call__(self, trial: optuna.Trial) -> float:
        middle = self._base.ials.alpha_for(self._window.data.n_items)
        values: dict[str, Any] = {
            "alpha": trial.suggest_float("alpha", middle / 8, middle * 8, log=True),
            "regularization": trial.suggest_float("regularization", 1e-4, 0.3, log=True),
            "frequency_power": trial.suggest_float("frequency_power", 0.0, 1.0),
            "sweeps": trial.suggest_int("sweeps", 6, 18),
            "length": trial.suggest_int("length", 5, 60),
            "decay": trial.suggest_float("decay", 0.6, 1.0),
            "fold_in_alpha": trial.suggest_float("fold_in_alpha", 0.03, 3.0, log=True),
            "ridge": trial.suggest_float("ridge", 0.02, 5.0, log=True),
            "median_norm": trial.suggest_float("median_norm", 0.1, 2.0, log=True),
        }
        parameters = parameters_from(values, self._base, None)
        assert parameters.fold_in is not None
        assert parameters.median_norm is not None
        step = ItemStepConfig()
        raw = self._window.vectors(parameters.ials)
        table, _ = scaled(raw, parameters.median_norm, step.max_norm)
        ranks = online_ranks(
            self._window.timeline, self._window.groups, table, parameters.fold_in, step
        )
        return quality_of(ranks).ndcg


class _Encoders:
    """Objective over the options of a learned encoder, on fixed vectors."""

    def __init__(self, window: _Window, base: Parameters, kind: str) -> None:
        self._window = window
        self._base = base
        self._kind = kind
        raw = window.vectors(base.ials)
        self._table, _ = scaled(raw, base.median_norm or 0.5, ItemStepConfig().max_norm)
        data = window.data
        self._counts = data.item_counts(data.validation_start)

    def __call__(self, trial: optuna.Trial) -> float:
        values: dict[str, Any] = {
            "length": trial.suggest_int("length", 10, 100, step=10),
            "hidden": trial.suggest_categorical("hidden", [64, 128, 256]),
            "dropout": trial.suggest_float("dropout", 0.0, 0.5),
            "learning_rate": trial.suggest_float("learning_rate", 1e-4, 5e-3, log=True),
            "decay": trial.suggest_float("decay", 1e-6, 0.1, log=True),
            "objective": trial.suggest_categorical("objective", list(OBJECTIVES)),
        }
        options = parameters_from(values, self._base, self._kind).encoder
        window = self._window
        examples = examples_of(
            window.timeline, window.data.validation_start, options.length, options.objective
        )

        def quality(encoder: SequenceEncoder) -> float:
            users = EncoderUsers(encoder, self._table)
            ranks = ranks_of(window.timeline, window.groups, options.length, users, self._table)
            return quality_of(ranks).ndcg

        _, log = train_encoder(self._table, self._counts, examples, options, quality)
        return max(log.validations)


def _start(base: Parameters, plan: TuningPlan) -> dict[str, Any]:
    """Return the first trial: the constants as they are."""
    if plan.encoder:
        return {"length": 50, "hidden": 128, "dropout": 0.2, "learning_rate": 1e-3}
    fold_in = base.fold_in or FoldInOptions()
    norm = base.median_norm or 0.5
    return {
        "regularization": base.ials.regularization,
        "frequency_power": base.ials.frequency_power,
        "sweeps": base.ials.sweeps,
        "length": fold_in.length,
        "decay": fold_in.decay,
        "fold_in_alpha": fold_in.alpha,
        "ridge": fold_in.regularization * (0.5 / norm) ** 2,
        "median_norm": norm,
    }


def _finished(study: optuna.Study) -> list[Trial]:
    return [
        Trial(trial.number, float(trial.value), dict(trial.params))
        for trial in study.get_trials(deepcopy=False)
        if trial.state is optuna.trial.TrialState.COMPLETE and trial.value is not None
    ]
