"""`harken tune`: searches parameters of training on a validation window."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.live import Live
from rich.table import Table

from services.cli.commands.train import needs_torch
from services.cli.console import messages, output
from services.cli.failures import CommandError, clear_failures
from services.cli.history_options import HISTORY
from services.cli.options import MOST_SEED, with_options
from services.cli.reading import EventMapping, Files, Reading
from services.cli.training.inputs import read_training_data
from services.trainer import presets
from services.trainer.engine import ENGINES, EngineError, open_engine
from services.trainer.parameters import (
    Parameters,
    ParametersError,
    read_parameters,
    write_parameters,
)

if TYPE_CHECKING:
    from services.trainer.tuning import Trial

_SHOWN = 15


@with_options(**HISTORY)
def tune(
    files: Files = None,
    out: Annotated[
        Path, typer.Option("--out", help="Where to write the best parameters (.toml or .json).")
    ] = Path("parameters.toml"),
    trials: Annotated[int, typer.Option(min=1, help="Trials in all.")] = 30,
    encoder: Annotated[
        str | None, typer.Option(help="Search this learned encoder's options: sasrec or gru.")
    ] = None,
    parameters: Annotated[
        Path | None, typer.Option(help="Parameters to start from (TOML or JSON).")
    ] = None,
    storage: Annotated[
        Path | None, typer.Option(help="SQLite file that keeps trials: a search goes on from it.")
    ] = None,
    head: Annotated[
        float, typer.Option(min=0.05, max=1, help="Use this first share; the rest is for tests.")
    ] = 0.8,
    validation: Annotated[
        float, typer.Option(min=0.01, max=0.9, help="Share of that, the latest, to validate on.")
    ] = 0.2,
    groups: Annotated[
        int, typer.Option(min=10, help="Validate on at most so many groups of events.")
    ] = 2000,
    preset: Annotated[
        str, typer.Option(help=f"Event types and their weights: {', '.join(presets.NAMES)}.")
    ] = "shopping",
    engine: Annotated[
        str, typer.Option(help=f"Where blocks are solved: {', '.join(ENGINES)}.")
    ] = "local",
    seed: Annotated[int, typer.Option(min=0, max=MOST_SEED, help="Of the search.")] = 0,
    *,
    reading: Reading,
    mapping: EventMapping,
) -> None:
    """Search parameters of base vectors and fold-in, or of a learned encoder, and write the best.

    A trial trains on what comes before the validation window and is measured on it by tie-safe
    NDCG@10, test-then-train. The part after `--head` is never looked at. Needs the extra `train`.
    """
    with clear_failures():
        data = read_training_data(files, None, reading, mapping, None, preset, validation, head)
        with needs_torch("harken tune"):
            from services.trainer import tuning
        plan = tuning.TuningPlan(
            trials, groups, encoder, f"sqlite:///{storage}" if storage else None, seed=seed
        )
        try:
            base = read_parameters(parameters) if parameters else Parameters()
            best, found = _searched(tuning, data, base, plan, open_engine(engine))
        except (EngineError, ParametersError, ValueError) as error:
            raise CommandError(str(error)) from None
        write_parameters(out, best)
        if not messages().is_terminal:
            output().print(trial_table(found))
        output().print(f"best parameters are in {out}; use: harken train --parameters {out}")


def _searched(tuning: Any, data: Any, base: Parameters, plan: Any, engine: Any) -> Any:
    console = messages()
    if not console.is_terminal:

        def say(trials: Sequence["Trial"]) -> None:
            best = max(trial.ndcg for trial in trials)
            console.print(f"trial {trials[-1].number + 1}: {trials[-1].ndcg:.4f}, best {best:.4f}")

        return tuning.tune(data, base, plan, engine, say)
    with Live(trial_table([]), console=console) as live:
        return tuning.tune(
            data, base, plan, engine, lambda trials: live.update(trial_table(trials))
        )


def trial_table(trials: Sequence["Trial"]) -> Table:
    """Return the best trials, and the latest one, as a table; the first trial is 1."""
    table = Table("trial", "NDCG@10", "values", title=f"{len(trials)} trials, best first")
    ordered = sorted(trials, key=lambda trial: -trial.ndcg)[:_SHOWN]
    if trials and trials[-1] not in ordered:
        ordered.append(trials[-1])
    for trial in ordered:
        values = ", ".join(f"{name} {_short(value)}" for name, value in trial.values.items())
        table.add_row(str(trial.number + 1), f"{trial.ndcg:.4f}", values)
    return table


def _short(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
