#!/usr/bin/env bash
# Guess: of a key that stands twice in an object the last value wins, as in json and orjson, or an error is
#   raised
# What happens: polars.read_ndjson and read_json take the first, polars json_path_match the last; a
#   pysimdjson object answers with the first and its own as_dict() with the last; json_extract of DuckDB
#   takes the first, while read_json of DuckDB and pyarrow raise
# Why it matters: one event log gives two user ids for one line, depending on the reader (RFC 8259 allows
#   the line and leaves the choice open)
# Seen with: pysimdjson 7.0.2, polars 2.1.0, duckdb 2.0.1, pyarrow 26.0.1, orjson 3.13.0, 2026-11-28, Python
#   3.11, Linux x86-64
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check pysimdjson==7.0.2 polars==2.1.0 duckdb==2.0.1 pyarrow==26.0.1 orjson==3.13.0
venv/bin/python - <<'PY'
import io, json, duckdb, orjson, polars as pl, pyarrow.json as pj, simdjson
line = b'{"user":1,"user":2}'
parser = simdjson.Parser()
obj = parser.parse(line)
seen = {"json": json.loads(line)["user"], "orjson": orjson.loads(line)["user"], "simdjson object": obj["user"],
        "simdjson as_dict": obj.as_dict()["user"], "polars read_ndjson": pl.read_ndjson(io.BytesIO(line + b"\n"))["user"][0],
        "polars json_path_match": int(pl.Series([line.decode()]).str.json_path_match("$.user")[0]),
        "duckdb json_extract": int(duckdb.execute("select json_extract(?::json, '$.user')::int", [line.decode()]).fetchall()[0][0])}
open("e.json", "wb").write(line + b"\n")
raised = []
for name, read in (("duckdb read_json", lambda: duckdb.sql("select * from read_json('e.json')").fetchall()),
                   ("pyarrow read_json", lambda: pj.read_json("e.json"))):
    try: read()
    except Exception as e: raised.append(type(e).__name__); print(name, type(e).__name__, str(e)[:90])
print(seen)
assert list(seen.values()) == [2, 2, 1, 2, 1, 2, 1] and raised == ["InvalidInputException", "ArrowInvalid"]
PY
