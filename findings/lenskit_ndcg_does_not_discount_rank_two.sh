#!/usr/bin/env bash
# Guess: NDCG of one relevant item at rank r is 1 / log2(r + 1), so .63 at rank 2
# What happens: LensKit divides by log2(r), and by 1 up to rank 2: rank 2 counts as much as rank 1 (1.0), rank 3 is .63,
#   rank 10 is .30; every rank is worth what most others give to the rank before it. Hit and RecipRank are as elsewhere.
#   A user without a list is left out of the mean: one hit and one user without a list is 1.0
# Why it matters: NDCG@10 of LensKit is higher than that of RecBole and of papers for the same lists
# Seen with: lenskit 2025.8.1, torch 2.13.0, 2026-11-28, Python 3.11, Linux x86-64. Takes a minute and a gigabyte
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv one
one/bin/pip install --quiet --disable-pip-version-check torch==2.13.0 lenskit==2025.8.1
one/bin/python - <<'PY'
import warnings; warnings.simplefilter("ignore")
from lenskit.data import ItemList, ItemListCollection
from lenskit.metrics import NDCG, Hit, RecipRank, RunAnalysis
items = [f"i{n:02}" for n in range(1, 21)]
slate = ItemList(item_ids=items, ordered=True)
ranks = (1, 2, 3, 10, 11)
expected = {"Hit": [1, 1, 1, 1, 0], "NDCG": [1.0, 1.0, .6309, .301, 0.0], "RecipRank": [1.0, .5, .3333, .1, 0.0]}
for metric in (Hit(10), NDCG(10), RecipRank(10)):
    values = [round(float(metric.measure_list(slate, ItemList(item_ids=[items[r - 1]]))), 4) for r in ranks]
    print(type(metric).__name__, "at 10 of ranks", ranks, values)
    assert values == expected[type(metric).__name__], values
lists, truth = ItemListCollection(["user_id"]), ItemListCollection(["user_id"])
lists.add(slate, user_id="a")
for user in "ab":
    truth.add(ItemList(item_ids=["i01"]), user_id=user)
analysis = RunAnalysis(); analysis.add_metric(Hit(10))
result = analysis.measure(lists, truth)
mean = float(result.list_summary().loc["Hit@10", "mean"])
print("one of two users has a list, a hit: mean Hit@10 is", mean)
assert mean == 1.0, mean
PY
