"""`harken evaluate --off-policy`: what other policies would have earned: tables, JSON, a plot."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table

from services.cli.console import messages, output
from services.cli.failures import CommandError
from services.evaluation.off_policy.as_json import as_json
from services.evaluation.off_policy.estimate import Estimate, UnsupportedError
from services.evaluation.off_policy.evaluation import Target, TargetReport, evaluate_off_policy
from services.evaluation.off_policy.plot import write_plot
from services.evaluation.off_policy.slate_file import SlateFile, SlateFileError, given_target
from services.evaluation.off_policy.targets import parsed_target, parsed_weights
from services.system.intervals import Interval


def report_off_policy(
    file: Path,
    targets: Sequence[str],
    reward: str,
    surface: str | None,
    json_file: Path | None,
    plots: Path | None,
) -> None:
    """Estimate and report what targets would have earned; those that are refused are named.

    Raises:
        CommandError: something given is wrong, or every target is refused.

    """
    try:
        weights = parsed_weights(reward)
        known = [_target(text) for text in targets]
    except (ValueError, SlateFileError) as error:
        raise CommandError(str(error)) from None
    slates = SlateFile(file, weights, surface)
    reports: list[TargetReport] = []
    refused: dict[str, str] = {}
    for target in known:
        try:
            reports.append(evaluate_off_policy(slates, target))
        except UnsupportedError as error:
            refused[target.name] = str(error)
        except SlateFileError as error:
            raise CommandError(str(error)) from None
    if json_file is not None:
        json_file.write_text(json.dumps(as_json(reports, refused, weights), indent=1) + "\n")
    for name, why in refused.items():
        messages().print(f"[yellow]refused: {escape(name)}: {escape(why)}[/]")
    if not reports:
        raise CommandError("there is no target whose value the log tells")
    output().print(Group(*(_report(one, weights) for one in reports)))
    missing = [kind for kind in weights if kind not in slates.types]
    if missing:
        messages().print(f"[yellow]no slate has an event of type {escape(', '.join(missing))}[/]")
    if plots is not None:
        written = write_plot(reports, plots)
        output().print(f"plot: {escape(str(written))}")


def _target(text: str) -> Target:
    target = parsed_target(text)
    if target is not None:
        return target
    path = Path(text)
    if not path.exists():
        raise ValueError(
            f"no target {text!r}: uniform, greedy[:WEIGHTS], pl:TEMPERATURE[:WEIGHTS], or a file "
            "with slate_id, place, item and probability"
        )
    return given_target(path)


def _report(one: TargetReport, reward: Mapping[str, float]) -> RenderableType:
    report = one.report
    earned = " + ".join(f"{weight:g} {kind}" for kind, weight in reward.items())
    table = Table(box=SIMPLE_HEAD, title=escape(one.target), title_justify="left",
                  title_style="bold")  # fmt: skip
    for column in ("estimator", "a slate", "95%", "over logged", "95%", "effective", "max weight"):
        table.add_column(column, no_wrap=True, justify="left" if column == "estimator" else "right")
    for found in report.estimates:
        if found.value is not None:
            table.add_row(*_cells(found))
    lines = [
        f"{report.slates:,} slates of {report.users:,} users; reward: {escape(earned)}; logged: "
        f"{report.logged:.4f} {_interval(report.logged_interval)}",
        f"mean weight {report.mean_weight:.3f}; unmet "
        f"{'not known' if report.unmet is None else f'{report.unmet:.2%}'}; propensities "
        f"{_off(one.propensities_off)}",
    ]
    lines += [f"left out: {count:,} slates: {escape(why)}" for why, count in one.left_out.items()]
    lines += [
        f"[yellow]refused: {found.estimator}: {escape(found.refused)}[/]"
        for found in report.estimates
        if found.refused
    ]
    return Group(table, *lines)


def _off(difference: float | None) -> str:
    if difference is None:
        return "cannot be computed again"
    return f"as computed again, within {difference:.1g}"


def _cells(found: Estimate) -> list[str]:
    return [
        found.estimator,
        f"{found.value:.4f}",
        _interval(found.interval),
        f"{found.difference:+.4f}",
        _interval(found.difference_interval),
        f"{found.effective_slates:,.0f}",
        f"{found.max_weight:,.1f}",
    ]


def _interval(interval: Interval | None) -> str:
    return "-" if interval is None else f"{interval.low:.4f} to {interval.high:.4f}"
