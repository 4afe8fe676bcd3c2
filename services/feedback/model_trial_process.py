"""The process of a model trial: a job on standard input, a verdict on standard output.

The job is a line of JSON, a line for each content, and the model.
It knows no gRPC and no database. Limits of memory and time hold from before the model is read.
"""

import contextlib
import json
import resource
import sys
import time
from pathlib import Path

from services.feedback.domain.model_check import model_fault


def main() -> None:
    """Try one model."""
    # When memory ends, it is this process that goes, not the service beside it.
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000", "ascii")
    job = json.loads(sys.stdin.buffer.readline())
    mapped = int(Path("/proc/self/statm").read_text("ascii").split()[0]) * resource.getpagesize()
    limit = mapped + job["memory_bytes"]
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CPU, (job["cpu_seconds"], job["cpu_seconds"]))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        contents = [json.loads(sys.stdin.buffer.readline()) for _ in range(job["contents"])]
        fault = model_fault(
            job["file"],
            sys.stdin.buffer.read(),
            job["columns_in"],
            job["columns_out"],
            contents,
            time.thread_time,
        )
    except MemoryError:
        fault = "needs too much memory"
    sys.stdout.write(json.dumps({"fault": fault}))


if __name__ == "__main__":
    main()
