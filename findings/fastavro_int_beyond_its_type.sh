#!/usr/bin/env bash
# Guess: fastavro refuses 2^40 for a field of type int (32 bits) and 1.9 for long
# What happens: it writes both: 2^40 + 7 comes back as written in fastavro and as 7 in polars; 1.9 becomes 1
# Why it matters: times in milliseconds in a field of type int look right to the writer and are garbage in
#   the next tool
# Seen with: fastavro 1.13.1, polars 2.1.0, 2026-11-28, Python 3.11, Linux x86-64
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check fastavro==1.13.1 polars==2.1.0
venv/bin/python - <<'PY'
import io, fastavro, polars as pl
def write(kind, value):
    out = io.BytesIO()
    fastavro.writer(out, {"type": "record", "name": "r", "fields": [{"name": "a", "type": kind}]}, [{"a": value}])
    return out.getvalue()
data = write("int", 2**40 + 7)
seen = [r["a"] for r in fastavro.reader(io.BytesIO(data))], pl.read_avro(io.BytesIO(data))["a"].to_list(), [r["a"] for r in fastavro.reader(io.BytesIO(write("long", 1.9)))]
print("fastavro", fastavro.__version__, seen)
assert seen == ([2**40 + 7], [7], [1])
PY
