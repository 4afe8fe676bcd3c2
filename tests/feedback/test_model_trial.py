"""Trials of models end with whoever asked for them, and know none of our secrets (truth 13)."""

import asyncio
import os
from pathlib import Path

import numpy as np
import pytest

from harken.feedback.v1 import generation_pb2
from services.common.errors import OverloadedError
from services.common.onnx_model import TOWER
from services.feedback.generations import model_trial
from services.feedback.generations.domain.bootstrap_models import BUCKETS
from services.feedback.generations.model_trial import trial_fault, vectors_trial_fault
from tests.feedback.generation_traps import DIMENSION, TRAPS, sound_files
from tests.waiting import until


def _trials() -> list[Path]:
    """Return the folders in /proc of trials that this process began."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            line = (folder / "cmdline").read_bytes()
            parent = (folder / "stat").read_text().rpartition(")")[2].split()[1]
        except OSError:
            continue
        if b"model_trial_process" in line and int(parent) == os.getpid():
            found.append(folder)
    return found


async def test_a_trial_that_nobody_waits_for_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARKEN_FEEDBACK_DSN", "postgresql://u:secret@h/d")
    (slow,) = (trap.tower for trap in TRAPS if trap.name == "runs too long")
    assert slow is not None
    trial = asyncio.create_task(trial_fault(TOWER, slow, BUCKETS, DIMENSION))
    await until(_trials, "the trial to begin")
    (folder,) = _trials()
    assert b"secret" not in (folder / "environ").read_bytes()
    trial.cancel()
    await asyncio.gather(trial, return_exceptions=True)
    assert trial.cancelled()
    await until(lambda: not _trials(), "the trial to end", 2)


async def test_a_sound_model_has_no_fault() -> None:
    assert await trial_fault(TOWER, sound_files()[TOWER], BUCKETS, DIMENSION) is None
    assert _trials() == []


async def test_a_machine_too_busy_is_no_fault_of_the_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_trial, "_SECONDS", 0.01)
    with pytest.raises(OverloadedError):
        await trial_fault(TOWER, sound_files()[TOWER], BUCKETS, DIMENSION)
    assert _trials() == []


async def test_vectors_are_checked_outside_of_this_process() -> None:
    """20 MB of empty ids would take 400 MiB."""
    peak = _peak_mib()
    assert await vectors_trial_fault(b"\x0a\x00" * 10_000_000, 4, 3.0) is not None
    assert _peak_mib() - peak < 100
    sound = generation_pb2.ItemVectorFile(
        item_ids=["a", "b"], vectors=np.ones((2, 4), "<f4").tobytes()
    )
    assert await vectors_trial_fault(sound.SerializeToString(), 4, 3.0) is None
    assert await vectors_trial_fault(sound.SerializeToString(), 4, 1.0) == (
        "has a norm or bias of 2, above 1"
    )
    assert "is no ItemVectorFile" in str(await vectors_trial_fault(b"\xff", 4, 3.0))


def _peak_mib() -> int:
    status = Path("/proc/self/status").read_text("ascii")
    return int(status.split("VmHWM:")[1].split()[0]) // 1024
