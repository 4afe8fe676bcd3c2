"""How the differences of an experiment came to be, as a plot. Needs matplotlib (extra `eval`)."""

from pathlib import Path

import numpy as np

from services.evaluation.experiments.report import Report
from services.evaluation.figure_maker import figure_maker


def write_plot(report: Report, file: Path) -> None:
    """Write the course of all comparisons, a metric below the other, as the name of the file says:
    .png, .svg or .pdf.

    Raises:
        PlotsMissingError: matplotlib is not installed.
        ValueError: the name says something else.

    """
    figure_of = figure_maker()
    names = [metric.name for metric in report.design.metrics]
    figure = figure_of(figsize=(8, 3.2 * len(names)), layout="constrained")
    for place, (name, axes) in enumerate(
        zip(names, figure.subplots(len(names), squeeze=False)[:, 0], strict=True)
    ):
        for one in report.comparisons:
            # Intervals that are there yet; the first of them are wide and would set the scale.
            known = np.isfinite(one.course.low)
            if one.metric != name or not known.any():
                continue
            known &= one.users >= one.users[known][-1] / 20
            users = one.users[known]
            (line,) = axes.plot(users, one.course.mean[known], label=one.variant)
            axes.fill_between(
                users, one.course.low[known], one.course.high[known], alpha=0.2,
                color=line.get_color(),
            )  # fmt: skip
        axes.axhline(0.0, color="black", linewidth=0.8)
        if place:
            guardrail = report.design.guardrails[place - 1][1]
            worst = -guardrail.margin if guardrail.more_is_better else guardrail.margin
            axes.axhline(worst, color="red", linewidth=0.8, linestyle="--")
        if axes.get_legend_handles_labels()[0]:
            axes.legend(fontsize="small")
        axes.set_title(name)
        axes.set_ylabel("difference from control")
        axes.grid(alpha=0.3)
    axes.set_xlabel("users, of control and variant, whose window is over")
    figure.savefig(file, dpi=120)
