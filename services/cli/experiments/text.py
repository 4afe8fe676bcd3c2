"""Experiments as JSON, as files hold them: names of fields are those of experiment.proto."""

import json
from typing import Any, NamedTuple

from google.protobuf.json_format import MessageToDict

from harken.feedback.v1 import experiment_pb2
from services.cli.document_file import read_document


class ExperimentFile(NamedTuple):
    """What a file holds. path: the field of a request that the file is, for messages."""

    experiment: experiment_pb2.Experiment
    path: str


def read_experiment(file: str, name: str | None) -> ExperimentFile:
    """Return the experiment that a file holds: all of it, as `harken experiment get` prints it, or
    its configuration alone. Arguments and faults as read_document.
    """
    experiment = experiment_pb2.Experiment()
    whole = read_document(file, name, experiment)
    return ExperimentFile(experiment, "experiment" if whole else "experiment.config")


def experiment_text(experiment: experiment_pb2.Experiment) -> str:
    """Return all of an experiment, as `read_experiment` reads it."""
    return json.dumps(_whole(experiment), indent=2, ensure_ascii=False)


def experiment_line(experiment: experiment_pb2.Experiment) -> str:
    """Return all of an experiment as one line."""
    return json.dumps(_whole(experiment), ensure_ascii=False)


def _whole(experiment: experiment_pb2.Experiment) -> dict[str, Any]:
    found: dict[str, Any] = MessageToDict(experiment, preserving_proto_field_name=True)
    first = ("name", "state", "config")
    return {name: found[name] for name in first if name in found} | found
