#!/usr/bin/env bash
# Guess: numpy.datetime64("20240307") is 7 March 2024 (ISO 8601 basic form), or refused
# What happens: it is the year 20,240,307; as datetime64[ns] it wraps to 1876-09-14 without a word. pandas
#   reads the day
# Why it matters: arrays of eight-digit days turned with astype give times that pass every check of type
# Seen with: numpy 2.4.6, 2026-11-28, Python 3.11, Linux x86-64
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check numpy==2.4.6 pandas==3.1.1
venv/bin/python - <<'PY'
import numpy as np, pandas as pd
seen = [str(np.datetime64("20240307", "D")), str(np.array(["20240307"], dtype="datetime64[ns]").astype("datetime64[D]")[0]), str(pd.to_datetime("20240307").date())]
print("numpy", np.__version__, seen)
assert seen == ["20240307-01-01", "1876-09-14", "2024-03-07"]
PY
