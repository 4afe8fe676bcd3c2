"""What the log of a running Harken says of an experiment: exposures, and what came of them."""

import time

from harken.feedback.v1 import experiment_pb2 as pb
from services.cli.endpoints import Endpoints
from services.cli.failures import CommandError
from services.cli.progress_bar import progress_count
from services.common.experiments.assignment import Variant
from services.common.timestamps import micros_of
from services.dataset.log_export import LogExportError, exported_pages, exported_slates
from services.evaluation.experiments.design import Design, Kind, Metric
from services.evaluation.experiments.exposures import Exposures
from services.evaluation.experiments.guardrail import Guardrail
from services.evaluation.experiments.outcomes import Outcomes
from services.evaluation.experiments.report import Report, report

_KINDS = {
    pb.Metric.KIND_UNSPECIFIED: Kind.COUNT,
    pb.Metric.KIND_COUNT: Kind.COUNT,
    pb.Metric.KIND_SUM: Kind.SUM,
    pb.Metric.KIND_ANY: Kind.ANY,
}


def design_of(config: pb.ExperimentConfig) -> Design:
    """Return what an experiment compares."""
    return Design(
        tuple(Variant(one.name, one.weight) for one in config.variants),
        _metric(config.primary),
        tuple(
            (_metric(one.metric), Guardrail(one.margin, not one.less_is_better))
            for one in config.guardrails
        ),
        config.window.ToMicroseconds(),
        float(config.planned_users),
        config.alpha,
    )


def read_report(endpoints: Endpoints, tenant: str, experiment: pb.Experiment) -> Report:
    """Return the report of an experiment that was started.

    endpoints: where the feedback service is. Memory: about 200 bytes a user and 16 a metric.

    Raises:
        CommandError: the log cannot be read.

    """
    design = design_of(experiment.config)
    try:
        until_us = watched_until(experiment, int(time.time() * 1e6))
        exposures = _exposures(endpoints, tenant, experiment, design)
        return report(design, exposures, _outcomes(endpoints, tenant, exposures, design), until_us)
    except LogExportError as error:
        raise CommandError(str(error)) from None


def watched_until(experiment: pb.Experiment, now_us: int) -> int:
    """Return until when users are watched: what they do after the stop is not under it any more."""
    if not experiment.HasField("stop_time"):
        return now_us
    return min(now_us, micros_of(experiment.stop_time))


def _metric(metric: pb.Metric) -> Metric:
    return Metric(metric.name, frozenset(metric.event_types), _KINDS[metric.kind])


def _exposures(
    endpoints: Endpoints, tenant: str, experiment: pb.Experiment, design: Design
) -> Exposures:
    found = Exposures([variant.name for variant in design.variants])
    slates = 0
    with progress_count("slates read") as progress:
        for page in exported_slates(
            endpoints.feedback, tenant, None, experiment.start_position, endpoints.identity,
            outcomes=False,
        ):  # fmt: skip
            for slate in page.slates:
                for one in slate.exposures:
                    if one.experiment == experiment.name:
                        found.take(
                            slate.subject.user_id,
                            one.variant,
                            micros_of(slate.serve_time),
                            one.not_served,
                        )
            slates += len(page.slates)
            progress(slates)
    return found


def _outcomes(endpoints: Endpoints, tenant: str, exposures: Exposures, design: Design) -> Outcomes:
    found = Outcomes(exposures, design.metrics, design.window_us)
    events = 0
    with progress_count("events read") as progress:
        for page in exported_pages(endpoints.feedback, tenant, identity=endpoints.identity):
            for event in page.events:
                if event.subject.HasField("user_id"):
                    value = event.value if event.HasField("value") else None
                    found.take(
                        event.subject.user_id, event.type, value, micros_of(event.event_time)
                    )
            events += len(page.events)
            progress(events)
    return found
