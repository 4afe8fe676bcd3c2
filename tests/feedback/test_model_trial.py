"""Trials of a generation's files: bounded, and ended with who asked for them (truth 13)."""

import asyncio
import os
from pathlib import Path

import numpy as np
import pytest

from harken.feedback.v1 import generation_pb2
from services.common.errors import OverloadedError
from services.common.onnx_model import TOWER
from services.feedback import model_trial
from services.feedback.domain.bootstrap_models import BUCKETS
from services.feedback.model_trial import trial_fault, vectors_trial_fault
from tests.feedback.generation_traps import DIMENSION, sound_files
from tests.waiting import until


def _children() -> set[str]:
    tasks = Path("/proc/self/task").iterdir()
    return {child for task in tasks for child in (task / "children").read_text("ascii").split()}


async def test_a_trial_ends_with_the_call_that_wanted_it() -> None:
    """Otherwise whoever gives up and comes again would have any number of them at once."""
    model = sound_files()[TOWER]
    before = _children()
    for _ in range(3):
        wanted = asyncio.ensure_future(trial_fault(TOWER, model, BUCKETS, DIMENSION))

        async def begun() -> bool:
            return bool(_children() - before)

        await until(begun, "the trial to begin")
        wanted.cancel()
        with pytest.raises(asyncio.CancelledError):
            await wanted
        assert _children() <= before
    # Given up before a thread was free for it: it never begins.
    wanted = asyncio.ensure_future(trial_fault(TOWER, model, BUCKETS, DIMENSION))
    wanted.cancel()
    with pytest.raises(asyncio.CancelledError):
        await wanted
    assert await trial_fault(TOWER, model, BUCKETS, DIMENSION) is None


async def test_a_machine_too_busy_is_no_fault_of_the_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_trial, "_SECONDS", 0.01)
    before = _children()
    with pytest.raises(OverloadedError):
        await trial_fault(TOWER, sound_files()[TOWER], BUCKETS, DIMENSION)
    assert _children() <= before


async def test_vectors_are_checked_outside_of_this_process() -> None:
    """20 MB of empty ids would take 400 MiB."""
    peak = _peak_mib()
    fault = await vectors_trial_fault(b"\x0a\x00" * 10_000_000, 4, 3.0)
    assert fault is not None
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
    status = Path(f"/proc/{os.getpid()}/status").read_text("ascii")
    return int(status.split("VmHWM:")[1].split()[0]) // 1024
