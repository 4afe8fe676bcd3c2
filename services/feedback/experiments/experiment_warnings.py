"""What of an experiment is most likely a typo. Nothing is refused for it."""

from collections.abc import Collection, Iterator

from harken.feedback.v1 import experiment_pb2 as pb
from services.feedback.documents.likely_typos import unknown_name


def experiment_warnings(
    field: str, config: pb.ExperimentConfig, event_types: Collection[str]
) -> list[str]:
    """Return types of events in metrics that are none of `event_types`, those that are configured:
    no such event is ever taken.
    """
    return [
        unknown_name(f"{field}.{metric_field}.event_types[{index}]", "event type", name,
                     event_types)
        for metric_field, metric in _metrics(config)
        for index, name in enumerate(metric.event_types)
        if name not in event_types
    ]  # fmt: skip


def _metrics(config: pb.ExperimentConfig) -> Iterator[tuple[str, pb.Metric]]:
    yield "primary", config.primary
    for index, guardrail in enumerate(config.guardrails):
        yield f"guardrails[{index}].metric", guardrail.metric
