#!/usr/bin/env bash
# Guess: a naive datetime written to Avro timestamp-millis or ORC timestamp is kept as it is or taken as
#   UTC, whatever TZ is
# What happens: fastavro and pyorc read it in the zone of the machine: 12:00 is written as 17:00 with
#   TZ=America/New_York. pyarrow writes 12:00 to ORC and polars a local-timestamp of 12:00 to Avro
# Why it matters: one job gives other files on a laptop and in a container, and ORC timestamp is meant to
#   have no zone
# Seen with: fastavro 1.13.1, pyorc 0.12.0, pyarrow 26.0.1, 2026-11-28, Python 3.11, Linux x86-64
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check fastavro==1.13.1 pyorc==0.12.0 pyarrow==26.0.1 polars==2.1.0
TZ=America/New_York venv/bin/python - <<'PY'
import datetime as dt, io, fastavro, polars as pl, pyarrow as pa, pyarrow.orc as po, pyorc
noon = dt.datetime(2024, 3, 7, 12)
out = io.BytesIO()
fastavro.writer(out, fastavro.parse_schema({"type": "record", "name": "r", "fields": [{"name": "t", "type": {"type": "long", "logicalType": "timestamp-millis"}}]}), [{"t": noon}])
out.seek(0)
avro = next(fastavro.reader(out))["t"].hour
out = io.BytesIO()
writer = pyorc.Writer(out, "struct<t:timestamp>"); writer.write((noon,)); writer.close(); out.seek(0)
orc = po.read_table(out)["t"][0].as_py().hour
po.write_table(pa.table({"t": pa.array([noon], pa.timestamp("us"))}), "a.orc")
own = po.read_table("a.orc")["t"][0].as_py().hour
out = io.BytesIO(); pl.DataFrame({"t": [noon]}).write_avro(out); out.seek(0)
local = next(fastavro.reader(out))["t"].hour
print("fastavro", fastavro.__version__, avro, "pyorc", pyorc.__version__, orc, "pyarrow", own, "polars", local)
assert (avro, orc, own, local) == (17, 17, 12, 12)
PY
