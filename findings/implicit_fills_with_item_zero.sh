#!/usr/bin/env bash
# Guess: recommend(N=10) for a user who has three of five items gives the two others
# What happens: ALS gives ten: the two, then the three that the user has with a score of -3.4e38, then item 0 five
#   times with a score of 0.0, which is above the true scores of many items; item-kNN gives five, those that the user
#   has with a score of 0.0
# Why it matters: whoever stores or shows the answer recommends item 0 to everybody in a small catalogue, and merging
#   by score puts it first; cut where the score is -3.4e38, or ask for no more than is left
# Seen with: implicit 0.7.3, 2026-11-28, Python 3.11, Linux x86-64
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv one
one/bin/pip install --quiet --disable-pip-version-check implicit==0.7.3 numpy==2.4.6 scipy==1.17.1
OPENBLAS_NUM_THREADS=1 one/bin/python - <<'PY'
import warnings; warnings.simplefilter("ignore")
import implicit, numpy as np, scipy.sparse as sp
from implicit.als import AlternatingLeastSquares
from implicit.nearest_neighbours import CosineRecommender
users = sp.csr_matrix(np.array([[1, 1, 1, 0, 0], [0, 1, 1, 1, 0], [1, 0, 0, 1, 1]], dtype=np.float32))
als = AlternatingLeastSquares(factors=4, random_state=1)
als.fit(users, show_progress=False)
items, scores = als.recommend(0, users[0], N=10)
print("implicit", implicit.__version__, items.tolist(), [float(f"{s:.2g}") for s in scores])
assert sorted(items[:2].tolist()) == [3, 4] and sorted(items[2:5].tolist()) == [0, 1, 2]
assert (scores[2:5] < -3e38).all() and items[5:].tolist() == [0] * 5 and scores[5:].tolist() == [0.0] * 5
knn = CosineRecommender(K=3)
knn.fit(users, show_progress=False)
items, scores = knn.recommend(0, users[0], N=10)
print("item-kNN", items.tolist(), [round(float(s), 3) for s in scores])
assert sorted(items.tolist()) == [0, 1, 2, 3, 4] and scores[2:].tolist() == [0.0] * 3
PY
