#!/usr/bin/env bash
# Guess: of two ratings of one item by one user the later one counts in every library, as in a rating that
#   was corrected
# What happens: three libraries, three answers: cornac keeps the first (1.0), also when times say that the
#   second is newer; RecTools adds them (6.0); Surprise keeps both as two ratings
# Why it matters: one file gives other training data in each library, so their scores are not of the same
#   task; remove repeats before handing data over
# Seen with: RecTools 0.19.0, cornac 3.0.1, scikit-surprise 1.1.5, 2026-11-28, Python 3.11, Linux x86-64
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv one
one/bin/pip install --quiet --disable-pip-version-check cornac==3.0.1 scikit-surprise==1.1.5 pandas==2.3.3
python3 -m venv two
two/bin/pip install --quiet --disable-pip-version-check RecTools==0.19.0
one/bin/python - <<'PY'
import warnings; warnings.simplefilter("ignore")
import cornac, pandas as pd, surprise
rows = [("u", "i", 1.0), ("u", "i", 5.0)]
first = cornac.data.Dataset.from_uirt([(*rows[0], 10), (*rows[1], 20)]).matrix.toarray().tolist()
frame = pd.DataFrame(rows, columns=["user", "item", "rating"])
both = [r for _, r in surprise.Dataset.load_from_df(frame, surprise.Reader()).build_full_trainset().ur[0]]
print("cornac", cornac.__version__, first, "surprise", surprise.__version__, both)
assert (first, both) == ([[1.0]], [1.0, 5.0])
PY
two/bin/python - <<'PY'
import warnings; warnings.simplefilter("ignore")
import pandas as pd, rectools
from rectools.dataset import Dataset
frame = pd.DataFrame({"user_id": ["u", "u"], "item_id": ["i", "i"], "weight": [1.0, 5.0], "datetime": ["2024-01-01", "2024-01-02"]})
added = Dataset.construct(frame).get_user_item_matrix().toarray().tolist()
print("rectools", rectools.VERSION, added)
assert added == [[6.0]]
PY
