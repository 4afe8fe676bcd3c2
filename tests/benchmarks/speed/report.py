"""What a bench says: a table, a Markdown report with plots, a JSON file."""

import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from tests.benchmarks.speed.figures import Change, Figure, spread
from tests.benchmarks.speed.trend import Kept

_BAR = 40


def table(figures: Sequence[Figure], tree: str) -> str:
    """Return product, floor and their quotient, with spreads, in Markdown."""
    lines = ["| what | product | floor | share of the floor | noise |", "|---|---|---|---|---|"]
    for one in figures:
        ratio = spread(one.ratios(tree))
        lines.append(
            f"| {one.name} | {_values(one.products[tree], one.unit)} |"
            f" {one.floor_name}: {_values(one.floor, one.unit)} |"
            f" **{ratio.median:.3f}** ({ratio.least:.3f} to {ratio.most:.3f}) |"
            f" {ratio.noise:.0%} |"
        )
    return "\n".join(lines)


def _values(values: Sequence[float], unit: str) -> str:
    shown = [f"{one:,.0f}" if one >= 100 else f"{one:.3g}" for one in
             (statistics.median(values), min(values), max(values))]  # fmt: skip
    return f"{shown[0]} {unit} ({shown[1]} to {shown[2]})"


def changes_table(changes: Sequence[Change], then: str) -> str:
    """Return how ratios changed, in Markdown."""
    lines = [
        f"| what | {then} | now | now over {then} | noise | fell |", "|---|---|---|---|---|---|"
    ]  # fmt: skip
    for one in changes:
        fell = "**yes**" if one.fell else "no"
        lines.append(
            f"| {one.name} | {one.then:.3f} | {one.now:.3f} | {one.quotient:.3f} |"
            f" {one.noise:.0%} | {fell} |"
        )
    return "\n".join(lines)


def bars(figures: Sequence[Figure], tree: str) -> str:
    """Return the quotients as bars of text; a full one is the floor itself."""
    width = max(len(one.name) for one in figures)
    lines = []
    for one in figures:
        ratio = statistics.median(one.ratios(tree))
        filled = min(_BAR, round(ratio * _BAR))
        lines.append(f"{one.name:{width}} {'#' * filled:.<{_BAR}} {ratio:.3f}")
    return "\n".join(lines)


def trend_table(runs: Sequence[Kept]) -> str:
    """Return the runs that were kept, in Markdown: a column a run, the newest eight."""
    newest = list(runs)[-8:]
    names = list(dict.fromkeys(name for run in newest for name in run.ratios))
    head = " | ".join(f"{run.commit}, {run.date}" for run in newest)
    lines = [f"| share of the floor | {head} |", "|---" * (len(newest) + 1) + "|"]
    for name in names:
        cells = (run.ratios.get(name) for run in newest)
        shown = " | ".join("-" if cell is None else f"{cell[0]:.3f}" for cell in cells)
        lines.append(f"| {name} | {shown} |")
    return "\n".join(lines)


def plot(figures: Sequence[Figure], runs: Sequence[Kept], folder: Path, tree: str) -> list[str]:
    """Draw the quotients with their rounds, and their trend; return the files' names.

    Without matplotlib, of the extra eval, there are none.
    """
    try:
        from matplotlib.figure import Figure as Canvas  # an extra: not at the top
    except ImportError:
        return []
    canvas = Canvas(figsize=(8, 0.6 + 0.45 * len(figures)), layout="constrained")
    axes = canvas.subplots()
    for place, one in enumerate(figures):
        ratios = one.ratios(tree)
        axes.barh(place, statistics.median(ratios), color="#7aa6c2")
        axes.plot(ratios, [place] * len(ratios), "k.", markersize=4)
    axes.set_yticks(range(len(figures)), [one.name for one in figures])
    axes.invert_yaxis()
    axes.set_xlabel("share of the floor: bar the median, dots the rounds")
    canvas.savefig(folder / "ratios.png", dpi=110)
    found = ["ratios.png"]
    if len(runs) > 1:
        canvas = Canvas(figsize=(8, 4.5), layout="constrained")
        axes = canvas.subplots()
        for name in runs[-1].ratios:
            points = [(place, run.ratios[name]) for place, run in enumerate(runs)
                      if name in run.ratios]  # fmt: skip
            axes.errorbar(
                [place for place, _ in points], [value for _, (value, _) in points],
                yerr=[value * noise for _, (value, noise) in points],
                marker="o", capsize=3, label=name,
            )  # fmt: skip
        axes.set_xticks(range(len(runs)), [run.commit for run in runs], rotation=45)
        axes.set_ylabel("share of the floor")
        axes.legend(fontsize="small")
        canvas.savefig(folder / "trend.png", dpi=110)
        found.append("trend.png")
    return found


def write(
    folder: Path, run: Kept, figures: Sequence[Figure], runs: Sequence[Kept], tree: str, bias: str
) -> Path:
    """Write the report of a run with its plots, and all rounds as JSON; return the report."""
    folder.mkdir(parents=True, exist_ok=True)
    pictures = plot(figures, runs, folder, tree)
    said = ", ".join(f"{name} {value}" for name, value in (*run.hardware.items(),
                                                           *run.versions.items()))  # fmt: skip
    lines = [
        f"# {run.bench} at {run.commit}, {run.date}", "", f"{said}; {run.rounds} rounds, floor and"
        " product in turns. Medians, and from least to most.", "", bias, "", table(figures, tree),
        "", *(f"- {one}" for one in notes(figures)), "",
        *(f"![{name}]({name})" for name in pictures),
    ]  # fmt: skip
    if not pictures:
        lines += ["```", bars(figures, tree), "```"]
    if runs:
        lines += ["", "Runs that were kept, on this processor:", "", trend_table(runs)]
    report = folder / "report.md"
    report.write_text("\n".join(lines) + "\n")
    found = {**asdict(run), "figures": [asdict(one) for one in figures]}
    (folder / "rounds.json").write_text(json.dumps(found, indent=1, default=str) + "\n")
    return report


def notes(figures: Sequence[Figure]) -> list[str]:
    """Return what figures have to say beside their values, such as the client's share."""
    said: Mapping[str, None] = dict.fromkeys(
        str(one.details["note"]) for one in figures if "note" in one.details
    )
    return list(said)
