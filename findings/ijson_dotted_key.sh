#!/usr/bin/env bash
# Guess: the prefix `item.a.b` names the value b inside of a
# What happens: it also gives the value of a key that is spelt "a.b": two values for one object, and nothing
#   tells them apart. There is no way to escape the dot
# Why it matters: event exports (Segment, GA4 flattened, Mixpanel) mix dotted keys with nested ones; a path
#   then yields one value too many and columns shift
# Seen with: ijson 3.6.0, 2026-11-28, Python 3.11, Linux x86-64
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check ijson==3.6.0
venv/bin/python - <<'PY'
import io, ijson
doc = b'[{"a.b": "flat", "a": {"b": "nested"}}, {"a": {"b": "second"}}]'
seen = list(ijson.items(io.BytesIO(doc), "item.a.b"))
print("ijson", ijson.__version__, seen)
assert seen == ["flat", "nested", "second"]
PY
