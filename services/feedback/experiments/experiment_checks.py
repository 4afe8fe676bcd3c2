"""Checks of what is asked of experiments. Limits are those that experiment.proto states."""

import math
from collections.abc import Collection, Sequence

from google.protobuf.duration_pb2 import Duration

from harken.feedback.v1 import experiment_pb2 as pb
from services.common.experiments.assignment import BUCKETS
from services.common.surfaces.config_checks import check_exploration
from services.common.validation import Checks
from services.feedback.documents.document_checks import check_known, check_note

_MAX_SURFACES = 20
_MAX_VARIANTS = 10
_MAX_WEIGHT = 10_000
_MAX_GUARDRAILS = 20
_MAX_TYPES = 20
_MAX_SALT_BYTES = 64
_MAX_WINDOW_SECONDS = 90 * 24 * 3600
_MIN_USERS, _MAX_USERS = 100, 1_000_000_000
_MIN_ALPHA, _MAX_ALPHA = 0.0001, 0.5


def check_experiment(checks: Checks, experiment: pb.Experiment) -> None:
    """Check an experiment to be put, by itself."""
    checks.name("experiment.name", experiment.name)
    check_note(checks, "experiment.note", experiment.note)
    if experiment.HasField("config"):
        check_config(checks, "experiment.config", experiment.config)
    else:
        checks.fail("experiment.config", "is required")


def check_config(checks: Checks, field: str, config: pb.ExperimentConfig) -> None:
    """Check all of a configuration, at `field` of a request; faults name fields within it."""
    check_known(checks, field, config)
    if config.layer:
        checks.name(f"{field}.layer", config.layer)
    checks.between(f"{field}.buckets", config.buckets, 1, BUCKETS)
    if config.HasField("first_bucket") and config.first_bucket + config.buckets > BUCKETS:
        checks.fail(f"{field}.first_bucket", f"ends beyond the last bucket, {BUCKETS - 1:,}")
    if config.salt:
        checks.id(f"{field}.salt", config.salt, _MAX_SALT_BYTES)
    _check_surfaces(checks, f"{field}.surfaces", config.surfaces)
    _check_variants(checks, f"{field}.variants", config)
    if config.HasField("primary"):
        _check_metric(checks, f"{field}.primary", config.primary)
    else:
        checks.fail(f"{field}.primary", "is required")
    _check_guardrails(checks, f"{field}.guardrails", config)
    _check_window(checks, f"{field}.window", config.window)
    checks.between(f"{field}.planned_users", config.planned_users, _MIN_USERS, _MAX_USERS)
    if config.alpha:
        checks.between(f"{field}.alpha", config.alpha, _MIN_ALPHA, _MAX_ALPHA)


def check_share(checks: Checks, share: float) -> None:
    """Check the share of buckets that is to be open."""
    if not 0 < share <= 1:
        checks.fail("share", f"must be above 0, at most 1, is {share:,}")


def _check_surfaces(checks: Checks, field: str, surfaces: Sequence[str]) -> None:
    if not checks.size(field, len(surfaces), 1, _MAX_SURFACES):
        return
    for index, name in enumerate(surfaces):
        checks.name(f"{field}[{index}]", name)
    _check_distinct(checks, field, surfaces, "")


def _check_variants(checks: Checks, field: str, config: pb.ExperimentConfig) -> None:
    variants = config.variants
    if not checks.size(field, len(variants), 2, _MAX_VARIANTS):
        return
    for index, variant in enumerate(variants):
        own = f"{field}[{index}]"
        checks.name(f"{own}.name", variant.name)
        checks.between(f"{own}.weight", variant.weight, 1, _MAX_WEIGHT)
        kind = variant.WhichOneof("treatment")
        if index == 0 and kind is not None:
            checks.fail(f"{own}.{kind}", "the first variant is the control, it has no treatment")
        elif kind == "surface":
            checks.name(f"{own}.surface", variant.surface)
            if variant.surface in config.surfaces:
                checks.fail(f"{own}.surface", "is a surface that the experiment acts on")
        elif kind == "exploration":
            check_exploration(checks, f"{own}.exploration", variant.exploration)
    _check_distinct(checks, field, [variant.name for variant in variants], ".name")


def _check_guardrails(checks: Checks, field: str, config: pb.ExperimentConfig) -> None:
    guardrails = config.guardrails
    if not checks.size(field, len(guardrails), 0, _MAX_GUARDRAILS):
        return
    for index, guardrail in enumerate(guardrails):
        own = f"{field}[{index}]"
        if guardrail.HasField("metric"):
            _check_metric(checks, f"{own}.metric", guardrail.metric)
        else:
            checks.fail(f"{own}.metric", "is required")
        if guardrail.metric.name and guardrail.metric.name == config.primary.name:
            checks.fail(f"{own}.metric.name", "is that of the primary metric")
        if not 0 <= guardrail.margin < math.inf:
            checks.fail(f"{own}.margin", f"must be finite and at least 0, is {guardrail.margin:,}")
    _check_distinct(checks, field, [one.metric.name for one in guardrails], ".metric.name")


def _check_metric(checks: Checks, field: str, metric: pb.Metric) -> None:
    checks.name(f"{field}.name", metric.name)
    if metric.kind not in pb.Metric.Kind.values():
        checks.fail(f"{field}.kind", "is not a kind")
    types = metric.event_types
    if not checks.size(f"{field}.event_types", len(types), 1, _MAX_TYPES):
        return
    for index, event_type in enumerate(types):
        checks.id(f"{field}.event_types[{index}]", event_type)
    _check_distinct(checks, f"{field}.event_types", types, "")


def _check_window(checks: Checks, field: str, window: Duration) -> None:
    sound = 0 <= window.nanos < 1_000_000_000
    if not (sound and 1 <= window.seconds + window.nanos / 1e9 <= _MAX_WINDOW_SECONDS):
        what = f"must be 1 s to 90 days, is {window.seconds} s and {window.nanos} ns"
        checks.fail(field, what)


def _check_distinct(checks: Checks, field: str, names: Collection[str], within: str) -> None:
    seen: set[str] = set()
    for index, name in enumerate(names):
        if name in seen:
            checks.fail(f"{field}[{index}]{within}", f"{name!r} is there already")
        seen.add(name)
