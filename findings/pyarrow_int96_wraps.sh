#!/usr/bin/env bash
# Guess: an INT96 time of the year 9999 ("never expires", as Spark writes it) is read as microseconds or
#   raises
# What happens: pyarrow reads 1816-03-29 without a word; DuckDB and polars read 9999-12-31.
#   coerce_int96_timestamp_unit="us" cures it
# Why it matters: an expiry date in the far future becomes one of the past: every such item is hidden
# Seen with: pyarrow 26.0.1, duckdb 2.0.1, polars 2.1.0, 2026-11-28, Python 3.11, Linux x86-64
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check pyarrow==26.0.1 duckdb==2.0.1 polars==2.1.0
venv/bin/python - <<'PY'
import datetime as dt, duckdb, polars as pl, pyarrow as pa, pyarrow.compute as pc, pyarrow.parquet as pq
pq.write_table(pa.table({"t": pa.array([dt.datetime(9999, 12, 31)], pa.timestamp("us"))}), "a.parquet", use_deprecated_int96_timestamps=True)
year = lambda table: pc.year(table["t"])[0].as_py()
seen = {"pyarrow": year(pq.read_table("a.parquet")), "pyarrow us": year(pq.read_table("a.parquet", coerce_int96_timestamp_unit="us")),
        "duckdb": duckdb.sql("select year(t) from 'a.parquet'").fetchall()[0][0], "polars": pl.read_parquet("a.parquet")["t"].dt.year()[0]}
print("pyarrow", pa.__version__, seen)
assert list(seen.values()) == [1816, 9999, 9999, 9999]
PY
