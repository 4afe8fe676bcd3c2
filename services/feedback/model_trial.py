"""Tries a model in a process of its own: whatever it does there, this process serves on."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence

from services.common.logs import logger

_MEMORY_BYTES = 384 * 1024 * 1024
_MEMORY_PER_BYTE = 4
"""A model is read, parsed, and made ready: so many copies of it."""
_CPU_SECONDS = 20
_SECONDS = 60.0
_log = logger("models")


async def trial_fault(
    file: str,
    model: bytes,
    columns_in: int,
    columns_out: int,
    contents: Sequence[Mapping[str, float]] = (),
) -> str | None:
    """Return what `model_fault` says, or that the model exceeded a limit of memory or time."""
    job = {
        "file": file,
        "columns_in": columns_in,
        "columns_out": columns_out,
        "contents": list(contents),
        "cpu_seconds": _CPU_SECONDS,
        "memory_bytes": _MEMORY_BYTES + _MEMORY_PER_BYTE * len(model),
    }
    try:
        # In a thread, not by the event loop: that gives up on a process that ends before it read.
        process = await asyncio.to_thread(_tried, json.dumps(job).encode() + b"\n" + model)
    except subprocess.TimeoutExpired:
        return f"is not tried within {_SECONDS:.0f} s"
    if process.returncode == 0:
        verdict: str | None = json.loads(process.stdout)["fault"]
        return verdict
    _log.warning(
        "a model ended its trial", kind=file, code=process.returncode,
        error=process.stderr.decode(errors="replace")[-500:],
    )  # fmt: skip
    return "ended its trial: it needs too much memory or time"


def _tried(job: bytes) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "services.feedback.model_trial_process"],
        input=job,
        capture_output=True,
        timeout=_SECONDS,
        check=False,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
            "OPENBLAS_NUM_THREADS": "1",
            "OMP_NUM_THREADS": "1",
        },
    )
