#!/usr/bin/env bash
# Guess: SUM of BIGINT is a HUGEINT, and COPY to Parquet writes it as DECIMAL(38,0), which it becomes in
#   Arrow
# What happens: Parquet gets a DOUBLE without a word: 9007199254740993 is read back as 9007199254740992.0
# Why it matters: counts, keys made of hashes and 128-bit ids change in the file; cast to DECIMAL(38,0) or
#   text before COPY
# Seen with: duckdb 2.0.1, 2026-11-28, Python 3.11, Linux x86-64
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check duckdb==2.0.1 pyarrow==26.0.1
venv/bin/python - <<'PY'
import duckdb, pyarrow.parquet as pq
query = "select sum(x) as id from (values (9007199254740993::bigint)) v(x)"
arrow = duckdb.sql(query).to_arrow_table()
duckdb.sql(f"copy ({query}) to 'a.parquet'")
parquet = pq.read_table("a.parquet")
print("duckdb", duckdb.__version__, "arrow", arrow.schema.types, arrow["id"], "parquet", parquet.schema.types, parquet["id"])
assert str(arrow.schema.types[0]) == "decimal128(38, 0)" and int(arrow["id"][0].as_py()) == 9007199254740993
assert str(parquet.schema.types[0]) == "double" and parquet["id"][0].as_py() == 9007199254740992.0
PY
