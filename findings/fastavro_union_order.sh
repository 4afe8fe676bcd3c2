#!/usr/bin/env bash
# Guess: in a union of double and long an int is written as long, whatever the order
# What happens: the first branch that takes it wins: with ["double", "long"] 9007199254740993 is stored as
#   9007199254740992.0, with ["long", "double"] exactly
# Why it matters: a schema with the branches in the order of some other tool changes large ids
# Seen with: fastavro 1.13.1, 2026-11-28, Python 3.11, Linux x86-64
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check fastavro==1.13.1
venv/bin/python - <<'PY'
import io, fastavro
def trip(union):
    out = io.BytesIO()
    fastavro.writer(out, {"type": "record", "name": "r", "fields": [{"name": "a", "type": union}]}, [{"a": 9007199254740993}])
    out.seek(0)
    return [repr(r["a"]) for r in fastavro.reader(out)]
seen = trip(["double", "long"]), trip(["long", "double"])
print("fastavro", fastavro.__version__, seen)
assert seen == (["9007199254740992.0"], ["9007199254740993"])
PY
