"""A short campaign finds nothing (truths 1 to 6, 8, 9), and the net catches what is wrong."""

import subprocess
import sys

import pytest

from tests.chaos.campaign import Campaign, run
from tests.chaos.failpoints import NAMES
from tests.chaos.plants import PLANTS

_SHORT = (
    "ack_before_commit", "frame_skipped_by_ranker", "entries_applied_twice", "entries_left_out",
    "entry_before_commit", "merged_backwards", "wrong_lane", "window_passed_by",
)  # fmt: skip


async def test_nothing_is_lost_doubled_or_passed_as_fresh() -> None:
    report = await run(Campaign(minutes=0.25, seed=11))
    assert report.kills
    assert report.acknowledged
    assert report.digests_compared
    assert report.entries_compared
    assert report.frames_merged
    assert report.steps_replayed
    assert not report.complaints, report.printed()


@pytest.mark.parametrize("plant", _SHORT)
async def test_a_planted_bug_is_caught(plant: str) -> None:
    assert plant in PLANTS
    report = await run(Campaign(minutes=0.5, plant=plant, faults=False))
    assert report.complaints, report.printed()


@pytest.mark.parametrize("module", ["services.feedback", "services.profile", "services.ranker"])
def test_every_failpoint_names_something_that_is_there(module: str) -> None:
    assert len(NAMES) >= 30
    command = f"from tests.chaos.failpoints import arm; arm('every:pause', {module!r})"
    done = subprocess.run([sys.executable, "-c", command], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
