#!/usr/bin/env bash
# Guess: a partition a/b that pyarrow wrote as k=a%2Fb is a/b for every reader, and the null partition is
#   null
# What happens: fastparquet gives the texts a%2Fb and __HIVE_DEFAULT_PARTITION__; DuckDB and pyarrow give
#   a/b and null
# Why it matters: a category is not found under its name, and rows without one become a category of their
#   own
# Seen with: fastparquet 2026.9.0, pyarrow 26.0.1, duckdb 2.0.1, 2026-11-28, Python 3.11, Linux x86-64
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check fastparquet==2026.9.0 pyarrow==26.0.1 duckdb==2.0.1 pandas==3.1.1
venv/bin/python - <<'PY'
import duckdb, fastparquet, pyarrow as pa, pyarrow.parquet as pq
pq.write_to_dataset(pa.table({"k": ["a/b", None], "v": [1, 2]}), "d", partition_cols=["k"])
frame = fastparquet.ParquetFile("d").to_pandas().sort_values("v")
seen = [str(k) for k in frame["k"]], [r[0] for r in duckdb.sql("select k from 'd/**/*.parquet' order by v").fetchall()], [r["k"] for r in sorted(pq.read_table("d").to_pylist(), key=lambda r: r["v"])]
print("fastparquet", fastparquet.__version__, seen)
assert seen == (["a%2Fb", "__HIVE_DEFAULT_PARTITION__"], ["a/b", None], ["a/b", None])
PY
