#!/bin/sh
# Builds the compiled core with AddressSanitizer and UndefinedBehaviorSanitizer into a folder of its
# own and runs the tests of the core with it. Ends with an error on any finding.
#
# usage: native/sanitize.sh [folder of the build]; PYTHON names the interpreter (.venv/bin/python).
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root"
python=${PYTHON:-.venv/bin/python}
build=${1:-native/build/sanitized}
mkdir -p "$build"
build=$(cd "$build" && pwd)

"$python" -m pip install --quiet --no-deps --upgrade --target "$build/site" \
    -C "build-dir=$build/objects" -C cmake.define.HARKEN_SANITIZE=ON \
    -C cmake.build-type=RelWithDebInfo -C install.strip=false ./native

# The interpreter itself is not sanitized, so it has to load the runtime first. Leaks are not looked
# for: CPython keeps what it made until it ends.
compiler=${CXX:-c++}
runtime=$($compiler -print-file-name=libasan.so)
LD_PRELOAD="$runtime $($compiler -print-file-name=libubsan.so)" \
ASAN_OPTIONS=detect_leaks=0:abort_on_error=1:allocator_may_return_null=1 \
UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1 \
PYTHONMALLOC=malloc \
PYTHONPATH="$build/site:$root:$root/protos/gen" \
    "$python" - "$build/site" <<'CHECK'
import sys

import pytest
from harken_native import _core

# An ordinary build would find nothing.
assert _core.__file__.startswith(sys.argv[1]), _core.__file__
of_slates = (
    "test_slate_draft.py", "test_compiled_slates.py", "domain/selection/test_compiled_select.py",
    "surfaces/test_compiled_surfaces.py",
)
found = ["tests/native", *(f"tests/ranker/{name}" for name in of_slates)]
sys.exit(pytest.main(["-q", "-p", "no:cacheprovider", *found]))
CHECK
