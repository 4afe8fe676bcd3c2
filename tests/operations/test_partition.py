"""A ranker host that loses the feed serves on, says so, and comes back (truths 6, 8 and 14).

`python -m tests.operations.partition` does the same for a minute.
"""

import subprocess
import sys

import pytest

from tests.operations.fleet import CHECKOUT
from tests.operations.hosts import why_not


def test_a_ranker_cut_off_from_the_feed_serves_stale_and_converges_when_healed() -> None:
    lacking = why_not()
    if lacking is not None:
        pytest.skip(lacking)
    arguments = ("--seconds", "8", "--silence", "3")
    done = subprocess.run(
        [sys.executable, "-m", "tests.operations.partition", *arguments],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    assert "both rankers: version" in done.stdout
