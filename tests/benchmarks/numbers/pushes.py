"""Pushes: who sees an item that is pushed, and what the defence costs where nobody pushes."""

import argparse
from collections.abc import Iterator
from dataclasses import asdict

from harken.feedback.v1 import embedding_service_pb2, generation_pb2
from services.common.compiled_core import find_core
from services.evaluation.evaluate import Plan, evaluate, event_types
from services.evaluation.protocol import Rules
from services.evaluation.system.run import FULL
from services.feedback.config import FeedbackConfig
from services.feedback.embeddings.embedding_conversion import embedding_fault
from services.feedback.learner.model.entries import EmbeddingPut
from services.feedback.learner.model.item_allowance import AllowanceConfig
from services.feedback.learner.model.tenant_state import LearningConfig
from tests.benchmarks.learning.runs import compared, ranks_of, watcher
from tests.benchmarks.learning.sets import FILMS, GIVEN, sets_of
from tests.benchmarks.numbers.table import Number
from tests.benchmarks.pushes.attacks import ATTACKS, measure
from tests.benchmarks.pushes.world import World

_BAR = 0.02
_FILMS_BAR, _SESSIONS_BAR = 0.995, 0.99
_SESSIONS = ("shop-1", "flash-1", GIVEN)


def pushes(options: argparse.Namespace) -> Iterator[Number]:
    """Attack what learned films; in shops of nothing but sessions, as far as it goes."""
    for one in sets_of((*FILMS, "shop-1"), options.data):
        worlds = {
            on: World(one, LearningConfig(core=find_core(), allowance=AllowanceConfig(on=on)))
            for on in (False, True)
        }
        for name, attack in ATTACKS.items():
            undefended = measure(worlds[False], attack)
            # What is refused never reaches the log.
            at_the_door = attack.embedding and _refused(worlds[True])
            defended = undefended.undone() if at_the_door else measure(worlds[True], attack)
            yield Number(
                f"{one.name}: {attack.what}: honest users / newcomers who see it",
                f"<= {_BAR:.0%} / {_BAR:.0%}" if one.name in FILMS else "-",
                f"{defended.honest:.1%} / {defended.newcomers:.1%} (without the defence "
                f"{undefended.honest:.1%} / {undefended.newcomers:.1%}; before "
                f"{defended.honest_before:.0%} / {defended.newcomers_before:.0%})"
                + ("; refused: OUT_OF_BOUNDS" if at_the_door else ""),
                max(defended.honest, defended.newcomers) <= _BAR if one.name in FILMS else None,
                {"attack": name, "on": asdict(defended), "off": asdict(undefended)},
            )  # fmt: skip


def _refused(world: World) -> bool:
    """Return whether the service refuses the vector that is put, with its own bounds."""
    [put] = [one.kind for one in ATTACKS["embedding"].entries(world)]
    assert isinstance(put, EmbeddingPut)
    embedding = embedding_service_pb2.Embedding(
        item_id=put.item_id or "", values=put.vector.tolist(), bias=put.bias, pinned=put.pinned
    )
    generation = generation_pb2.GenerationManifest(dimension=len(put.vector), max_norm=3.0)
    bound = float(FeedbackConfig.model_fields["max_bias"].default)
    fault = embedding_fault(embedding, generation, {embedding.item_id}, bound)
    return fault is not None and fault[0] == embedding_service_pb2.EMBEDDING_FAULT_OUT_OF_BOUNDS


def honest(options: argparse.Namespace) -> Iterator[Number]:
    """Compare NDCG@10 with the defence on and off, the same groups ranked."""
    for one in sets_of((*FILMS, *_SESSIONS), options.data):
        found = {}
        for which in (True, False):
            allowance = AllowanceConfig(on=which)
            learning = LearningConfig(core=find_core(), allowance=allowance)
            rules = Rules(every=options.every, repeats=one.repeats)
            plan = Plan([FULL], rules, event_types("shopping"), learning=learning)
            found[which] = evaluate(one.events, one.contents, plan, watcher(one.name)).outcomes
        on, off = (ranks_of(found[which], FULL) for which in (True, False))
        over = compared(found[True].users, on, off)
        bar = _FILMS_BAR if one.name in FILMS else _SESSIONS_BAR
        yield Number(
            f"{one.name}: NDCG@10 with the defence on, over off", f">= {bar}x", over.said(4),
            over.ratio >= bar, {"events": over.events, "every": options.every},
        )  # fmt: skip
