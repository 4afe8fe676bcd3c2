"""What can be wrong with how a slate was decided, and with the experiments that it was part of."""

import math
import re
from collections.abc import Collection, Sequence

import numpy as np

from harken.internal.slates.v1 import decision_pb2
from services.common.validation import id_fault

_MAX_EXPOSURES = 20
_MAX_CANDIDATES = 4000
_MAX_OUTCOMES = 100
_MAX_SOURCES, _MAX_EFFECTS = 10, 55
_MAX_NAME_BYTES, _MAX_EFFECT_BYTES = 64, 256
_MAX_DRAWS = 100
_FLOAT_BYTES, _HALF_BYTES = 4, 2
_NAME = re.compile(r"[a-z0-9_-]{1,64}")


def exposures_fault(exposures: Collection[decision_pb2.SlateExposure]) -> str | None:
    """Return what is wrong with the exposures of a slate, or None."""
    if len(exposures) > _MAX_EXPOSURES:
        return f"must have at most {_MAX_EXPOSURES} elements"
    if len({one.experiment for one in exposures}) < len(exposures):
        return "holds an experiment twice"
    for one in exposures:
        if not (_NAME.fullmatch(one.experiment) and _NAME.fullmatch(one.variant)):
            return "holds an experiment or a variant that is not 1 to 64 of [a-z0-9_-]"
        if one.layer and not _NAME.fullmatch(one.layer):
            return "holds a layer that is not 1 to 64 of [a-z0-9_-]"
    return None


def decision_fault(decision: decision_pb2.SlateDecision, item_ids: Sequence[str]) -> str | None:
    """Return what is wrong with how the places of the items of a slate were decided, or None."""
    candidates = len(decision.candidate_ids)
    if not 1 <= candidates <= _MAX_CANDIDATES:
        return f"candidate_ids must have 1 to {_MAX_CANDIDATES} elements"
    known = set(decision.candidate_ids)
    if len(known) < candidates:
        return "candidate_ids holds an id twice"
    if not known.issuperset(item_ids):
        return "candidate_ids lacks an item that is shown"
    # What is not shown is not in item_ids, whose ids were looked at before.
    for item_id in known.difference(item_ids):
        fault = id_fault(item_id)
        if fault:
            return f"candidate_ids holds one that {fault}"
    return _columns_fault(decision, candidates, len(item_ids))


def _columns_fault(
    decision: decision_pb2.SlateDecision, candidates: int, places: int
) -> str | None:
    if len(decision.utilities) != candidates * _FLOAT_BYTES:
        return f"utilities must be float32 [{candidates}]"
    if np.isinf(np.frombuffer(decision.utilities, "<f4")).any():
        return "utilities must not be infinite"
    outcomes, rest = divmod(len(decision.probabilities), candidates * _FLOAT_BYTES)
    if rest or outcomes > _MAX_OUTCOMES:
        return f"probabilities must be float32 [{candidates}, up to {_MAX_OUTCOMES}]"
    probabilities = np.frombuffer(decision.probabilities, "<f4")
    # NaN: of a candidate that the scorer had no number for, and which therefore came last.
    if ((probabilities < 0) | (probabilities > 1)).any():
        return "probabilities must be in [0, 1], or NaN"
    width = (candidates + 7) // 8
    if len(decision.barred) != places or any(len(bits) != width for bits in decision.barred):
        return f"barred must be {places} times {width} bytes"
    lowered = decision.lowered
    if lowered and (len(lowered) != places or any(len(taken) != candidates for taken in lowered)):
        return f"lowered must be {places} times {candidates} bytes"
    if not 0 <= decision.lowered_unit < math.inf:
        return "lowered_unit must be a finite number, at least 0"
    if decision.new_items and len(decision.new_items) != width:
        return f"new_items must be {width} bytes"
    if len(decision.unboosted) not in (0, candidates * _FLOAT_BYTES):
        return f"unboosted must be float32 [{candidates}]"
    if np.isinf(np.frombuffer(decision.unboosted, "<f4")).any():
        return "unboosted must not be infinite"
    if decision.decided_places and sorted(decision.decided_places) != list(range(places)):
        return f"decided_places must be each of 0 to {places - 1} once"
    return _drawn_fault(decision.drawn, candidates) or _slots_fault(decision.slots, places)


def _slots_fault(slots: Collection[decision_pb2.SlateSlot], places: int) -> str | None:
    if len(slots) not in (0, places):
        return f"slots must be {places}"
    for slot in slots:
        names = [*slot.sources, *(effect.rule for effect in slot.effects)]
        if len(slot.sources) > _MAX_SOURCES or len(slot.effects) > _MAX_EFFECTS:
            return "slots holds one with too many sources or effects"
        if any(id_fault(name, _MAX_NAME_BYTES) for name in names):
            return f"slots holds a name that is not 1 to {_MAX_NAME_BYTES} bytes"
        if any(id_fault(effect.effect, _MAX_EFFECT_BYTES) for effect in slot.effects):
            return f"slots holds an effect that is not 1 to {_MAX_EFFECT_BYTES} bytes"
    return None


def _drawn_fault(drawn: Sequence[bytes], candidates: int) -> str | None:
    if len(drawn) > _MAX_DRAWS:
        return f"drawn must have at most {_MAX_DRAWS} elements"
    for draw in drawn:
        if len(draw) != candidates * _HALF_BYTES:
            return f"drawn must be float16 [{candidates}] each"
        if not np.isfinite(np.frombuffer(draw, "<f2")).all():
            return "drawn must be finite"
    return None
