"""Slates of the log, decided again and compared with what was shown."""

from collections.abc import Sequence
from typing import NamedTuple

import grpc
import numpy as np

from harken.internal.slates.v1 import slate_service_pb2, slate_service_pb2_grpc
from harken.ranker.v1 import replayed_slate_pb2 as pb
from harken.ranker.v1 import slate_pb2
from services.common.arrays import Float32s, Ordinals
from services.common.candidate_features import SOURCES
from services.ranker.domain.generation import Generation
from services.ranker.domain.selection.replay import Decided, Replay, replayed
from services.ranker.frame_applier import FrameApplier
from services.ranker.surfaces.surface_reader import exploration_of
from services.ranker.upstream_faults import passed_on

_CALL_SECONDS = 30.0
_MOST_CONTRIBUTIONS = 20


class _Shown(NamedTuple):
    """What was logged of the items: rows of the items."""

    propensities: Float32s
    probabilities: Float32s
    logits: Float32s
    features: Float32s


class SlateExplainer:
    """Asks feedback for slates, and decides them again."""

    def __init__(self, channel: grpc.aio.Channel, frames: FrameApplier) -> None:
        """`channel` to feedback; generations that are still there say what features weigh."""
        self._stub: slate_service_pb2_grpc.SlateServiceAsyncStub
        self._stub = slate_service_pb2_grpc.SlateServiceStub(channel)  # type: ignore[assignment]
        self._frames = frames

    async def explained(
        self, tenant: str, slate_id: str, seconds: float | None
    ) -> pb.ExplainSlateResponse:
        """Return a slate as it was shown and as it is decided again; `seconds`: left for the call.

        Raises:
            HarkenError: what feedback says.

        """
        request = slate_service_pb2.FindSlateRequest(tenant=tenant, slate_id=slate_id)
        timeout = _CALL_SECONDS if seconds is None else min(seconds, _CALL_SECONDS)
        with passed_on("feedback", tenant):
            found = await self._stub.FindSlate(request, timeout=timeout)
        replica = self._frames.replicas.get(tenant)
        space = None if replica is None else replica.spaces.get(found.slate.generation_id)
        return explanation(found.slate, None if space is None else space.generation)


def explanation(
    slate: slate_service_pb2.ServedSlate, generation: Generation | None
) -> pb.ExplainSlateResponse:
    """Return what the log of a slate says. generation: the one that made it; None: it is gone."""
    items = len(slate.item_ids)
    shown = _Shown(
        np.frombuffer(slate.propensities, "<f4"),
        *(
            np.frombuffer(column, "<f4").reshape(items, -1)
            for column in (slate.probabilities, slate.logits, slate.features)
        ),
    )
    answer = pb.ExplainSlateResponse(
        slate_id=slate.slate_id,
        subject=slate.subject,
        surface=slate.surface,
        surface_revision=slate.decision.surface_revision,
        generation_id=slate.generation_id,
        policy=slate.policy,
        seed=slate.seed,
        serve_time=slate.serve_time,
        candidates=slate.decision.considered or len(slate.decision.candidate_ids),
        outcome=pb.REPLAY_OUTCOME_NOT_LOGGED,
        experiments=[
            slate_pb2.Exposure(
                experiment=one.experiment,
                variant=one.variant,
                revision=one.revision,
                layer=one.layer,
                not_served=one.not_served,
            )
            for one in slate.exposures
        ],
    )
    for place, item_id in enumerate(slate.item_ids):
        answer.slots.add(
            place=place + 1,
            item_id=item_id,
            sources=_sources(shown.features[place]),
            predicted=shown.probabilities[place],
            propensity=float(shown.propensities[place]),
        )
    absent = [pb.ABSENT_PART_SOURCE_SCORES, pb.ABSENT_PART_REASON]
    if slate.HasField("decision"):
        _put_replay(answer, slate)
        if slate.decision.slots:
            _put_rules(answer, slate)
        else:
            absent.append(pb.ABSENT_PART_RULES)
    else:
        absent.append(pb.ABSENT_PART_CANDIDATES)
    absent.append(_put_contributions(answer, shown, generation))
    answer.absent.extend(sorted(absent))
    return answer


def _sources(features: Float32s) -> list[pb.ReplayedSource]:
    """Return which of the sources that every slate has proposed an item, by its features."""
    count = len(SOURCES)
    listed, reciprocal = features[:count], features[count : 2 * count].astype(np.float64)
    return [
        pb.ReplayedSource(source=name, rank=round(2.0 ** (1.0 / reciprocal[at])) - 1)
        for at, name in enumerate(SOURCES[: listed.size])
        if listed[at] and reciprocal[at] > 0
    ]


def _put_replay(answer: pb.ExplainSlateResponse, slate: slate_service_pb2.ServedSlate) -> None:
    decision = slate.decision
    candidates: Sequence[str] = decision.candidate_ids
    index = {item_id: at for at, item_id in enumerate(candidates)}
    shown = np.array([index[item_id] for item_id in slate.item_ids], np.int64)
    decided = _decided(slate, shown)
    again = replayed(decided)
    place_of = np.empty(len(candidates), np.int64)
    place_of[again.by_order] = np.arange(1, len(candidates) + 1)
    for at, slot in enumerate(answer.slots):
        slot.utility = float(decided.utilities[shown[at]])
        slot.lowered = float(again.lowered[at])
        slot.replayed_item_id = candidates[again.places[at]]
        slot.replayed_propensity = float(np.float32(again.propensities[at]))
        slot.item_id_without_rules = candidates[again.by_order[at]]
        slot.place_without_rules = int(place_of[shown[at]])
    answer.outcome = (
        pb.REPLAY_OUTCOME_SAME if _same(answer, again, shown) else pb.REPLAY_OUTCOME_DIFFERENT
    )


def _same(answer: pb.ExplainSlateResponse, again: Replay, shown: Ordinals) -> bool:
    return bool((again.places == shown).all()) and all(
        slot.replayed_propensity == slot.propensity for slot in answer.slots
    )


def _decided(slate: slate_service_pb2.ServedSlate, shown: Ordinals) -> Decided:
    decision = slate.decision
    candidates, places = len(decision.candidate_ids), shown.size
    utilities = np.frombuffer(decision.utilities, "<f4")
    bits = np.frombuffer(decision.new_items, np.uint8)
    return Decided(
        utilities,
        np.frombuffer(decision.unboosted, "<f4") if decision.unboosted else utilities,
        np.frombuffer(b"".join(decision.barred), np.uint8).reshape(places, -1),
        np.frombuffer(b"".join(decision.lowered), np.uint8).reshape(-1, candidates),
        decision.lowered_unit,
        np.unpackbits(bits, count=candidates, bitorder="little").astype(np.bool_)
        if bits.size
        else None,
        np.frombuffer(b"".join(decision.drawn), "<f2").reshape(-1, candidates).astype(np.float64)
        if decision.drawn
        else None,
        exploration_of(decision.exploration)[0],
        slate.seed,
        shown,
        np.array(decision.decided_places or range(places), np.int64),
    )


def _put_rules(answer: pb.ExplainSlateResponse, slate: slate_service_pb2.ServedSlate) -> None:
    for slot, logged in zip(answer.slots, slate.decision.slots, strict=True):
        # Not all candidates are logged where chance had no part.
        slot.place_without_rules = logged.place_without_rules
        slot.sources.extend(pb.ReplayedSource(source=name) for name in logged.sources)
        slot.applied_rules.extend(
            slate_pb2.AppliedRule(rule=one.rule, effect=one.effect) for one in logged.effects
        )


def _put_contributions(
    answer: pb.ExplainSlateResponse, shown: _Shown, generation: Generation | None
) -> pb.AbsentPart:
    """Write what features added to the scores as trained; return what is still absent of it."""
    affine = None if generation is None else generation.scorer.affine
    if generation is None or affine is None or not shown.features.size:
        return pb.ABSENT_PART_CONTRIBUTIONS
    wanted = np.array(generation.outcome_weights()) > 0
    first = int(wanted.argmax())
    weights, features = affine.weights[first].astype(np.float64), shown.features.astype(np.float64)
    for at, slot in enumerate(answer.slots):
        parts = features[at] * weights
        for column in np.abs(parts).argsort(kind="stable")[::-1][:_MOST_CONTRIBUTIONS].tolist():
            if parts[column]:
                slot.contributions.add(
                    feature=generation.scorer.features[column],
                    value=float(features[at, column]),
                    contribution=float(parts[column]),
                )
        slot.rest = float(shown.logits[at, first]) - sum(
            one.contribution for one in slot.contributions
        )
    return pb.ABSENT_PART_HEAD
