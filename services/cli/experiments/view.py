"""Experiments for people: tables."""

from collections.abc import Iterable

from google.protobuf.timestamp_pb2 import Timestamp
from rich.box import SIMPLE_HEAD
from rich.table import Table

from harken.feedback.v1 import experiment_pb2 as pb
from services.cli.item_view import plain_text


def experiment_table(experiments: Iterable[pb.Experiment]) -> Table:
    """Return experiments as a table, one a row."""
    table = Table(
        "experiment", "state", "layer", "buckets", "open", "surfaces", "variants", "started",
        box=SIMPLE_HEAD,
    )  # fmt: skip
    for one in experiments:
        config = one.config
        last = config.first_bucket + config.buckets - 1
        table.add_row(
            one.name, state_of(one), config.layer, f"{config.first_bucket:,}-{last:,}",
            f"{one.open_buckets / max(config.buckets, 1):.0%}", ", ".join(config.surfaces),
            _variants(config), _when(one.start_time) if one.HasField("start_time") else "",
        )  # fmt: skip
    return table


def revision_table(revisions: Iterable[pb.Experiment]) -> Table:
    """Return revisions of one experiment as a table, one a row."""
    table = Table("revision", "put", "state", "open", "note", box=SIMPLE_HEAD)
    for one in revisions:
        there = one.HasField("config")
        table.add_row(
            f"{one.revision:,}", _when(one.update_time), state_of(one) if there else "deleted",
            f"{one.open_buckets:,}" if there else "", plain_text(one.note),
        )  # fmt: skip
    return table


def state_of(experiment: pb.Experiment) -> str:
    """Return the state in words."""
    state = pb.ExperimentState.Name(experiment.state)
    word = state.removeprefix("EXPERIMENT_STATE_").lower()
    return f"{word}: {experiment.winner}" if experiment.winner else word


def _variants(config: pb.ExperimentConfig) -> str:
    whole = sum(variant.weight for variant in config.variants)
    return ", ".join(f"{one.name} {one.weight / whole:.0%}" for one in config.variants)


def _when(time: Timestamp) -> str:
    return time.ToDatetime().strftime("%Y-%m-%d %H:%M:%S")
