#!/usr/bin/env bash
# Guess: polars and pandas read 07/03/2024 alike, or polars asks for a format
# What happens: polars: 7 March; pandas: 3 July. Neither warns
# Why it matters: moving a job from pandas to polars exchanges days and months up to the 12th, and only
#   those
# Seen with: polars 2.1.0, pandas 3.1.1, 2026-11-28, Python 3.11, Linux x86-64
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check polars==2.1.0 pandas==3.1.1
venv/bin/python - <<'PY'
import warnings; warnings.simplefilter("error")
import pandas as pd, polars as pl
seen = str(pl.Series(["07/03/2024"]).str.to_date()[0]), str(pd.to_datetime("07/03/2024").date()), str(pd.to_datetime(pd.Series(["07/03/2024"]))[0].date())
print("polars", pl.__version__, "pandas", pd.__version__, seen)
assert seen == ("2024-03-07", "2024-07-03", "2024-07-03")
PY
