#!/usr/bin/env bash
# Guess: one ranking has one order, so that reciprocal rank and NDCG of one call agree on where the item stands
# What happens: of three items with equal scores, the relevant one is first for RR@10 (1.0) and last for nDCG@10 (.5,
#   rank 3): each measure comes from another engine, one breaks ties by ascending and one by descending id
# Why it matters: models with many equal scores (popularity, counts, rounded scores) get measures that contradict each
#   other, and depend on how items are called: break ties before evaluating
# Seen with: ir_measures 0.4.3, pytrec_eval-terrier 0.5.11, 2026-11-28, Python 3.11, Linux x86-64
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv one
one/bin/pip install --quiet --disable-pip-version-check ir_measures==0.4.3 pytrec_eval-terrier==0.5.11
one/bin/python - <<'PY'
import warnings; warnings.simplefilter("ignore")
import ir_measures
from ir_measures import RR, nDCG
qrels, run = {"q": {"a": 1}}, {"q": {"z": 0.5, "a": 0.5, "c": 0.5}}
found = {str(k): round(v, 3) for k, v in ir_measures.calc_aggregate([RR @ 10, RR, nDCG @ 10], qrels, run).items()}
print("equal scores, relevant item is called a:", found)
assert found == {"RR@10": 1.0, "RR": 0.333, "nDCG@10": 0.5}, found
qrels = {"q": {"z": 1}}
found = {str(k): round(v, 3) for k, v in ir_measures.calc_aggregate([RR @ 10, RR, nDCG @ 10], qrels, run).items()}
print("relevant item is called z:", found)
assert found == {"RR@10": 0.333, "RR": 1.0, "nDCG@10": 1.0}, found
PY
