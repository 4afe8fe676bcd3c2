#!/bin/sh
# Whether the compiled core can be built: can_build.sh PYTHON. Prints why not, and fails then.
set -eu
python=$1
compiler=${CXX:-c++}

# shellcheck disable=SC2086 # It may be a launcher and a compiler, or have options.
if ! printf '#include <optional>\nint main() { return 0; }\n' |
  $compiler -std=c++17 -x c++ -fsyntax-only - 2> /dev/null; then
  echo "there is no compiler of C++17 ($compiler)"
  exit 1
fi
if ! "$python" -c 'import os, sys, sysconfig
sys.exit(not os.path.exists(os.path.join(sysconfig.get_paths()["include"], "Python.h")))'; then
  echo "the headers of Python are not installed"
  exit 1
fi
