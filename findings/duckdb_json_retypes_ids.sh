#!/usr/bin/env bash
# Guess: JSON strings stay text: an upper-case UUID, a play time "1:05:00", an id that looks like a day
# What happens: read_json of DuckDB makes UUID (lower case when it is text again), TIME ("01:05:00") and
#   DATE of them; read_json of pyarrow makes a timestamp of the last and drops an offset: 12:00+02:00 is a
#   naive 10:00
# Why it matters: ids exported as upper-case UUIDs (SQL Server, iOS) match nothing after a round trip
#   through DuckDB
# Seen with: duckdb 2.0.1, pyarrow 26.0.1, 2026-11-28, Python 3.11, Linux x86-64
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check duckdb==2.0.1 pyarrow==26.0.1
venv/bin/python - <<'PY'
import duckdb, pyarrow.json as pj
open("a.json", "w").write('{"item":"3F2504E0-4F89-11D3-9A0C-0305E82C3301","length":"1:05:00","slug":"2024-03-07","at":"2024-03-07T12:00:00+02:00"}\n')
seen = duckdb.sql("select item::varchar, length::varchar, typeof(slug) from read_json('a.json')").fetchall()[0]
table = pj.read_json("a.json")
print("duckdb", duckdb.__version__, seen, "pyarrow", table.schema.types, table["at"][0])
assert seen == ("3f2504e0-4f89-11d3-9a0c-0305e82c3301", "01:05:00", "DATE")
assert str(table["slug"].type) == str(table["at"].type) == "timestamp[s]" and str(table["at"][0]) == "2024-03-07 10:00:00"
PY
