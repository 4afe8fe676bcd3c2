"""What services say about their settings, each asked as a process of its own.

A service knows its settings; here is only the environment that it would have.
"""

import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from services.cli.service_process import environment_of

SERVICES = ("feedback", "profile", "ranker")
_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Report:
    """Exit code 0 or 2, the lines of standard output, those of standard error."""

    code: int
    lines: tuple[str, ...]
    faults: tuple[str, ...]


def ask(
    service: str, option: Literal["--check-config", "--describe-config"], own: Mapping[str, str]
) -> Report:
    """Run a service that only tells about its settings, with `own` over our environment.

    Raises:
        OSError: it did not say anything of use.

    """
    done = subprocess.run(
        [sys.executable, "-m", f"services.{service}", option],
        capture_output=True,
        text=True,
        env=environment_of(own),
        timeout=_SECONDS,
        check=False,
    )
    if done.returncode not in (0, 2):
        raise OSError(f"services.{service} {option} ended with {done.returncode}: {done.stderr}")
    return Report(done.returncode, tuple(done.stdout.splitlines()), tuple(done.stderr.splitlines()))
