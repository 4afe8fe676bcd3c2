"""Tries the files of a generation in a process of its own: whatever they do there, this process
serves on.
"""

import asyncio
import json
import os
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from typing import Any

from services.common.errors import OverloadedError
from services.common.logs import logger
from services.common.onnx_model import ITEM_VECTORS

_MEMORY_BYTES = 384 * 1024 * 1024
_MEMORY_PER_BYTE = 4
"""A model is read, parsed, and made ready: so many copies of it."""
_CPU_SECONDS = 20
_SECONDS = 120.0
"""What the trial has not taken by then others took: it gives way to all that serves."""
_RETRY_SECONDS = 30.0
_log = logger("models")


async def trial_fault(
    file: str,
    model: bytes,
    columns_in: int,
    columns_out: int,
    contents: Sequence[Mapping[str, float]] = (),
) -> str | None:
    """Return what `model_fault` says, or that the model exceeded a limit of memory or time.

    Raises:
        OverloadedError: the machine is too busy to try it.

    """
    job = {"columns_in": columns_in, "columns_out": columns_out, "contents": list(contents)}
    return await _verdict(file, job, model)


async def vectors_trial_fault(content: bytes, dimension: int, max_norm: float) -> str | None:
    """Return what is wrong with a serialised ItemVectorFile, as `trial_fault` does for models.

    Two bytes of it may be an element that takes a hundred in memory.
    """
    return await _verdict(ITEM_VECTORS, {"dimension": dimension, "max_norm": max_norm}, content)


async def _verdict(file: str, job: Mapping[str, Any], content: bytes) -> str | None:
    limits = {
        "file": file,
        "cpu_seconds": _CPU_SECONDS,
        "memory_bytes": _MEMORY_BYTES + _MEMORY_PER_BYTE * len(content),
    }
    trial = _Trial(json.dumps({**job, **limits}).encode() + b"\n" + content)
    # In a thread, not by the event loop: that gives up on a process that ends before it read.
    running = asyncio.ensure_future(asyncio.to_thread(trial.run))
    try:
        process = await asyncio.shield(running)
    except asyncio.CancelledError:
        # Whoever gave up may come again at once: nothing of the trial may go on unseen.
        trial.end()
        await asyncio.wait([running])
        raise
    except subprocess.TimeoutExpired as error:
        message = f"a file was not tried within {_SECONDS:.0f} s"
        raise OverloadedError(message, _RETRY_SECONDS) from error
    if process.returncode == 0:
        verdict: str | None = json.loads(process.stdout)["fault"]
        return verdict
    _log.warning(
        "a model ended its trial", kind=file, code=process.returncode,
        error=process.stderr.decode(errors="replace")[-500:],
    )  # fmt: skip
    return "ended its trial: it needs too much memory or time"


class _Trial:
    """A process that tries a file. One thread runs it, another one may end it."""

    def __init__(self, job: bytes) -> None:
        self._job = job
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._ended = False

    def run(self) -> subprocess.CompletedProcess[bytes]:
        """Return how it ended.

        Raises:
            subprocess.TimeoutExpired: it took too long, and is gone.

        """
        with self._lock:
            if self._ended:
                return subprocess.CompletedProcess((), -1, b"", b"")
            self._process = _started()
        with self._process as process:
            try:
                out, err = process.communicate(self._job, timeout=_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
            return subprocess.CompletedProcess((), process.returncode, out, err)

    def end(self) -> None:
        """End it, now or before it begins."""
        with self._lock:
            self._ended = True
            if self._process is not None:
                self._process.kill()


def _started() -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, "-m", "services.feedback.model_trial_process"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
            "OPENBLAS_NUM_THREADS": "1",
            "OMP_NUM_THREADS": "1",
        },
    )
