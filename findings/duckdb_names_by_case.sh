#!/usr/bin/env bash
# Guess: columns userId and userid of a Parquet or JSON file keep their names, as in polars and pyarrow
# What happens: DuckDB calls the second one userid_1, and `select userid` gives the values of userId
# Why it matters: a renamed field leaves both spellings in a log; a mapping by the exact name userid reads
#   the other column
# Seen with: duckdb 2.0.1, 2026-11-28, Python 3.11, Linux x86-64
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check duckdb==2.0.1 pyarrow==26.0.1 polars==2.1.0
venv/bin/python - <<'PY'
import duckdb, polars as pl, pyarrow as pa, pyarrow.parquet as pq
pq.write_table(pa.table({"userId": ["old"], "userid": ["new"]}), "a.parquet")
seen = duckdb.sql("select * from 'a.parquet'").columns, duckdb.sql("select userid from 'a.parquet'").fetchall(), pl.read_parquet("a.parquet").columns
print("duckdb", duckdb.__version__, seen)
assert seen == (["userId", "userid_1"], [("old",)], ["userId", "userid"])
PY
