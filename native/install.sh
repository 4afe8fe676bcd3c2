#!/bin/sh
# Builds the compiled core and installs it beside a Python: install.sh PYTHON. It never fails: where
# it cannot be built one line says so, and NumPy does its work, slower.
set -eu
python=$1
here=$(cd "$(dirname "$0")" && pwd)

log=$(mktemp)
trap 'rm -f "$log"' EXIT
if ! why=$(sh "$here/can_build.sh" "$python"); then
  echo "The compiled core is left out, NumPy does its work, slower: $why. Later: sh native/install.sh $python"
elif ! "$python" -m pip install --quiet --disable-pip-version-check "$here" > "$log" 2>&1; then
  why=$(grep -m 1 -i -E '(^|[ :])error[: ]' "$log" || tail -n 1 "$log")
  echo "The compiled core is left out, NumPy does its work, slower: $why"
else
  echo "The compiled core is installed."
fi
