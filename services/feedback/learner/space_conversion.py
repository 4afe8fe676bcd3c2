"""What steps change in the vectors of generations, to and from the wire."""

import math
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from harken.feedback.v1 import generation_pb2
from harken.internal.feed.v1 import frame_pb2 as pb
from services.feed import parameters_codec as codec
from services.feed.columns import to_bytes, to_ints, to_rows
from services.feedback.learner.model.changes import BaseChanges, ReferenceRows, SpaceChanges
from services.feedback.learner.model.confidence_sequence import ConfidenceSequence
from services.feedback.learner.model.space_status import Role, SpaceStatus

_STATE_OF = MappingProxyType(
    {
        Role.STAGED: generation_pb2.GENERATION_STATE_STAGED,
        Role.ACTIVE: generation_pb2.GENERATION_STATE_ACTIVE,
        Role.STANDBY: generation_pb2.GENERATION_STATE_STANDBY,
    }
)
_ROLE_OF = MappingProxyType({state: role for role, state in _STATE_OF.items()})


def space_to_wire(space: SpaceChanges, active: str, wire: pb.TenantChanges) -> None:
    """Write one generation's changes into those of its tenant."""
    name = space.generation_id
    if space.vectors is not None:
        serves = name == active
        target = wire.item_vectors if serves else wire.other_item_vectors.add()
        codec.write_vectors(name, space.vectors, target)
    if space.factor is not None:
        codec.write_factor(name, space.factor, wire)
    private = pb.SpaceState(generation_id=name)
    if space.bases is not None:
        private.base_items.extend(space.bases.items.tolist())
        private.bases = to_bytes(space.bases.vectors, "<f4")
        private.base_trained.extend(space.bases.trained.tolist())
    if space.reference is not None:
        private.reference_items.extend(space.reference.items.tolist())
        private.reference_vectors = to_bytes(space.reference.vectors, "<f4")
    for field in (
        "gramian", "factor_gramian", "reference_gramian", "reference_factor_gramian",
        "published_gramian",
    ):  # fmt: skip
        gramian = getattr(space, field)
        if gramian is not None:
            setattr(private, field, to_bytes(gramian, "<f8"))
    if space.status is not None:
        private.status.CopyFrom(status_to_wire(space.status))
    if len(private.ListFields()) > 1:
        wire.learner.spaces.append(private)


def status_to_wire(status: SpaceStatus) -> pb.SpaceStatus:
    """Return a status as a message."""
    return pb.SpaceStatus(
        state=_STATE_OF[status.role],
        now=status.now,
        placed=status.placed,
        to_place=status.to_place,
        since_us=status.since_us,
        reference_version=status.reference_version,
        rolling_back_since=status.rolling_back_since,
        rolled_back=status.rolled_back,
        rollbacks=status.rollbacks,
        validation=_evidence_to_wire(status.validation),
        guard=_evidence_to_wire(status.guard),
        fault=status.fault,
    )


def spaces_from_wire(wire: pb.TenantChanges) -> list[SpaceChanges]:
    """Return the changes of all generations, in the order of the learner."""
    found: dict[str, SpaceChanges] = {}
    for part in codec.all_vectors(wire):
        own = found.setdefault(part.generation_id, SpaceChanges(part.generation_id))
        own.vectors = codec.read_vectors(part)
    for news in wire.encoder_factors:
        own = found.setdefault(news.generation_id, SpaceChanges(news.generation_id))
        own.factor = codec.read_factor(news)
    for private in wire.learner.spaces:
        own = found.setdefault(private.generation_id, SpaceChanges(private.generation_id))
        if private.base_items:
            vectors = np.frombuffer(private.bases, "<f4")
            own.bases = BaseChanges(
                to_ints(private.base_items),
                to_rows(vectors, len(private.base_items)),
                np.array(private.base_trained, np.bool_),
            )
        if private.reference_items:
            vectors = np.frombuffer(private.reference_vectors, "<f4")
            own.reference = ReferenceRows(
                to_ints(private.reference_items),
                to_rows(vectors, len(private.reference_items)),
            )
        own.gramian = _square(private.gramian)
        own.factor_gramian = _square(private.factor_gramian)
        own.reference_gramian = _square(private.reference_gramian)
        own.reference_factor_gramian = _square(private.reference_factor_gramian)
        own.published_gramian = _square(private.published_gramian)
        if private.HasField("status"):
            own.status = _status_from_wire(private.status)
    return list(found.values())


def _status_from_wire(status: pb.SpaceStatus) -> SpaceStatus:
    return SpaceStatus(
        role=_ROLE_OF[status.state],
        now=status.now,
        placed=status.placed,
        to_place=status.to_place,
        since_us=status.since_us,
        reference_version=status.reference_version,
        rolling_back_since=status.rolling_back_since,
        rolled_back=status.rolled_back,
        rollbacks=status.rollbacks,
        validation=_evidence_from_wire(status.validation),
        guard=_evidence_from_wire(status.guard),
        fault=status.fault,
    )


def _evidence_to_wire(evidence: ConfidenceSequence) -> pb.ConfidenceSequence:
    return pb.ConfidenceSequence(
        count=evidence.count,
        total=evidence.total,
        spread=evidence.spread,
        weight=evidence.weight,
        weighted=evidence.weighted,
        variance=evidence.variance,
    )


def _evidence_from_wire(evidence: pb.ConfidenceSequence) -> ConfidenceSequence:
    return ConfidenceSequence(
        evidence.count,
        evidence.total,
        evidence.spread,
        evidence.weight,
        evidence.weighted,
        evidence.variance,
    )


def _square(content: bytes) -> npt.NDArray[np.float64] | None:
    if not content:
        return None
    values = np.frombuffer(content, "<f8")
    side = math.isqrt(values.size)
    return values.reshape(side, side)
