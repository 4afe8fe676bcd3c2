#!/usr/bin/env bash
# Regenerates the stubs beside the committed ones and fails on any difference.
set -euo pipefail
root="$(cd "$(dirname "$0")/.." && pwd)"
fresh="$(mktemp -d)"
trap 'rm -rf "$fresh"' EXIT
"$root/protos/generate.sh" "$fresh" >"$fresh/log" 2>&1 || { cat "$fresh/log"; exit 1; }
diff --recursive --exclude=__pycache__ "$root/protos/gen/harken" "$fresh/harken" || {
  echo "protos/gen is not what protos/ generates: run 'make protos' and commit the result"
  exit 1
}
echo "protos/gen is up to date"
