#!/usr/bin/env bash
# Guess: a Parquet DECIMAL(41,0), wider than the 38 digits that DuckDB has, is refused, as polars refuses it
# What happens: DuckDB reads the column as DOUBLE: 41 digits become 1.2345678901234568e+40
# Why it matters: warehouses write NUMERIC ids as DECIMAL of 76 digits (BigQuery BIGNUMERIC); different ids
#   become one
# Seen with: duckdb 2.0.1, polars 2.1.0, 2026-11-28, Python 3.11, Linux x86-64
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check duckdb==2.0.1 pyarrow==26.0.1 polars==2.1.0
venv/bin/python - <<'PY'
import decimal, duckdb, polars as pl, pyarrow as pa, pyarrow.parquet as pq
ids = [decimal.Decimal("12345678901234567890123456789012345678901"), decimal.Decimal("12345678901234567890123456789012345678902")]
pq.write_table(pa.table({"id": pa.array(ids, pa.decimal256(41, 0))}), "a.parquet")
seen = duckdb.sql("select count(distinct id), any_value(typeof(id)) from 'a.parquet'").fetchall()[0]
try: refused = not pl.read_parquet("a.parquet").height
except Exception as e: refused = type(e).__name__; print("polars", e)
print("duckdb", duckdb.__version__, seen)
assert seen == (1, "DOUBLE") and refused == "InvalidOperationError"
PY
