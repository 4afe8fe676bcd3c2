#!/usr/bin/env bash
# Fails when protos/ breaks clients of the last release, when committed stubs are not what protos/
# generates (regenerated beside them), and when what the edge knows of protos/ is stale.
set -euo pipefail
root="$(cd "$(dirname "$0")/.." && pwd)"
"$root/protos/breaking.sh"
python="$root/${VENV:-.venv}/bin/python"
[ -x "$python" ] || python=python3
"$python" "$root/deploy/edge/build.py" --check
fresh="$(mktemp -d)"
trap 'rm -rf "$fresh"' EXIT
"$root/protos/generate.sh" "$fresh" >"$fresh/log" 2>&1 || { cat "$fresh/log"; exit 1; }
diff --recursive --exclude=__pycache__ "$root/protos/gen/harken" "$fresh/harken" || {
  echo "protos/gen is not what protos/ generates: run 'make protos' and commit the result"
  exit 1
}
echo "protos/gen is up to date"
