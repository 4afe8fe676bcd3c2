"""`harken evaluate`: what recommendations are worth, on a history, against what else there is."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from threadpoolctl import threadpool_limits

from services.cli.console import messages, output
from services.cli.evaluation.off_policy import report_off_policy
from services.cli.evaluation.report import report
from services.cli.failures import CommandError, clear_failures
from services.cli.history_options import (
    HISTORY,
    ItemSeparator,
    ItemsFile,
    KeepAnyway,
    read_contents,
    read_history,
    say_unknown_types,
)
from services.cli.options import MOST_SEED, with_options
from services.cli.plot_options import check_plots
from services.cli.progress_bar import progress_bar
from services.cli.reading import EventMapping, Files, Reading
from services.dataset.history.events import Events
from services.evaluation.as_json import as_json
from services.evaluation.baselines.registry import BASELINES
from services.evaluation.evaluate import (
    ALL_ARMS,
    NEED_TRAINING,
    NothingToCompareError,
    Plan,
    Watcher,
    evaluate,
    event_types,
)
from services.evaluation.plots import write_plots
from services.evaluation.protocol import Protocol, Repeats, Rules, UnseenItems
from services.evaluation.system.training import TrainingError


@with_options(**HISTORY)
def evaluate_file(
    files: Files = None,
    items: ItemsFile = None,
    arms: Annotated[
        str | None,
        typer.Option(
            help=f"Arms, separated by commas, of: {', '.join(ALL_ARMS)}. Default: all, warm_250 "
            "with a trained generation only."
        ),
    ] = None,
    baselines: Annotated[
        bool, typer.Option(help="Compare with what others would use, too.")
    ] = True,
    protocol: Annotated[
        Protocol,
        typer.Option(
            help="global: cut at a point of time, test-then-train. session: next item in each "
            "session of the last part of time, as session-rec does. leave-one-out: the last event "
            "of every user, as papers on SASRec and HSTU do."
        ),
    ] = Protocol.GLOBAL,
    repeats: Annotated[
        Repeats | None,
        typer.Option(
            help="Whether items seen before are ranked and scored. Default: include under session, "
            "else exclude.",
            show_default=False,
        ),
    ] = None,
    unseen_items: Annotated[
        UnseenItems,
        typer.Option(help="Events of test sessions on items without one in training."),
    ] = UnseenItems.DROP,
    start: Annotated[
        float | None,
        typer.Option(
            help="Where the test part begins: a fraction, or a number of events. Default: 0.8.",
            show_default=False,
        ),
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Events of the test part.")] = None,
    every: Annotated[
        int, typer.Option(min=1, help="Rank only every so many groups; all are learned from.")
    ] = 1,
    cutoffs: Annotated[
        str | None,
        typer.Option(
            help="Cut-offs of the metrics, separated by commas, at most 100. Default: 20,10 under "
            "session, else 10.",
            show_default=False,
        ),
    ] = None,
    preset: Annotated[
        str, typer.Option(help="Event types and their weights; unknown types weigh 1.")
    ] = "shopping",
    separator: ItemSeparator = None,
    slates: Annotated[
        bool, typer.Option(help="Log the slates of full, and learn from what came of them.")
    ] = False,
    train: Annotated[
        bool, typer.Option("--train", help="Train the system's generation before the split.")
    ] = False,
    keep_anyway: KeepAnyway = False,
    parameters: Annotated[
        Path | None, typer.Option(help="Parameters of --train, as `harken tune` writes them.")
    ] = None,
    generation: Annotated[
        Path | None,
        typer.Option(help="Folder of a generation, trained on nothing after the split."),
    ] = None,
    dimension: Annotated[
        int, typer.Option(min=8, max=1024, help="Of the system's vectors when nothing is trained.")
    ] = 128,
    beside: Annotated[
        str,
        typer.Option(
            help="Baselines, separated by commas, that full is also tried with as one more source."
        ),
    ] = "",
    peer_minutes: Annotated[
        float, typer.Option(min=0.1, help="A baseline that expects to take longer is left out.")
    ] = 30.0,
    seed: Annotated[
        int, typer.Option(min=0, max=MOST_SEED, help="Of everything that is drawn.")
    ] = 1,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write everything measured to this file.")
    ] = None,
    plots: Annotated[Path | None, typer.Option(help="Write plots (PNG) into this folder.")] = None,
    off_policy: Annotated[
        Path | None,
        typer.Option(
            help="Slates as `harken export --kind slates` wrote them: estimate what --target would "
            "have earned. No history is read then.",
            show_default=False,
        ),
    ] = None,
    target: Annotated[
        list[str] | None,
        typer.Option(
            help="With --off-policy, may be given more than once: uniform; greedy or "
            "pl:TEMPERATURE by logged utilities, or by outcomes, as in greedy:click=1,purchase=5; "
            "or a file with slate_id, place, item, probability. Default: uniform, greedy.",
            show_default=False,
        ),
    ] = None,
    reward: Annotated[
        str,
        typer.Option(help="With --off-policy: what events on a slate's items earn, by type."),
    ] = "click=1",
    surface: Annotated[
        str | None,
        typer.Option(help="With --off-policy: only slates of this surface.", show_default=False),
    ] = None,
    *,
    reading: Reading,
    mapping: EventMapping,
) -> None:
    """Compare arms on a history: test-then-train in global order of time, or as papers do.

    `full` runs the code of the services, event by event, in this process: no suite is needed. The
    same slates come from a running suite by `harken replay`. Baselines see the same events, with
    fresh history of the user who is about to act; those whose libraries are missing, that would
    take too long, or that cannot take part in a protocol, are left out by name.
    """
    with clear_failures(), threadpool_limits(1):
        if plots is not None:
            check_plots("--plots")
        if off_policy is not None:
            if files:
                raise CommandError("--off-policy reads slates, and no history beside them")
            targets = target or ["uniform", "greedy"]
            report_off_policy(off_policy, targets, reward, surface, json_file, plots)
            return
        rules = _rules(
            protocol, start, limit, every, repeats, _cutoffs(cutoffs, protocol), seed, unseen_items
        )
        try:
            types = event_types(preset)
        except ValueError as error:
            raise CommandError(str(error)) from None
        names = _arms(arms, baselines, train or generation is not None)
        plan = Plan(names, rules, types, dimension, slates, train, parameters, generation,
                    keep_anyway, _beside(beside), 60 * peer_minutes)  # fmt: skip
        events = _events_of(files, reading, mapping)
        say_unknown_types(events, types, preset)
        contents = read_contents(items, reading.format_name, separator)
        try:
            found = evaluate(events, contents, plan, Watcher(progress_bar, _say))
        except (NothingToCompareError, TrainingError, ValueError) as error:
            raise CommandError(str(error)) from error
        output().print(report(found, plan))
        if json_file is not None:
            json_file.write_text(json.dumps(as_json(found, plan), indent=1) + "\n")
        if plots is not None:
            written = write_plots(found, plots, rules.cutoffs[0])
            output().print(f"plots: {', '.join(escape(str(path)) for path in written)}")


def _rules(
    protocol: Protocol,
    start: float | None,
    limit: int | None,
    every: int,
    repeats: Repeats | None,
    cutoffs: tuple[int, ...],
    seed: int,
    unseen_items: UnseenItems,
) -> Rules:
    session = protocol is Protocol.SESSION
    if start is not None and protocol is Protocol.LEAVE_ONE_OUT:
        raise CommandError("--start cuts at a time, and --protocol leave-one-out does not")
    if unseen_items is not UnseenItems.DROP and not session:
        raise CommandError("--unseen-items is about test sessions: it needs --protocol session")
    return Rules(
        start=0.8 if start is None else start,
        limit=limit,
        every=every,
        repeats=repeats or (Repeats.INCLUDE if session else Repeats.EXCLUDE),
        cutoffs=cutoffs,
        seed=seed,
        protocol=protocol,
        unseen_items=unseen_items,
    )


def _say(text: str) -> None:
    messages().print(f"[dim]{escape(text)}[/]")


def _events_of(files: Sequence[str] | None, reading: Reading, mapping: EventMapping) -> Events:
    events = read_history(files, reading, mapping)
    kinds = ", ".join(events.types[:8])
    _say(f"{len(events):,} events of {len(events.user_ids):,} users on {len(events.item_ids):,} "
         f"items; types: {kinds}")  # fmt: skip
    return events


def _arms(given: str | None, baselines: bool, trained: bool) -> list[str]:
    if given is None:
        return [
            name
            for name in ALL_ARMS
            if (baselines or name not in BASELINES) and (trained or name not in NEED_TRAINING)
        ]
    names = [name.strip() for name in given.split(",") if name.strip()]
    unknown = [name for name in names if name not in ALL_ARMS]
    if unknown:
        raise CommandError(f"no arm {unknown[0]!r}; there are: {', '.join(ALL_ARMS)}")
    return [name for name in names if baselines or name not in BASELINES]


def _beside(given: str) -> list[str]:
    names = list(dict.fromkeys(name.strip() for name in given.split(",") if name.strip()))
    unknown = [name for name in names if name not in BASELINES]
    if unknown:
        raise CommandError(f"no baseline {unknown[0]!r}; there are: {', '.join(BASELINES)}")
    return names


def _cutoffs(text: str | None, protocol: Protocol) -> tuple[int, ...]:
    if text is None:
        return (20, 10) if protocol is Protocol.SESSION else (10,)
    try:
        found = tuple(int(part) for part in text.split(","))
    except ValueError:
        found = ()
    if not found or not all(1 <= cutoff <= 100 for cutoff in found):
        raise CommandError(f"--cutoffs must be numbers from 1 to 100, is {text!r}")
    return found
