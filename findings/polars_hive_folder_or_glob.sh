#!/usr/bin/env bash
# Guess: read_parquet("events/") and read_parquet("events/**/*.parquet") give the same table
# What happens: with a column day in the folder name and in the file, the folder gives the day of the path
#   and the glob the day of the file; DuckDB takes the path for the glob, and pyarrow.parquet.read_table
#   raises
# Why it matters: files that were copied into the partition of their arrival have two days; which one counts
#   depends on how the path is spelt
# Seen with: polars 2.1.0, duckdb 2.0.1, pyarrow 26.0.1, 2026-11-28, Python 3.11, Linux x86-64
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check polars==2.1.0 pyarrow==26.0.1 duckdb==2.0.1
venv/bin/python - <<'PY'
import os, duckdb, polars as pl, pyarrow as pa, pyarrow.parquet as pq
os.makedirs("events/day=2024-01-02")
pq.write_table(pa.table({"user": ["u"], "day": ["2024-01-01"]}), "events/day=2024-01-02/a.parquet")
glob = "events/**/*.parquet"
seen = pl.read_parquet("events/")["day"].to_list(), pl.read_parquet(glob)["day"].to_list(), [str(r[0]) for r in duckdb.sql(f"select day from '{glob}'").fetchall()]
try: pq.read_table("events"); raised = None
except pa.ArrowTypeError as e: raised = str(e)[:60]
print("polars", pl.__version__, seen, "pyarrow", raised)
assert seen == (["2024-01-02"], ["2024-01-01"], ["2024-01-02"]) and raised
PY
