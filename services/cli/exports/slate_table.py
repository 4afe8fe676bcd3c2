"""Slates as rows: what was shown, how it was decided, and what came of it."""

import base64
import math
from collections.abc import Sequence
from typing import Any

from harken.feedback.v1 import exported_slate_pb2 as pb
from services.cli.exports.table_writer import Column, Kind, Row
from services.common.timestamps import micros_of

COLUMNS = (
    Column("slate_id"), Column("user"), Column("session"), Column("surface"), Column("policy"),
    Column("generation"), Column("surface_revision"), Column("seed"),
    Column("timestamp", Kind.TIME), Column("items", Kind.TEXTS), Column("propensities", Kind.JSON),
    Column("predicted", Kind.JSON), Column("exploration", Kind.JSON),
    Column("candidates", Kind.JSON), Column("exposures", Kind.JSON),
    Column("outcomes", Kind.JSON), Column("window_over", Kind.TRUTH),
    Column("window_seconds", Kind.NUMBER),
)  # fmt: skip


def slate_row(slate: pb.ExportedSlate, window_seconds: float) -> Row:
    """Return the row of a slate. window_seconds: how long events count for it.

    propensities: of each item. predicted: of each outcome a list of probabilities, one an item.
    exploration: the policy, by name ("greedy" where chance had no part), and its settings.
    candidates: null where chance had no part, else items, utilities (null: none), predicted as
    above, `barred`, of each place the bits of those that could not stand there, and `drawn`, of
    each draw the float16 that utilities were drawn above, in base64.
    outcomes: item, place from 1, type, value or null, seconds since the slate was served.
    """
    decided = slate.HasField("decision")
    decision = slate.decision
    names = slate.outcome_names
    return (
        slate.slate_id,
        slate.subject.user_id or None,
        slate.subject.session_id or None,
        slate.surface or None,
        slate.policy or None,
        slate.generation_id,
        # As text, both: seeds have 64 bits, which not every reader has an integer for.
        str(decision.surface_revision) if decided else None,
        str(slate.seed),
        micros_of(slate.serve_time),
        [item.item_id for item in slate.items],
        [item.propensity for item in slate.items],
        _predicted(names, [item.predicted for item in slate.items]),
        _exploration(slate),
        _candidates(decision, names) if decided else None,
        [
            {
                "experiment": one.experiment,
                "variant": one.variant,
                "revision": one.revision,
                "layer": one.layer,
                "not_served": one.not_served,
            }
            for one in slate.exposures
        ],
        [
            {
                "item": one.item_id,
                "place": one.place,
                "type": one.type,
                "value": one.value if one.HasField("value") else None,
                "seconds": one.delay.seconds + one.delay.nanos / 1e9,
            }
            for one in slate.outcomes
        ],
        slate.window_over,
        window_seconds,
    )


def _exploration(slate: pb.ExportedSlate) -> dict[str, Any]:
    exploration = slate.decision.exploration
    kind = exploration.WhichOneof("policy")
    found: dict[str, Any] = {"policy": kind or "greedy"}
    if kind is not None:
        found[kind] = getattr(exploration, kind)
    if exploration.new_item_share:
        found["new_item_share"] = exploration.new_item_share
        found["new_item_events"] = exploration.new_item_events
    return found


def _candidates(decision: pb.ExportedDecision, names: Sequence[str]) -> dict[str, Any]:
    count = len(decision.candidate_ids)
    width = len(decision.predicted) // count
    rows = [decision.predicted[at : at + width] for at in range(0, width * count, width or 1)]
    return {
        "items": list(decision.candidate_ids),
        "utilities": _numbers(decision.utilities),
        "predicted": _predicted(names, rows),
        "barred": [base64.b64encode(bits).decode() for bits in decision.barred],
        "lowered": [base64.b64encode(taken).decode() for taken in decision.lowered],
        "lowered_unit": decision.lowered_unit,
        "new_items": base64.b64encode(decision.new_items).decode(),
        "drawn": [base64.b64encode(draw).decode() for draw in decision.drawn],
    }


def _predicted(names: Sequence[str], rows: Sequence[Sequence[float]]) -> dict[str, Any]:
    """Return a list of probabilities per outcome, named by its number when its name is unknown."""
    if not rows or not len(rows[0]):
        return {}
    width = len(rows[0])
    known = names if len(names) == width else [str(number) for number in range(width)]
    return {
        name: _numbers(column) for name, column in zip(known, zip(*rows, strict=True), strict=True)
    }


def _numbers(column: Sequence[float]) -> list[float | None]:
    """Return numbers as JSON has them, which has no NaN."""
    return [None if math.isnan(number) else number for number in column]
