#!/usr/bin/env bash
# Guess: an id that is a JSON string stays a text: JSON says its types, so nothing is left to infer
# What happens: read_json turns "007" into 7, "1e3" into 1000.0, and "9007199254740993" beside a null into
#   9007199254740992.0: another id
# Why it matters: who quotes ids in JSON to keep them exact loses them all the same; dtype=str or
#   dtype=False is needed
# Seen with: pandas 3.1.1, 2026-11-28, Python 3.11, Linux x86-64; documented as dtype=True
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check pandas==3.1.1
venv/bin/python - <<'PY'
import io, pandas as pd
def ids(*values):
    return pd.read_json(io.StringIO("".join('{"id":%s}\n' % v for v in values)), lines=True)["id"].tolist()
seen = [ids('"007"', '"008"'), ids('"1e3"', '"2"'), ids('"9007199254740993"', "null")[:1]]
print("pandas", pd.__version__, seen)
assert seen == [[7, 8], [1000.0, 2.0], [9007199254740992.0]]
PY
