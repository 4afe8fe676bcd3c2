"""Writes the Grafana dashboard, dashboard.json: `python deploy/observability/dashboard.py`.

Needs nothing but Python. A test compares the file with what this makes of it.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("dashboard.json")
_WIDTH = 24
_OURS = 'job=~"harken.*"'
_DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}


@dataclass(frozen=True)
class Panel:
    """One graph: a title, a unit of Grafana, and expressions with their legends."""

    title: str
    unit: str
    queries: Sequence[tuple[str, str]]
    about: str = ""
    width: int = 8
    kind: str = "timeseries"


@dataclass(frozen=True)
class Row:
    """Panels under one heading."""

    title: str
    panels: Sequence[Panel]


def _quantile(share: float, metric: str, by: str, where: str = "") -> str:
    rates = f"rate({metric}_bucket{{{where}}}[$__rate_interval])"
    return f"histogram_quantile({share}, sum by (le, {by}) ({rates}))"


def _rate(metric: str, by: str, where: str = "") -> str:
    return f"sum by ({by}) (rate({metric}{{{where}}}[$__rate_interval]))"


_LOOP = Row(
    "The loop: from an event to the slates that know it",
    (
        Panel(
            "Stages, 99th percentile", "s",
            ((_quantile(0.99, "harken_loop_stage_seconds", "stage"), "{{stage}}"),),
            "Seconds from the acceptance of an event until each stage was done.",
        ),
        Panel(
            "Visible, by replica, 99th percentile", "s",
            ((
                _quantile(0.99, "harken_loop_stage_seconds", "instance", 'stage="visible"'),
                "{{instance}}",
            ),),
        ),
        Panel(
            "Events", "ops",
            ((_rate("harken_events_total", "outcome"), "{{outcome}}"),),
        ),
        Panel(
            "Entries lag", "s", (("harken_entries_lag_seconds", "{{instance}}"),),
            "Seconds since which there is an entry of the log that a subscriber has not applied.",
        ),
        Panel("Entries lag in entries", "short", (("harken_entries_lag", "{{instance}}"),)),
        Panel(
            "Feed lag", "s", (("harken_feed_lag_seconds", "{{instance}}"),),
            "Seconds since which there is a version that a subscriber has not applied.",
        ),
        Panel("Feed lag in versions", "short", (("harken_feed_lag_versions", "{{instance}}"),)),
        Panel(
            "Log entries not learned from", "short",
            (("max(harken_log_appended_sequence) - max(harken_feed_through_sequence)", "entries"),),
        ),
        Panel(
            "Quarantined, by reason", "ops",
            ((_rate("harken_events_total", "reason", 'outcome="QUARANTINED"'), "{{reason}}"),),
        ),
        Panel(
            "Learner", "short",
            (
                ("harken_learner_leads", "leads {{instance}}"),
                (_rate("harken_learner_failures_total", "instance"), "failures/s {{instance}}"),
                (_rate("harken_learner_fenced_total", "instance"), "fenced/s {{instance}}"),
            ),
        ),
        Panel(
            "Learner: share of its time", "percentunit",
            (
                ("rate(harken_learner_step_seconds_sum[$__rate_interval])", "steps {{instance}}"),
                (
                    "rate(harken_learner_commit_seconds_sum[$__rate_interval])",
                    "commits {{instance}}",
                ),
            ),
            "Both together at 1: the learner does all that it can.",
        ),
        Panel(
            "Breaks, refusals, snapshots", "ops",
            (
                (_rate("harken_feed_breaks_total", "instance"), "breaks {{instance}}"),
                (_rate("harken_entries_breaks_total", "instance"), "entries break {{instance}}"),
                (_rate("harken_feed_refused_total", "instance"), "refused {{instance}}"),
                (_rate("harken_entries_refused_total", "instance"), "entries refused {{instance}}"),
                (_rate("harken_feed_restarts_total", "instance"), "snapshots {{instance}}"),
            ),
        ),
        Panel(
            "Versions since the last checkpoint", "short",
            (("harken_learner_versions_since_checkpoint", "{{instance}}"),),
        ),
    ),
)  # fmt: skip

_RPC = Row(
    "RPCs: rate, errors, duration",
    (
        Panel("Rate", "ops", ((_rate("harken_rpc_handled_total", "method"), "{{method}}"),)),
        Panel(
            "Errors, by status", "ops",
            ((
                _rate("harken_rpc_handled_total", "method, code", 'code!="OK"'),
                "{{method}} {{code}}",
            ),),
        ),
        Panel(
            "Duration, 99th percentile", "s",
            ((_quantile(0.99, "harken_rpc_seconds", "method"), "{{method}}"),),
        ),
        Panel(
            "Duration, median", "s",
            ((_quantile(0.5, "harken_rpc_seconds", "method"), "{{method}}"),),
        ),
        Panel(
            "Streams that are open", "short",
            (("sum by (method) (harken_rpc_streams_open)", "{{method}}"),),
        ),
        Panel(
            "Messages on streams", "ops",
            ((_rate("harken_rpc_stream_messages_total", "method"), "{{method}}"),),
        ),
        Panel(
            "Shed", "ops",
            (
                (_rate("harken_rpc_shed_total", "method"), "{{method}}"),
                (_rate("harken_flush_shed_total", "instance"), "events, queue full"),
            ),
        ),
        Panel(
            "Slate budget: errors over an hour", "percentunit",
            (
                ("harken:slate_errors:ratio1h", "failed (objective 0.1%)"),
                ("harken:latency_errors:ratio1h", "slow (objective 1%)"),
                ("harken:freshness_errors:ratio1h", "late events (objective 1%)"),
            ),
        ),
        Panel(
            "Answers that lacked something", "ops",
            (
                (_rate("harken_ranker_degraded_total", "what"), "{{what}}"),
                (_rate("harken_ranker_stale_total", "job"), "stale"),
            ),
        ),
    ),
)  # fmt: skip

_LEARNING = Row(
    "What is learned, and how well",
    (
        Panel(
            "Predicted against actual", "percentunit",
            (
                ("harken_outcome_predicted", "predicted {{surface}} {{outcome}}"),
                ("harken_outcome_actual", "actual {{surface}} {{outcome}}"),
            ),
        ),
        Panel(
            "Calibration error", "percentunit",
            (("harken_outcome_ece", "{{surface}} {{outcome}}"),),
        ),
        Panel(
            "Live against frozen", "short",
            (
                ('harken_live_comparison_mean{comparison="guard"}', "mean {{tenant}}"),
                ('harken_live_comparison_lower{comparison="guard"}', "lower {{tenant}}"),
                ('harken_live_comparison_upper{comparison="guard"}', "upper {{tenant}}"),
            ),
            "The frozen reference minus the live vectors; above 0 the reference is better.",
        ),
        Panel(
            "Staged against serving", "short",
            (
                ('harken_live_comparison_mean{comparison="validation"}', "mean {{tenant}}"),
                ('harken_live_comparison_lower{comparison="validation"}', "lower {{tenant}}"),
                ('harken_live_comparison_upper{comparison="validation"}', "upper {{tenant}}"),
            ),
        ),
        Panel(
            "Generations that serve", "short",
            ((
                "count by (tenant, generation, other) (harken_ranker_generation_info)",
                "{{tenant}}: {{generation}} (beside: {{other}})",
            ),),
            "Replicas by generation.",
        ),
        Panel(
            "Rollbacks of vectors, promotions, retirements", "short",
            (
                ("max by (tenant) (harken_vector_rollbacks)", "rollbacks {{tenant}}"),
                ("sum by (tenant) (harken_generations_promoted_total)", "promoted {{tenant}}"),
                ("sum by (tenant) (harken_generations_retired_total)", "retired {{tenant}}"),
            ),
        ),
        Panel(
            "Slates logged and lost", "ops",
            (
                (_rate("harken_ranker_slates_logged_total", "job"), "logged"),
                (_rate("harken_ranker_slates_dropped_total", "why"), "dropped: {{why}}"),
            ),
        ),
        Panel(
            "Slates joined with events", "ops",
            ((_rate("harken_joiner_total", "what"), "{{what}}"),),
        ),
        Panel(
            "Events that moved only their user", "ops",
            (
                (_rate("harken_learner_beyond_influence_total", "job"), "beyond it"),
                (_rate("harken_learner_held_total", "job"), "too many on one item"),
            ),
        ),
    ),
)  # fmt: skip

_CAPACITY = Row(
    "Capacity",
    (
        Panel(
            "CPU, cores", "none",
            ((_rate("process_cpu_seconds_total", "instance", _OURS), "{{instance}}"),),
        ),
        Panel(
            "Memory", "bytes", ((f"process_resident_memory_bytes{{{_OURS}}}", "{{instance}}"),)
        ),
        Panel(
            "Unary RPCs in flight", "short",
            (
                ("harken_rpc_in_flight", "{{instance}}"),
                ("harken_rpc_work_limit", "may work at once, {{instance}}"),
                ("harken_rpc_waiters", "wait for a position, {{instance}}"),
            ),
        ),
        Panel("Wait for a turn", "s", (("harken_rpc_queue_seconds", "{{instance}}"),)),
        Panel(
            "Items and users held", "short",
            (
                ("harken_ranker_items", "items {{tenant}} {{instance}}"),
                ("harken_ranker_cached_users", "users {{tenant}} {{instance}}"),
            ),
        ),
        Panel(
            "User states found", "percentunit",
            (("1 - harken:user_lookups_missed:ratio5m", "hits"),),
        ),
        Panel(
            "CPU-bound part of a slate", "s",
            (
                (_quantile(0.5, "harken_ranker_make_seconds", "job"), "median"),
                (_quantile(0.99, "harken_ranker_make_seconds", "job"), "99th percentile"),
            ),
        ),
        Panel(
            "Inserts into the log", "s",
            (
                (_quantile(0.5, "harken_flush_seconds", "job"), "median"),
                (_quantile(0.99, "harken_flush_seconds", "job"), "99th percentile"),
            ),
        ),
        Panel(
            "Waiting for the log", "short",
            (
                ("harken_flush_waiting", "events {{instance}}"),
                (_rate("harken_flush_failures_total", "instance"), "failures/s {{instance}}"),
            ),
        ),
        Panel(
            "Connections to PostgreSQL", "short",
            (
                ("harken_database_connections_busy", "busy {{instance}} {{pool}}"),
                ("harken_database_connections_max", "most {{instance}} {{pool}}"),
            ),
        ),
        Panel(
            "Transactions of profile, 99th percentile", "s",
            ((_quantile(0.99, "harken_profile_apply_seconds", "instance"), "{{instance}}"),),
        ),
        Panel(
            "Outbox of profile", "s",
            (("harken_profile_outbox_oldest_seconds", "oldest fact {{instance}}"),),
        ),
        Panel(
            "Releases", "short",
            (("count by (version, job) (harken_build_info)", "{{job}} {{version}}"),),
        ),
    ),
)  # fmt: skip

ROWS = (_LOOP, _RPC, _LEARNING, _CAPACITY)


def dashboard() -> dict[str, Any]:
    """Return the dashboard as Grafana imports it."""
    panels: list[dict[str, Any]] = []
    top = 0
    for row in ROWS:
        panels.append(_heading(len(panels) + 1, row.title, top))
        left, top = 0, top + 1
        for panel in row.panels:
            if left + panel.width > _WIDTH:
                left, top = 0, top + 8
            panels.append(_panel(len(panels) + 1, panel, left, top))
            left += panel.width
        top += 8
    return {
        "uid": "harken",
        "title": "Harken",
        "tags": ["harken"],
        "schemaVersion": 39,
        "version": 1,
        "editable": True,
        "graphTooltip": 1,
        "refresh": "30s",
        "time": {"from": "now-3h", "to": "now"},
        "timezone": "",
        "templating": {
            "list": [
                {"name": "datasource", "label": "Data source", "type": "datasource",
                 "query": "prometheus", "current": {}, "hide": 0},
            ]
        },
        "annotations": {
            "list": [
                {"name": "Alerts", "datasource": _DATASOURCE, "enable": True,
                 "iconColor": "red", "titleFormat": "{{alertname}}",
                 "expr": 'ALERTS{alertname=~"Harken.*",alertstate="firing"}'},
            ]
        },
        "panels": panels,
    }  # fmt: skip


def _heading(number: int, title: str, top: int) -> dict[str, Any]:
    place = {"h": 1, "w": _WIDTH, "x": 0, "y": top}
    return {"id": number, "type": "row", "title": title, "collapsed": False, "panels": [],
            "gridPos": place}  # fmt: skip


def _panel(number: int, panel: Panel, left: int, top: int) -> dict[str, Any]:
    return {
        "id": number,
        "type": panel.kind,
        "title": panel.title,
        "description": panel.about,
        "datasource": _DATASOURCE,
        "gridPos": {"h": 8, "w": panel.width, "x": left, "y": top},
        "fieldConfig": {
            "defaults": {"unit": panel.unit, "custom": {"fillOpacity": 5}},
            "overrides": [],
        },
        "options": {
            "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True},
            "tooltip": {"mode": "multi", "sort": "desc"},
        },
        "targets": [
            {"refId": chr(ord("A") + index), "datasource": _DATASOURCE, "expr": expression,
             "legendFormat": legend, "range": True}
            for index, (expression, legend) in enumerate(panel.queries)
        ],
    }  # fmt: skip


def text() -> str:
    """Return the content of dashboard.json."""
    return json.dumps(dashboard(), indent=1) + "\n"


if __name__ == "__main__":
    FILE.write_text(text())
