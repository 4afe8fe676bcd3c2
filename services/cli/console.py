"""Where the command line writes: results to standard output, all else to standard error."""

import sys

from rich.console import Console


def output() -> Console:
    """Return the console of results."""
    return Console(highlight=False, soft_wrap=not sys.stdout.isatty())


def messages() -> Console:
    """Return the console of progress and faults."""
    return Console(stderr=True, highlight=False, soft_wrap=not sys.stderr.isatty())
