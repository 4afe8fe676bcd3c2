"""A comparison as tables."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from types import MappingProxyType

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table

from services.evaluation.evaluate import Evaluation, Plan
from services.evaluation.outcomes import NEW_ITEMS, NEW_USERS, YOUNG_ITEMS
from services.evaluation.published import CUTOFF, Published
from services.evaluation.summary import Figures, Summary
from services.system.intervals import Interval

_SHORT: Mapping[str, str] = MappingProxyType(
    {NEW_USERS: "new users", NEW_ITEMS: "new items", YOUNG_ITEMS: "young items"}
)
_WORDS = ("arm", "method", "source")
_PARTS = (
    "Parts, with their events: new users and items had no event before the split; young items had "
    "fewer than 20 events so far; the rest are none of these."
)
_COST = (
    "Cost: fit, per event of training, and the most memory that fitting held beyond what was there "
    "before; arms of the system are fitted together, and each bears the whole. Then learning an "
    "event after the split, and making a ranking."
)
_VARIETY = (
    "Variety: coverage is the share of the catalogue that was in the first {cutoff} of any "
    "ranking; novelty the mean surprise of what was, in bits; ECE how far predicted probabilities "
    "are from how often items shown were taken."
)
_ARMS: Mapping[str, str] = MappingProxyType(
    {
        "full": "learns from every event",
        "prior_blend": "full without what choices and slates teach about the order",
        "frozen_params": "fresh history of whoever acts, all that is learned as of the split",
        "hourly": "everything, history too, as of the last change of the hour",
        "daily": "everything, history too, as of the last change of the day",
        "frozen_state": "everything, history too, as of the split",
        "warm_250": "item vectors trained again every 250 events instead of learned online",
    }
)
"""Arms of the system in words."""


def report(evaluation: Evaluation, plan: Plan) -> RenderableType:
    """Return everything that is shown at the end."""
    rules = plan.rules
    outcomes, cutoff = evaluation.outcomes, rules.cutoffs[0]
    words = (*rules.statement(), *_what_was_done(evaluation, plan), _PARTS, _COST)
    lines = [f"[dim]- {escape(rule)}[/]" for rule in words]
    lines.append(
        f"{outcomes.users.size:,} events scored in {outcomes.ranked_groups:,} of "
        f"{outcomes.groups:,} groups; {outcomes.not_scored:,} not scored; "
        f"{outcomes.catalogue:,} items"
    )
    skipped = [f"[yellow]left out: {n}: {escape(why)}[/]" for n, why in outcomes.skipped.items()]
    slowest = sorted(evaluation.seconds.items(), key=lambda pair: -pair[1])[:6]
    times = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in slowest)
    return Group(
        *(_arms(evaluation.summary, place, at) for place, at in enumerate(rules.cutoffs)),
        _published(evaluation.published),
        _ratios(evaluation.summary),
        _segments(evaluation.summary, f"NDCG@{cutoff} by part", lambda found: found.ndcg),
        _segments(evaluation.summary, f"HR@{cutoff} by part", lambda found: found.hit_rate),
        _variety(evaluation.summary),
        _costs(evaluation.summary),
        *lines,
        *skipped,
        f"peak memory {evaluation.peak_bytes / 2**20:,.0f} MiB; {times}",
    )


def _what_was_done(evaluation: Evaluation, plan: Plan) -> Iterator[str]:
    """Yield what else the figures depend on, and what the tables' names mean."""
    if evaluation.split_us is not None:
        at = datetime.fromtimestamp(evaluation.split_us / 1e6, UTC).strftime("%Y-%m-%d %H:%M:%S")
        yield f"The test part begins at {at} UTC."
    names = [arm.name for arm in evaluation.summary.arms if arm.name in _ARMS]
    if names:
        yield "Arms of the system: " + "; ".join(f"{name}: {_ARMS[name]}" for name in names) + "."
        yield _generation_in_words(plan)
    if plan.slates:
        yield "Slates of full were logged, and what came of them was learned, too."
    yield _VARIETY.format(cutoff=plan.rules.cutoffs[0])


def _generation_in_words(plan: Plan) -> str:
    if plan.train:
        return "The system's generation was trained before the split, where that was found better."
    if plan.generation is not None:
        return f"The system's generation is that of {plan.generation}."
    return f"The system's generation was made without training, of dimension {plan.dimension}."


def _arms(summary: Summary, place: int, cutoff: int) -> Table:
    """Return the figures at one cut-off, the first or a later one: wider tables do not fit."""
    table = _table("Arms", ["arm", f"NDCG@{cutoff}", "95%", f"HR@{cutoff}", f"MRR@{cutoff}"])
    best = max((arm.figures[place].ndcg for arm in summary.arms), default=0.0)
    for arm in summary.arms:
        figures = arm.figures[place]
        table.add_row(
            arm.name,
            f"{figures.ndcg:.4f}",
            _interval(figures.ndcg_interval, 4),
            f"{figures.hit_rate:.4f}",
            f"{figures.mrr:.4f}",
            style="bold" if figures.ndcg == best else "",
        )
    return table


def _published(figures: Sequence[Published]) -> RenderableType:
    if not figures:
        return ""
    title = f"Published on {figures[0].data}, not measured here"
    table = _table(title, ["method", f"NDCG@{CUTOFF}", f"HR@{CUTOFF}", "source"])
    for one in figures:
        table.add_row(one.method, f"{one.ndcg:.4f}", f"{one.hit_rate:.4f}", escape(one.source))
    return table


def _variety(summary: Summary) -> Table:
    calibrated = any(arm.calibration_error is not None for arm in summary.arms)
    table = _table("Variety", ["arm", "coverage", "novelty", *(["ECE"] if calibrated else [])])
    for arm in summary.arms:
        row = [arm.name, f"{arm.coverage:.3f}", f"{arm.novelty:.2f}"]
        if calibrated:
            error = arm.calibration_error
            row.append("-" if error is None else f"{error:.4f}")
        table.add_row(*row)
    return table


def _costs(summary: Summary) -> Table:
    table = _table(
        "Cost, one core",
        ["arm", "fit s", "fit µs/event", "fit MiB", "µs/event", "µs/ranking"],
    )
    for arm in summary.arms:
        cost = arm.cost
        table.add_row(
            arm.name,
            f"{cost.fit_seconds:.1f}",
            f"{cost.fit_us():,.0f}",
            "-" if cost.fit_bytes is None else f"{cost.fit_bytes / 2**20:,.0f}",
            f"{cost.update_us():,.0f}" if cost.updated_events else "-",
            f"{cost.rank_us():,.0f}",
        )
    return table


def _table(title: str, columns: list[str]) -> Table:
    table = Table(box=SIMPLE_HEAD, title=title, title_justify="left", title_style="bold")
    for column in columns:
        table.add_column(column, no_wrap=True, justify="left" if column in _WORDS else "right")
    return table


def _ratios(summary: Summary) -> RenderableType:
    ratios = summary.segments[0].ratios
    if not ratios:
        return ""
    table = _table("NDCG of full over", ["arm", "ratio", "95%"])
    for ratio in ratios:
        value = "-" if ratio.value is None else f"{ratio.value:.3f}x"
        table.add_row(ratio.over, value, _interval(ratio.interval, 3))
    return table


def _segments(summary: Summary, title: str, value: Callable[[Figures], float]) -> Table:
    table = _table(title, ["arm"])
    for segment in summary.segments:
        heading = f"{_SHORT.get(segment.name, segment.name)}\n{segment.events:,}"
        table.add_column(heading, justify="right", no_wrap=True)
    for name in summary.segments[0].figures:
        cells = [f"{value(s.figures[name]):.4f}" if s.events else "-" for s in summary.segments]
        table.add_row(name, *cells)
    return table


def _interval(interval: Interval | None, digits: int) -> str:
    if interval is None:
        return "-"
    return f"{interval.low:.{digits}f}-{interval.high:.{digits}f}"
