"""`harken train`: a history of events and a catalogue -> a generation."""

import contextlib
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from services.cli.clients import Clients, connect, patiently
from services.cli.console import messages, output
from services.cli.failures import CommandError, clear_failures
from services.cli.failures import run as run_async
from services.cli.history_options import HISTORY, ItemSeparator, ItemsFile, KeepAnyway
from services.cli.options import SuiteOptions, Tenant, with_options
from services.cli.progress_bar import progress_bar
from services.cli.reading import EventMapping, Files, Reading
from services.cli.training.inputs import read_training_data
from services.trainer import presets
from services.trainer.checkpoint import CheckpointError
from services.trainer.engine import ENGINES, EngineError, open_engine
from services.trainer.generation import GenerationError, read_generation, upload
from services.trainer.item_vectors import previous_vectors
from services.trainer.parameters import Parameters, ParametersError, read_parameters

if TYPE_CHECKING:
    from services.trainer.run import Trained

_FAULTS = (CheckpointError, EngineError, GenerationError, ParametersError)
NOT_BETTER = 3
"""Exit code: no generation was found that is better than what is learned online."""
_DEFAULT_PUBLISH_SECONDS = 300.0


@with_options(**HISTORY, suite=SuiteOptions)
def train(
    out: Annotated[Path, typer.Option("--out", help="Folder of the generation.")],
    files: Files = None,
    items: ItemsFile = None,
    parameters: Annotated[
        Path | None, typer.Option(help="Parameters (TOML or JSON), as `harken tune` writes them.")
    ] = None,
    generation_id: Annotated[
        str | None, typer.Option("--id", help="Id of the generation; default: made from the time.")
    ] = None,
    previous: Annotated[
        Path | None, typer.Option(help="Folder of the generation before: keeps the vector space.")
    ] = None,
    warm: Annotated[
        bool, typer.Option(help="Go on from the previous vectors instead of a rotated cold fit.")
    ] = False,
    encoders: Annotated[
        str, typer.Option(help="Learned encoders to measure beside fold-in: sasrec, gru.")
    ] = "",
    deep: Annotated[bool, typer.Option(help="Try the deep scorer, too.")] = False,
    preset: Annotated[
        str, typer.Option(help=f"Event types and outcomes: {', '.join(presets.NAMES)}.")
    ] = "shopping",
    engage: Annotated[
        bool, typer.Option("--engage/--outcomes", help="One outcome for all, or the preset's.")
    ] = True,
    returns: Annotated[
        str | None,
        typer.Option(
            metavar="FROM-UNTIL",
            help="One more outcome: who takes an item and comes back within these hours after"
            " it was shown. 12-36 is the next day.",
        ),
    ] = None,
    validation: Annotated[
        float, typer.Option(min=0, max=0.9, help="Share of events, the latest, to validate on.")
    ] = 0.2,
    groups: Annotated[
        int, typer.Option(min=100, help="Validate on at most so many groups of events.")
    ] = 4000,
    engine: Annotated[
        str, typer.Option(help=f"Where blocks are solved: {', '.join(ENGINES)}.")
    ] = "local",
    work: Annotated[
        Path | None, typer.Option(help="Folder of checkpoints; default: OUT.work, removed after.")
    ] = None,
    trained_through: Annotated[
        int, typer.Option(min=0, help="Log sequence of the last event of the history, if known.")
    ] = 0,
    out_of_core: Annotated[
        bool, typer.Option("--out-of-core", help="Keep events on disk: for more than fit memory.")
    ] = False,
    keep_anyway: KeepAnyway = False,
    publish: Annotated[
        bool, typer.Option("--publish", help="Publish to the suite; it does not serve by that.")
    ] = False,
    separator: ItemSeparator = None,
    tenant: Tenant = "default",
    *,
    reading: Reading,
    mapping: EventMapping,
    suite: SuiteOptions,
) -> None:
    """Train a generation: base vectors, item tower, scorer, and learned encoders where asked.

    Each part is judged on the last part of the history, against the system that learns online
    without it, before it is trained on all of it. Where none is better, none is written, and the
    exit code is 3. An interrupted run goes on where it was when the same command is given again.
    Needs the extra `train`.
    """
    with clear_failures():
        endpoints = suite.endpoints() if publish else None
        try:
            window = presets.return_window(returns) if returns else None
        except ValueError as error:
            raise CommandError(f"--returns: {error}") from None
        folder = work or out.with_name(f"{out.name}.work")
        mapped = folder / "events" if out_of_core else None
        data = read_training_data(
            files, items, reading, mapping, separator, preset, validation, mapped=mapped
        )
        with needs_torch("harken train"):
            from services.trainer import run
        try:
            plan = run.Plan(
                generation_id=generation_id or time.strftime("trained-%Y%m%d-%H%M%S"),
                out=out,
                work=folder,
                parameters=read_parameters(parameters) if parameters else Parameters(),
                outcomes=presets.outcomes_of(preset, engage, window),
                groups=groups,
                encoders=[one.strip() for one in encoders.split(",") if one.strip()],
                deep=deep,
                previous=previous_vectors(previous) if previous else {},
                warm=warm,
                tenant=tenant,
                trained_through=trained_through,
                keep_anyway=keep_anyway,
            )
            trained: Trained = run.TrainingRun(data, plan, progress_bar, open_engine(engine)).run()
        except KeyboardInterrupt:
            messages().print(f"checkpoints are in {folder}: the same command goes on from there")
            raise
        except (*_FAULTS, ValueError) as error:
            raise CommandError(str(error)) from None
        output().print(_table(trained))
        if work is None:
            shutil.rmtree(folder, ignore_errors=True)
        if not trained.made:
            card = out.with_name(f"{out.name}.model_card.md")
            card.write_text(trained.card)
            messages().print(
                f"[yellow]no better generation was found than what is learned online: none is "
                f"written; figures are in {escape(str(card))} (--keep-anyway writes it all the "
                "same)[/]"
            )
            raise typer.Exit(NOT_BETTER)
        output().print(f"generation {plan.generation_id} is in {escape(str(out))}")
    if endpoints is not None:

        async def send() -> None:
            async with connect(endpoints) as clients:
                await publish_folder(clients, out)

        run_async(send())
        output().print(f"published; promote it with: harken promote {plan.generation_id}")


@contextlib.contextmanager
def needs_torch(command: str) -> Iterator[None]:
    """Import what needs the extra `train` within.

    Raises:
        CommandError: the extra is not installed.

    """
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] not in ("torch", "onnxscript", "optuna"):
            raise
        raise CommandError(f"{command} needs {error.name}: pip install 'harken[train]'") from None


async def publish_folder(clients: Clients, folder: Path) -> None:
    """Publish a generation that was written before."""
    manifest, files = read_generation(folder)
    await patiently(
        lambda: clients.generations.PublishGeneration(
            upload(manifest, files), timeout=_DEFAULT_PUBLISH_SECONDS
        )
    )


def _table(trained: "Trained") -> Table:
    table = Table("figure", "value", title="On the validation window")
    for name, value in trained.metrics.items():
        table.add_row(name, f"{value:,.4g}")
    for name, text in trained.notes.items():
        table.add_row(name, escape(text))
    return table
