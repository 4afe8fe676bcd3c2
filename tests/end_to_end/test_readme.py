"""The README's client really runs."""

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.conftest import StartSuite

README = Path(__file__).parents[2] / "README.md"
ROOT = README.parent


def test_the_client_of_the_readme_prints_what_it_says(suite: StartSuite) -> None:
    running = suite()
    (code,) = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    environment = {
        **os.environ,
        "HARKEN_FEEDBACK_TARGET": running.endpoints.feedback,
        "HARKEN_RANKER_TARGET": running.endpoints.rankers[0],
        "PYTHONPATH": str(ROOT / "protos" / "gen"),
    }
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=environment, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    names = [line.split()[0] for line in done.stdout.splitlines()]
    assert names == ["solaris", "amelie"]
    assert "`solaris` before `amelie`" in README.read_text()
