#!/usr/bin/env bash
# Guess: a list of structs (the items of a basket, the slate of an impression) is read or refused
# What happens: every row is None; lists of texts in the same file are right
# Why it matters: looks like data without baskets: nothing raises, nothing warns
# Seen with: fastparquet 2026.9.0, 2026-11-28, Python 3.11, Linux x86-64
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check fastparquet==2026.9.0 pyarrow==26.0.1 pandas==3.1.1
venv/bin/python - <<'PY'
import fastparquet, pyarrow as pa, pyarrow.parquet as pq
pq.write_table(pa.table({"user": ["u1"], "basket": [[{"item": "i1", "count": 2}]], "tags": [["a", "b"]]}), "a.parquet")
rows = fastparquet.ParquetFile("a.parquet").to_pandas().to_dict("records")
print("fastparquet", fastparquet.__version__, rows)
assert rows[0]["basket"] is None and list(rows[0]["tags"]) == ["a", "b"] and rows[0]["user"] == "u1"
PY
