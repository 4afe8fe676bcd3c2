"""Reports of experiments for people."""

import math
from collections.abc import Iterator

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.table import Table

from harken.feedback.v1 import experiment_pb2 as pb
from services.cli.experiments.view import state_of
from services.evaluation.experiments.difference import LEAST
from services.evaluation.experiments.guardrail import Verdict
from services.evaluation.experiments.report import Comparison, Report

_COLOURS = {Verdict.HARMED: "red", Verdict.SAFE: "green", Verdict.UNDECIDED: "yellow"}


def report_view(experiment: pb.Experiment, report: Report) -> RenderableType:
    """Return a report as tables, with what it says in words."""
    design = report.design
    users = sum(variant.users for variant in report.variants)
    about = (
        f"{experiment.name}: {state_of(experiment)}; {users:,} users exposed, of {report.counted:,}"
        f" the window of {_span(design.window_us / 1e6)} is over; planned: {design.planned:,.0f}"
    )
    parts: list[RenderableType] = [about, _variants(report)]
    if report.mixed:
        parts.append(
            f"[yellow]{report.mixed:,} users saw several variants; each counts for the first[/]"
        )
    if report.unknown:
        parts.append(f"[yellow]{report.unknown:,} exposures to variants that there are not[/]")
    parts += [
        f"[yellow]{one.not_served:,} of {one.slates:,} slates of {one.name} were made as without"
        " the experiment: its surface was gone[/]"
        for one in report.variants
        if one.not_served
    ]
    evidence = f"Bayes factor {math.exp(min(report.ratio.log_evidence, 700.0)):.3g}"
    if report.ratio.mismatched:
        parts.append(
            f"[bold red]Sample-ratio mismatch ({evidence}): users are missing from a variant."
            " The experiment says nothing.[/]"
        )
        return Group(*parts)
    parts.append(f"Shares are as planned ({evidence}; a mismatch from 1,000 on).")
    parts += _tables(report)
    parts += [_verdict(one) for one in report.comparisons if one.verdict is None]
    parts += [
        f"[bold red]Guardrail {one.metric} is harmed by {one.variant}.[/]"
        for one in report.comparisons
        if one.verdict is Verdict.HARMED
    ]
    return Group(*parts)


def _variants(report: Report) -> Table:
    table = Table(box=SIMPLE_HEAD)
    table.add_column("variant")
    for column in ("planned", "users", "share", "counted", "slates"):
        table.add_column(column, justify="right")
    users = max(sum(variant.users for variant in report.variants), 1)
    for one in report.variants:
        table.add_row(
            one.name, f"{one.share:.1%}", f"{one.users:,}", f"{one.users / users:.1%}",
            f"{one.counted:,}", f"{one.slates:,}",
        )  # fmt: skip
    return table


def _tables(report: Report) -> Iterator[Table]:
    """Yield a table of each metric, a row a variant."""
    interval = f"{100 * (1 - report.design.alpha):.4g}% interval"
    for index, metric in enumerate(report.design.metrics):
        what = "guardrail" if index else "primary"
        table = Table(box=SIMPLE_HEAD, title=f"{metric.name} ({what})", title_justify="left",
                      title_style="bold")  # fmt: skip
        table.add_column("variant", overflow="fold")
        for column in ("control", "difference", interval, "lift"):
            table.add_column(column, justify="right", no_wrap=True)
        table.add_column("says", no_wrap=True)
        for one in report.comparisons:
            if one.metric == metric.name:
                found = one.difference
                control, mean = float(found.control), float(found.mean)
                table.add_row(
                    one.variant, f"{control:.3g}", f"{mean:+.3g}", _interval(one),
                    f"{mean / control:+.1%}" if control else "-", _says(one),
                )  # fmt: skip
        yield table


def _interval(one: Comparison) -> str:
    low, high = float(one.difference.low), float(one.difference.high)
    if not math.isfinite(low):
        return f"none: < {LEAST} users"
    return f"{low:+.3g} to {high:+.3g}"


def _says(one: Comparison) -> str:
    if one.verdict is not None:
        return f"[{_COLOURS[one.verdict]}]{one.verdict.value}[/]"
    if not one.difference.decided:
        return "[yellow]undecided[/]"
    return "[green]better[/]" if float(one.difference.low) > 0 else "[red]worse[/]"


def _verdict(one: Comparison) -> str:
    if not one.difference.decided:
        return f"{one.variant}: nothing is decided about {one.metric} yet."
    more = "more" if float(one.difference.low) > 0 else "less"
    return f"[bold]{one.variant} has {more} {one.metric} than the control.[/]"


def _span(seconds: float) -> str:
    for unit, size in (("days", 86400.0), ("hours", 3600.0), ("minutes", 60.0)):
        if seconds >= 2 * size:
            return f"{seconds / size:.4g} {unit}"
    return f"{seconds:.4g} s"
