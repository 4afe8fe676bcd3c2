#!/usr/bin/env bash
# Guess: ndjson.loads gives the texts that the lines hold, since lines end at \n
# What happens: str.splitlines also splits at U+2028 and U+0085 inside a text, the pieces are joined by
#   commas, and the title comes back changed: the separator has become a comma. ndjson.reader keeps it
# Why it matters: titles pasted from web pages hold U+2028; the same file gives other titles by load and by
#   reader, and nothing raises
# Seen with: ndjson 0.3.1, 2026-11-28, Python 3.11, Linux x86-64
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check ndjson==0.3.1
venv/bin/python - <<'PY'
import io, ndjson
lines = '{"title": "a\u2028b"}\n{"title": "c"}\n'
loads, reader = ndjson.loads(lines), list(ndjson.reader(io.StringIO(lines)))
print("ndjson 0.3.1 loads", ascii(loads), "reader", ascii(reader))
assert loads == [{"title": "a,b"}, {"title": "c"}]
assert reader == [{"title": "a\u2028b"}, {"title": "c"}]
PY
