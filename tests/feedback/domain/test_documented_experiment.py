"""The experiment that docs/experiments.md shows is one that is taken."""

import json
import re
from pathlib import Path

from google.protobuf import json_format

from harken.feedback.v1 import experiment_pb2
from services.common.validation import Checks
from services.feedback.experiments.experiment_checks import check_config

PAGE = Path(__file__).parents[3] / "docs/experiments.md"


def test_the_page_shows_a_configuration_that_is_right() -> None:
    [shown] = re.findall(r"^```json\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    config = experiment_pb2.ExperimentConfig()
    json_format.ParseDict(json.loads(shown), config)
    checks = Checks()
    check_config(checks, "config", config)
    checks.done()
    assert len(config.variants) == 3
