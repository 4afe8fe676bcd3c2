#!/usr/bin/env bash
# Fails when protos/ breaks clients of the last release: its newest image in protos/released.
# An image, because a clone may be shallow and have no tags. BUF names the program.
set -euo pipefail
protos="$(cd "$(dirname "$0")" && pwd)"
buf="${BUF:-$protos/../${VENV:-.venv}/bin/buf}"
[ -x "$buf" ] || buf="$(command -v buf)" || { echo "buf is missing: pip install buf-bin"; exit 2; }
last="$(ls "$protos/released" | grep '\.binpb$' | sort --version-sort | tail -n 1)"
[ -n "$last" ] || { echo "protos/released holds no image"; exit 2; }
"$buf" breaking "$protos" --against "$protos/released/$last" || {
  echo "protos/ breaks clients of ${last%.binpb}"
  exit 1
}
echo "protos/ is compatible with ${last%.binpb}"
