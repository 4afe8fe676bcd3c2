"""The process of a trial: a job on standard input, a verdict on standard output.

The job is a line of JSON, a line for each content, and the file.
It knows no gRPC and no database. Limits of memory and time hold from before the file is read.
"""

import contextlib
import json
import os
import resource
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from google.protobuf.message import DecodeError

from harken.feedback.v1 import generation_pb2
from services.common.onnx_model import ITEM_VECTORS
from services.feedback.generations.domain.model_check import model_fault
from services.feedback.generations.domain.trained_vectors_check import vectors_fault

_NICE = 5
"""Those that serve come first."""


def main() -> None:
    """Try one file."""
    # When memory ends, it is this process that goes, not the service beside it.
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000", "ascii")
    job = json.loads(sys.stdin.buffer.readline())
    os.nice(_NICE)
    mapped = int(Path("/proc/self/statm").read_text("ascii").split()[0]) * resource.getpagesize()
    limit = mapped + job["memory_bytes"]
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CPU, (job["cpu_seconds"], job["cpu_seconds"]))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        fault = _fault(job)
    except MemoryError:
        fault = "needs too much memory"
    sys.stdout.write(json.dumps({"fault": fault}))


def _fault(job: Mapping[str, Any]) -> str | None:
    if job["file"] == ITEM_VECTORS:
        return _vectors_fault(sys.stdin.buffer.read(), job["dimension"], job["max_norm"])
    contents = [json.loads(sys.stdin.buffer.readline()) for _ in range(job["contents"])]
    return model_fault(
        job["file"],
        sys.stdin.buffer.read(),
        job["columns_in"],
        job["columns_out"],
        contents,
        time.thread_time,
    )


def _vectors_fault(content: bytes, dimension: int, max_norm: float) -> str | None:
    try:
        file = generation_pb2.ItemVectorFile.FromString(content)
    except DecodeError as error:
        return f"is no ItemVectorFile: {error}"
    return vectors_fault(file.item_ids, file.vectors, file.biases, dimension, max_norm)


if __name__ == "__main__":
    main()
