"""What an experiment must not have because another one has it.

Others are drafts and experiments that run, whatever is done with them; salts are for good.
"""

from collections.abc import Iterable, Iterator, Sequence

from harken.feedback.v1 import experiment_pb2 as pb
from services.common.validation import Checks
from services.feedback.experiments.free_buckets import Buckets, first_free, gaps

OWNING = (pb.EXPERIMENT_STATE_DRAFT, pb.EXPERIMENT_STATE_RUNNING)
"""States of experiments that own their buckets."""
MAX_LAYERS = 20
"""Of a surface, and so exposures of a slate: as many as are logged."""
_WORDS = {"surface": "configuration", "exploration": "policy"}


def buckets_of(config: pb.ExperimentConfig) -> Buckets:
    """Return what an experiment owns, once its first bucket is known."""
    return Buckets(config.first_bucket, config.buckets)


def place(
    checks: Checks, field: str, config: pb.ExperimentConfig, others: Sequence[pb.Experiment]
) -> None:
    """Give a configuration its first bucket where it names none, or note why it cannot have it.

    It was checked by itself. others: those that own buckets.
    """
    beside = [one for one in others if one.config.layer == config.layer]
    taken = [buckets_of(one.config) for one in beside]
    if not config.HasField("first_bucket"):
        first = first_free(taken, config.buckets)
        if first is None:
            longest = max((gap.size for gap in gaps(taken)), default=0)
            owners = ", ".join(one.name for one in beside)
            checks.fail(
                f"{field}.buckets",
                f"layer {config.layer!r} has at most {longest:,} free buckets in a row; it is"
                f" shared by {owners}",
            )
            return
        config.first_bucket = first
    own = buckets_of(config)
    for one in beside:
        other = buckets_of(one.config)
        if own.overlaps(other):
            last = other.first + other.size - 1
            checks.fail(
                f"{field}.first_bucket",
                f"experiment {one.name!r} owns buckets {other.first:,} to {last:,} of layer"
                f" {config.layer!r}",
            )


def check_conflicts(
    checks: Checks,
    field: str,
    config: pb.ExperimentConfig,
    others: Sequence[pb.Experiment],
    all_others: Iterable[pb.Experiment],
) -> None:
    """Note what another experiment has already. others: those that own buckets."""
    place(checks, field, config, others)
    for one in all_others:
        if one.config.salt == config.salt:
            checks.fail(f"{field}.salt", f"experiment {one.name!r} has the same")
    surfaces = set(config.surfaces)
    for index, name in enumerate(config.surfaces):
        acting = {one.config.layer for one in others if name in one.config.surfaces}
        if len(acting - {config.layer}) >= MAX_LAYERS:
            what = f"experiments of {MAX_LAYERS} other layers act on it already"
            checks.fail(f"{field}.surfaces[{index}]", what)
    for one in others:
        shared = surfaces.intersection(one.config.surfaces)
        if one.config.layer == config.layer or not shared:
            continue
        for kind in treated(config) & treated(one.config):
            checks.fail(
                f"{field}.layer",
                f"experiment {one.name!r} of layer {one.config.layer!r} replaces the"
                f" {_WORDS[kind]} of surface {min(shared)!r}, too: they belong into one layer",
            )


def treated(config: pb.ExperimentConfig) -> set[str]:
    """Return what variants replace: "surface", "exploration"."""
    kinds = (variant.WhichOneof("treatment") for variant in config.variants)
    return {kind for kind in kinds if kind is not None}


def surfaces_named(config: pb.ExperimentConfig) -> Iterator[tuple[int, str]]:
    """Yield which variants name a surface, and which."""
    for index, variant in enumerate(config.variants):
        if variant.WhichOneof("treatment") == "surface":
            yield index, variant.surface
