#!/usr/bin/env bash
# Guess: ids that are numbers in old lines and texts in new ones become text: 7 and 007
# What happens: the column is of type JSON and the texts keep their quotes: 7 and "007" with the quotes in
#   the value, also after a cast to VARCHAR. polars gives 7 and 007
# Why it matters: the ids of new lines match nothing in the catalogue; use ->> or item->>'$'
# Seen with: duckdb 2.0.1, polars 2.1.0, 2026-11-28, Python 3.11, Linux x86-64
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check duckdb==2.0.1 polars==2.1.0
venv/bin/python - <<'PY'
import duckdb, polars as pl
open("a.json", "w").write('{"item":7}\n{"item":"007"}\n')
seen = duckdb.sql("select item::varchar, typeof(item) from read_json('a.json')").fetchall()
other = pl.read_ndjson("a.json")["item"].to_list()
print("duckdb", duckdb.__version__, seen, "polars", other)
assert seen == [("7", "JSON"), ('"007"', "JSON")] and other == ["7", "007"]
PY
