"""Plots of a comparison, as PNG files. Needs matplotlib (extra `eval`)."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from services.evaluation.curves import cumulative_ndcg, staleness
from services.evaluation.evaluate import Evaluation
from services.evaluation.figure_maker import figure_maker


def write_plots(evaluation: Evaluation, folder: Path, cutoff: int) -> list[Path]:
    """Write staleness.png, cumulative.png and cost.png into `folder`; return those written.

    Raises:
        PlotsMissingError: matplotlib is not installed.

    """
    figure_of = figure_maker()
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, draw in (("staleness", _staleness), ("cumulative", _cumulative), ("cost", _cost)):
        figure = figure_of(figsize=(8, 5), layout="constrained")
        axes = figure.subplots()
        if draw(axes, evaluation, cutoff):
            axes.set_ylabel(f"NDCG@{cutoff}")
            axes.grid(alpha=0.3)
            path = folder / f"{name}.png"
            figure.savefig(path, dpi=120)
            written.append(path)
    return written


def _staleness(axes: Any, evaluation: Evaluation, cutoff: int) -> bool:
    points = staleness({arm.name: arm.figures[0].ndcg for arm in evaluation.summary.arms})
    if len(points) < 2:
        return False
    axes.plot([age for age, _ in points], [value for _, value in points], marker="o")
    axes.set_ylim(bottom=0)
    axes.set_xlabel("age of the state that slates are made from")
    axes.set_title("What listening is worth")
    return True


def _cumulative(axes: Any, evaluation: Evaluation, cutoff: int) -> bool:
    if (np.diff(evaluation.outcomes.times_us) < 0).any():
        # Not tested in order of time.
        return False
    for name, curve in cumulative_ndcg(evaluation.outcomes, cutoff).items():
        times = [datetime.fromtimestamp(time_us / 1e6, UTC) for time_us in curve.times_us.tolist()]
        # Means over the first few events jump, and would set the scale of the rest.
        later = len(times) // 20
        axes.plot(times[later:], curve.values[later:], label=name)
    axes.legend(fontsize="small")
    axes.set_xlabel("event time (UTC)")
    axes.set_title("Cumulative over the test part")
    for label in axes.get_xticklabels():
        label.set_rotation(30)
    return True


def _cost(axes: Any, evaluation: Evaluation, cutoff: int) -> bool:
    for arm in evaluation.summary.arms:
        cost = (arm.cost.rank_us() + arm.cost.update_us()) / 1e3
        axes.scatter([max(cost, 1e-3)], [arm.figures[0].ndcg])
        axes.annotate(arm.name, (max(cost, 1e-3), arm.figures[0].ndcg), fontsize="small",
                      textcoords="offset points", xytext=(4, 4))  # fmt: skip
    axes.set_xscale("log")
    axes.set_xlabel("milliseconds for one event and one ranking, one core")
    axes.set_title("Cost against quality")
    return True
