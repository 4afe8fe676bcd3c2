"""The same as `python -m tests.benchmarks.numbers lanes`."""

import sys

from tests.benchmarks.numbers.__main__ import main

sys.exit(main(["lanes", *sys.argv[1:]]))
