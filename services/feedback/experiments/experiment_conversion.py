"""Experiments: to and from documents."""

from harken.feedback.v1 import experiment_pb2 as pb
from services.feedback.documents.stored_document import StoredDocument

_OF_THE_REVISION = ("note", "revision", "etag", "update_time")


def body_of(experiment: pb.Experiment) -> bytes:
    """Return what is stored and sent to rankers: all but what belongs to the revision. The same
    gives the same bytes; they are never empty.
    """
    body = pb.Experiment()
    body.CopyFrom(experiment)
    for field in _OF_THE_REVISION:
        body.ClearField(field)
    return body.SerializeToString(deterministic=True)


def experiment_of(document: StoredDocument) -> pb.Experiment:
    """Return a revision as clients see it; a deletion has no config."""
    experiment = pb.Experiment.FromString(document.body)
    experiment.name = document.name
    experiment.note = document.note
    experiment.revision = document.revision
    experiment.etag = document.etag
    experiment.update_time.FromDatetime(document.time)
    return experiment
