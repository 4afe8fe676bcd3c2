"""Which parts of a frame a subscriber gets."""

from collections.abc import Sequence

from harken.internal.feed.v1 import frame_pb2
from services.feed.parameters_codec import COLUMNS


def _columns(section: frame_pb2.Section) -> tuple[str, ...]:
    return tuple(name for name, one in COLUMNS.items() if one.wanted_by == section)


_FIELDS_OF_SECTION = {
    frame_pb2.SECTION_CATALOGUE: ("catalogue", "documents"),
    frame_pb2.SECTION_GENERATIONS: (
        "activated", "staged", "retired_generation_ids", "vector_rollback",
    ),
    frame_pb2.SECTION_ITEM_VECTORS: ("item_vectors", "other_item_vectors", "encoder_factors"),
    frame_pb2.SECTION_RULES: _columns(frame_pb2.SECTION_RULES),
    frame_pb2.SECTION_POPULARITY: _columns(frame_pb2.SECTION_POPULARITY),
    frame_pb2.SECTION_USERS: ("users",),
    frame_pb2.SECTION_HEAD: ("head", "order_posterior"),
}  # fmt: skip


def wanted_sections(sections: Sequence[frame_pb2.Section]) -> frozenset[frame_pb2.Section]:
    """Return the sections asked for; all when none is named."""
    return frozenset(sections) or frozenset(_FIELDS_OF_SECTION)


def without_unwanted(
    frame: frame_pb2.Frame, wanted: frozenset[frame_pb2.Section]
) -> frame_pb2.Frame:
    """Return a frame with the wanted sections only; never the learner's own."""
    if len(wanted) == len(_FIELDS_OF_SECTION) and not any(
        changes.HasField("learner") for changes in frame.tenants
    ):
        return frame
    kept = frame_pb2.Frame(
        shard=frame.shard,
        epoch=frame.epoch,
        after_version=frame.after_version,
        version=frame.version,
        through_sequence=frame.through_sequence,
        accepted_at_us=frame.accepted_at_us,
    )
    fields = {field for section in wanted for field in _FIELDS_OF_SECTION.get(section, ())}
    for changes in frame.tenants:
        present = [(field, value) for field, value in changes.ListFields() if field.name in fields]
        if present:
            own = kept.tenants.add(tenant=changes.tenant, item_ids=changes.item_ids)
            for field, value in present:
                getattr(own, field.name).MergeFrom(value)
    return kept
