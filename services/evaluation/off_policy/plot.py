"""Off-policy estimates with their intervals, as a PNG file. Needs matplotlib (extra `eval`)."""

from collections.abc import Sequence
from pathlib import Path

from services.evaluation.figure_maker import figure_maker
from services.evaluation.off_policy.evaluation import TargetReport


def write_plot(reports: Sequence[TargetReport], folder: Path) -> Path:
    """Write off_policy.png into `folder` and return its path: a row for each estimate of a target,
    and what logging earned.

    Raises:
        PlotsMissingError: matplotlib is not installed.

    """
    figure_of = figure_maker()
    folder.mkdir(parents=True, exist_ok=True)
    rows = [
        (f"{one.target}: {found.estimator}", found.value, found.interval)
        for one in reports
        for found in one.report.estimates
        if found.value is not None and found.interval is not None
    ]
    figure = figure_of(figsize=(8, 1.5 + 0.3 * len(rows)), layout="constrained")
    axes = figure.subplots()
    for height, (_, value, (low, high)) in enumerate(rows):
        axes.plot([low, high], [height, height], color="tab:blue")
        axes.plot([value], [height], marker="o", color="tab:blue")
    axes.set_yticks(range(len(rows)), [name for name, _, _ in rows], fontsize="small")
    axes.invert_yaxis()
    for one in reports[:1]:
        axes.axvline(one.report.logged, color="tab:gray", linestyle="--")
        axes.axvspan(*one.report.logged_interval, color="tab:gray", alpha=0.2)
    axes.set_xlabel("reward a slate; grey: as logged, of the first target's slates")
    axes.grid(alpha=0.3)
    path = folder / "off_policy.png"
    figure.savefig(path, dpi=120)
    return path
