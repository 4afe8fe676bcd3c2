"""What a replay measured: as tables, and as JSON."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.table import Table

from services.cli.replay.run import ReplayResult
from services.evaluation.comparison import ALL, CurvePoint, Pair
from services.evaluation.percentiles import Percentiles

_BARS = "▁▂▃▄▅▆▇█"
_WIDTH = 60
_NOISY_POINTS = 3


def report(result: ReplayResult) -> RenderableType:
    """Return the tables at the end of a replay."""
    parts = Table(box=SIMPLE_HEAD)
    for heading in ("", "events", "arm", "HR@10", "NDCG@10", "MRR@10", "ratio"):
        parts.add_column(heading, no_wrap=True)
    for name, pair in result.comparison.parts().items():
        if pair.full.events:
            _add_pair(parts, name, pair)
    times = Table(box=SIMPLE_HEAD)
    for heading in ("milliseconds", "samples", "p50", "p95", "p99", "largest"):
        times.add_column(heading, no_wrap=True)
    for name, found in (
        ("RecordEvents to its effect", result.freshness_ms),
        ("Recommend", result.recommend_ms),
        ("RecordEvents", result.record_ms),
    ):
        if found is not None:
            times.add_row(name, f"{found.samples:,}", *_numbers(found))
    rate = result.groups / max(result.seconds, 1e-9)
    lines = [
        f"{result.events:,} events in {result.groups:,} groups of one user and second, "
        f"in {result.seconds:.1f} s: {rate:,.0f} groups/s",
        f"not scored: {result.repeats:,} repeats",
    ]
    if result.not_accepted:
        lines.append(f"[yellow]not accepted by the suite: {result.not_accepted:,} events[/]")
    if result.stale_slates:
        lines.append(f"[bold red]stale slates: {result.stale_slates:,}[/]")
    return Group(parts, curves(result.comparison.curve), times, *lines)


def curves(points: Sequence[CurvePoint]) -> RenderableType:
    """Return both running NDCG curves as lines of bars, on one scale."""
    shown = _thinned(points)
    if not shown:
        return ""
    top = max(max(point.full_ndcg, point.frozen_ndcg) for point in shown)
    grid = Table.grid(padding=(0, 1))
    for name, style, values in (
        ("full", "green", [point.full_ndcg for point in shown]),
        ("frozen_state", "red", [point.frozen_ndcg for point in shown]),
    ):
        grid.add_row(name, f"[{style}]{sparkline(values, top)}[/]", f"{values[-1]:.4f}")
    return Group("running NDCG@10", grid)


def sparkline(values: Sequence[float], top: float) -> str:
    """Return a line of bars; `top` is a full bar, 0 an empty one."""
    steps = len(_BARS) - 1
    return "".join(
        _BARS[min(steps, max(0, round(value / top * steps)))] if top > 0 else _BARS[0]
        for value in values
    )


def as_json(result: ReplayResult) -> dict[str, Any]:
    """Return everything measured, for machines. Durations are in milliseconds, but `seconds`."""
    return {
        "parts": {
            name: {**asdict(pair), "ndcg_ratio": pair.ndcg_ratio}
            for name, pair in result.comparison.parts().items()
        },
        "curve": [asdict(point) for point in result.comparison.curve],
        "groups": result.groups,
        "events": result.events,
        "repeats": result.repeats,
        "not_accepted": result.not_accepted,
        "stale_slates": result.stale_slates,
        "seconds": result.seconds,
        "groups_per_second": result.groups / max(result.seconds, 1e-9),
        "freshness_ms": _or_none(result.freshness_ms),
        "recommend_ms": _or_none(result.recommend_ms),
        "record_ms": _or_none(result.record_ms),
    }


def _add_pair(table: Table, name: str, pair: Pair) -> None:
    ratio = "-" if pair.ndcg_ratio is None else f"{pair.ndcg_ratio:.2f}x"
    for arm, metrics, note in (("full", pair.full, ratio), ("frozen_state", pair.frozen_state, "")):
        first = arm == "full"
        table.add_row(
            name if first else "",
            f"{metrics.events:,}" if first else "",
            arm,
            f"{metrics.hit_rate:.4f}",
            f"{metrics.ndcg:.4f}",
            f"{metrics.mrr:.4f}",
            note,
            style="bold" if name == ALL else "",
        )


def _numbers(found: Percentiles) -> list[str]:
    return [f"{value:.2f}" for value in (found.p50, found.p95, found.p99, found.largest)]


def _or_none(found: Percentiles | None) -> dict[str, Any] | None:
    return None if found is None else asdict(found)


def _thinned(points: Sequence[CurvePoint]) -> list[CurvePoint]:
    if len(points) > _NOISY_POINTS * 4:
        # Means over the first few events jump, and would set the scale of the rest.
        points = points[_NOISY_POINTS:]
    if len(points) <= _WIDTH:
        return list(points)
    return [points[round(i * (len(points) - 1) / (_WIDTH - 1))] for i in range(_WIDTH)]
