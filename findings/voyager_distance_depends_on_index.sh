#!/usr/bin/env bash
# Guess: get_distance(a, b) depends on a and b alone, and query and get_distance agree
# What happens: in the space of inner products it depends on the longest vector that was added: 0.0 between [1, 0]
#   and itself in an index of unit vectors, -81.0 after a vector of length 10 came in, while query says 0.0 for the
#   same pair
# Why it matters: a threshold on get_distance (is this item near enough to that one?) means something else after each
#   insert; compute the product yourself
# Seen with: voyager 2.2.3, 2026-11-28, Python 3.11, Linux x86-64
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv one
one/bin/pip install --quiet --disable-pip-version-check voyager==2.2.3 numpy==2.4.6
one/bin/python - <<'PY'
import numpy as np
from voyager import Index, Space
index = Index(Space.InnerProduct, num_dimensions=2)
one = np.array([1, 0], np.float32)
index.add_item(one)
before = index.get_distance(one, one)
index.add_item(np.array([10, 0], np.float32))
after = index.get_distance(one, one)
ids, distances = index.query(one, k=2)
asked = dict(zip(ids.tolist(), distances.tolist()))
print("before", before, "after", after, "query", asked)
assert (before, after) == (0.0, -81.0) and asked == {0: 0.0, 1: -9.0}
PY
