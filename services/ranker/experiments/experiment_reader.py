"""Experiments as they are distributed -> as slates are made by them."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple
from weakref import WeakKeyDictionary

from google.protobuf.message import DecodeError

from harken.feedback.v1 import experiment_pb2 as pb
from services.common.experiments import assignment
from services.common.logs import logger
from services.feed.parameters import Document
from services.ranker.domain.experiment import (
    Experiment,
    OtherExploration,
    OtherSurface,
    Treatment,
)
from services.ranker.domain.tenant_replica import TenantReplica
from services.ranker.surfaces.surface_reader import exploration_of

_KIND = "experiment"
_log = logger("experiments")

_Parsed = tuple[pb.ExperimentConfig, Experiment]
"""A configuration, and what is made of it."""


class _Read(NamedTuple):
    """What was made of the documents of a replica. parsed: by name, with what it was made of; None:
    it does not run. acting: experiments by surface, in order of layer and name.
    """

    documents: Mapping[tuple[str, str], Document]
    parsed: Mapping[str, tuple[Document, _Parsed | None]]
    acting: Mapping[str, tuple[Experiment, ...]]


_NOTHING = _Read(MappingProxyType({}), MappingProxyType({}), MappingProxyType({}))


class ExperimentReader:
    """Reads each revision once; what cannot be read is as if it did not run, and is said.

    Feedback checks what is put, so that is a revision of a later release.
    """

    def __init__(self) -> None:
        self._read: WeakKeyDictionary[TenantReplica, _Read] = WeakKeyDictionary()

    def of(self, replica: TenantReplica, surface: str) -> tuple[Experiment, ...]:
        """Return the experiments that act on a surface of a tenant."""
        held = self._read.get(replica, _NOTHING)
        if held.documents is not replica.documents:
            held = self._read[replica] = _read(replica.documents, held)
        return held.acting.get(surface, ())


def _read(documents: Mapping[tuple[str, str], Document], before: _Read) -> _Read:
    parsed: dict[str, tuple[Document, _Parsed | None]] = {}
    for (kind, name), document in documents.items():
        if kind == _KIND:
            held = before.parsed.get(name)
            if held is None or held[0] is not document:
                held = document, _parsed_or_none(document)
            parsed[name] = held
    running = [own for _, own in parsed.values() if own is not None]
    running.sort(key=lambda own: (own[1].layer_name, own[1].name))
    acting: dict[str, tuple[Experiment, ...]] = {}
    for config, experiment in running:
        for surface in config.surfaces:
            acting[surface] = (*acting.get(surface, ()), experiment)
    return _Read(documents, parsed, acting)


def _parsed_or_none(document: Document) -> _Parsed | None:
    try:
        message = pb.Experiment.FromString(document.body)
        if message.state != pb.EXPERIMENT_STATE_RUNNING:
            return None
        return message.config, _experiment(message, document.revision)
    except (DecodeError, ValueError) as error:
        _log.error(
            "an experiment cannot be read, and is as if it did not run",
            experiment=document.name, revision=document.revision, reason=str(error),
        )  # fmt: skip
        return None


def _experiment(message: pb.Experiment, revision: int) -> Experiment:
    config = message.config
    variants = tuple(assignment.Variant(one.name, one.weight) for one in config.variants)
    # Salts of layers and of experiments never are the same: else variants would follow buckets.
    own = assignment.Experiment(
        message.name, f"experiment/{config.salt}", config.first_bucket, config.buckets,
        message.open_buckets, variants,
    )  # fmt: skip
    treatments = {one.name: _treatment(one) for one in config.variants}
    return Experiment(
        message.name,
        revision,
        config.layer,
        assignment.Layer(f"layer/{config.layer}", (own,)),
        {name: treatment for name, treatment in treatments.items() if treatment is not None},
    )


def _treatment(variant: pb.Variant) -> Treatment | None:
    match variant.WhichOneof("treatment"):
        case "surface":
            return OtherSurface(variant.surface)
        case "exploration":
            return OtherExploration(*exploration_of(variant.exploration))
        case _:
            return None
