#!/usr/bin/env bash
# Guess: evaluating a sequential recommender by full ranking leaves out what the user has had, as for other models, and
#   the test is the last event of every user, whatever the model: figures of two models of one library can be compared
# What happens: for SASRec no item is masked (history index None), for BPR all that the user has had is: seen items
#   compete with the next one. SASRec's rows are made before the split, so with leave-one-out (LS valid_and_test) users of
#   two events are tested by BPR and not by SASRec. HR, NDCG and MRR of one test item are 1, 1 / log2(rank + 1), 1 / rank
# Why it matters: SASRec against BPR is another task over other users; SASRec here is not SASRec of papers that mask
# Seen with: recbole 1.2.1, torch 2.13.0, numpy 1.26.4 (with numpy 2 it fails: it uses np.float_), 2026-11-28, Python 3.11,
#   Linux x86-64. Takes two minutes and two gigabytes
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv one
one/bin/pip install --quiet --disable-pip-version-check torch==2.13.0 recbole==1.2.1 numpy==1.26.4 scipy==1.11.4 \
    pandas==2.1.4 "setuptools<80"
mkdir -p made
{
    printf 'user_id:token\titem_id:token\ttimestamp:float\n'
    # a has one event, b two, c and e three, d five, of which two are of one item.
    printf '%s\t%s\t%s\n' a i1 1 b i1 2 b i2 3 c i1 4 c i2 5 c i3 6 d i1 7 d i2 8 d i1 9 d i3 10 d i4 11 e i5 12 e i6 13 e i7 14
} > made/made.inter
one/bin/python - <<'PY'
import logging, warnings; warnings.simplefilter("ignore"); logging.disable(logging.CRITICAL)
import sys; sys.argv = sys.argv[:1]
import numpy as np, torch
from recbole.config import Config
from recbole.data import create_dataset, data_preparation
from recbole.evaluator.metrics import MRR, NDCG, Hit

def prepared(model):
    config = Config(model=model, dataset="made", config_dict={
        "data_path": ".", "load_col": {"inter": ["user_id", "item_id", "timestamp"]}, "train_neg_sample_args": None
        if model == "SASRec" else {"distribution": "uniform", "sample_num": 1, "dynamic": False, "candidate_num": 0,
        "alpha": 1.0}, "eval_args": {"split": {"LS": "valid_and_test"}, "order": "TO", "mode": "full",
        "group_by": "user"}, "topk": [10], "use_gpu": False, "state": "ERROR", "show_progress": False})
    dataset = create_dataset(config)
    return config, dataset, data_preparation(config, dataset)

config, dataset, (_, _, test) = prepared("SASRec")
tested, masked, _, targets = next(iter(test))
names = lambda field, ids: dataset.id2token(field, ids).tolist()
found = sorted(zip(names("user_id", tested["user_id"].numpy()), names("item_id", tested["item_id"].numpy())))
print("SASRec is tested on", found, "and masks", masked)
assert found == [("c", "i3"), ("d", "i4"), ("e", "i7")], found
assert masked is None
_, bpr, (_, _, bpr_test) = prepared("BPR")
_, (rows, hidden), _, _ = next(iter(bpr_test))
print("BPR is tested on", len(rows.unique()), "users, and masks", rows.numel(), "items of theirs")
assert (len(rows.unique()), rows.numel()) == (4, 1 + 2 + 3 + 2)

places = (1, 2, 3, 10, None)
hits = np.zeros((len(places), 10), bool)
for row, place in enumerate(places):
    if place: hits[row, place - 1] = True
lengths = np.ones(len(places), int)
for metric in (Hit(config), NDCG(config), MRR(config)):
    values = metric.metric_info(hits, lengths) if isinstance(metric, NDCG) else metric.metric_info(hits)
    values = values[:, -1].round(4).tolist()
    print(type(metric).__name__, "at 10 of ranks", places, values)
    expected = {"Hit": [1, 1, 1, 1, 0], "NDCG": [1.0, .6309, .5, .2891, 0.0], "MRR": [1.0, .5, .3333, .1, 0.0]}
    assert values == expected[type(metric).__name__], values
PY
