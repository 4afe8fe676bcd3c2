"""Faults of JSON that is to be a message: all at once, by the names of the protos."""

import json
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import json_format
from google.protobuf.message import Message

from harken.feedback.v1 import experiment_pb2, surface_pb2
from services.cli.document_file import read_document
from services.cli.document_shape import shaped
from services.cli.failures import CommandError

SURFACE: dict[str, Any] = {
    "outcome_weights": {"click": 1, "hide": -2.5},
    "gates": [{"name": "dear", "keep": "item.numbers.price > 1.0"}],
    "seen": {"purchase": "30d"},
    "rules": [
        {"name": "hero", "pin": {"item_id": "i", "slot": 2}},
        {"name": "some", "atLeast": {"items": "true", "count": "3"}},
    ],
    "diversity": {"strength": 0.4, "method": "MMR"},
    "exploration": {"plackettLuceTemperature": 0.5, "new_item_share": None},
}
EXPERIMENT: dict[str, Any] = {
    "layer": "looks",
    "variants": [{"name": "control", "weight": 1}, {"name": "calm", "surface": "home-calm"}],
    "primary": {"name": "clicks", "event_types": ["click"], "kind": "ANY"},
    "guardrails": [{"metric": {"name": "spent", "kind": "KIND_SUM"}, "margin": "0.01"}],
    "window": "604800.5s",
    "planned_users": "18446744073709551615",
}


def faults_of(config: Any, message: Message) -> list[str]:
    faults: list[str] = []
    shaped(config, message.DESCRIPTOR, faults)
    return faults


def test_what_is_right_is_read_with_enum_values_by_either_name() -> None:
    for config, message in ((SURFACE, surface_pb2.SurfaceConfig()),
                            (EXPERIMENT, experiment_pb2.ExperimentConfig())):  # fmt: skip
        faults: list[str] = []
        found = shaped(config, message.DESCRIPTOR, faults)
        assert faults == []
        json_format.ParseDict(found, message)
        # What is printed is taken, and is the same.
        printed = json_format.MessageToDict(message, preserving_proto_field_name=True)
        assert shaped(printed, message.DESCRIPTOR, faults) == printed
        assert faults == []
    surface = json_format.ParseDict(
        shaped(SURFACE, surface_pb2.SurfaceConfig.DESCRIPTOR, []), surface_pb2.SurfaceConfig()
    )
    assert surface.diversity.method == surface_pb2.Diversity.METHOD_MMR


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"rules": {}, "ruls": []}, [
            "rules: must be a list, in []",
            "ruls: no such field; there are: outcome_weights, gates, seen, not_in_last_slates, "
            "sources, rules, diversity, exploration",
        ]),
        ({"rules": [{"pin": {"slots": 2}, "cap": {}}, 3]}, [
            "rules[0].pin.slots: no such field; there are: item_id, items, slot",
            "rules[0]: has pin and cap; only one may be given",
            "rules[1]: must be an object, in {}",
        ]),
        ({"diversity": {"method": "best", "strength": "much"}}, [
            "diversity.method: must be one of METHOD_DPP, METHOD_MMR",
            "diversity.strength: must be a number",
        ]),
        ({"outcome_weights": [1], "seen": {"play": 3}}, [
            "outcome_weights: must be an object, in {}", "seen[play]: must be text",
        ]),
        ({"rules": [{"pin": {"slot": 1.5}}]}, [
            "rules[0].pin.slot: must be a whole number from 0 to 4,294,967,295",
        ]),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_surface_is_said_all_at_once(config: Any, said: list[str]) -> None:
    assert faults_of(config, surface_pb2.SurfaceConfig()) == said
    with pytest.raises(json_format.ParseError):
        json_format.ParseDict(config, surface_pb2.SurfaceConfig())


def test_what_the_parser_takes_and_cannot_be_meant_is_refused() -> None:
    message = surface_pb2.SurfaceConfig()
    assert faults_of([], message) == ["all of it: must be an object, in {}"]
    twice = {"not_in_last_slates": 1, "notInLastSlates": 2}
    assert faults_of(twice, message) == ["notInLastSlates: is there twice"]


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"window": "7d"}, 'window: must be seconds as text, as in "604800s" for 7 days'),
        ({"window": 7}, 'window: must be seconds as text, as in "604800s" for 7 days'),
        ({"primary": {"kind": "MEAN"}},
         "primary.kind: must be one of KIND_COUNT, KIND_SUM, KIND_ANY"),
        ({"guardrails": [{"less_is_better": "yes"}]},
         "guardrails[0].less_is_better: must be true or false"),
        ({"planned_users": str(2**64)},
         "planned_users: must be a whole number from 0 to 18,446,744,073,709,551,615"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_an_experiment_is_said(
    tmp_path: Path, config: dict[str, Any], said: str
) -> None:
    assert faults_of(config, experiment_pb2.ExperimentConfig()) == [said]
    file = tmp_path / "calm.json"
    file.write_text(json.dumps({"config": config}))
    with pytest.raises(CommandError) as refused:
        read_document(str(file), None, experiment_pb2.Experiment())
    assert str(refused.value) == f"{file}:\n  config.{said}"
