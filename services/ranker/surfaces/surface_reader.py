"""Configuration of surfaces as it is distributed -> as slates are shaped by it."""

from collections.abc import Mapping
from types import MappingProxyType
from weakref import WeakKeyDictionary

from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import DecodeError

from harken.feedback.v1 import surface_pb2 as pb
from services.common.expressions.error import ExpressionError
from services.common.expressions.expression import (
    Expression,
    parse_condition,
    parse_filter,
    parse_number,
)
from services.common.logs import logger
from services.common.surfaces.defaults import DIVERSITY_STRENGTH, NEW_ITEM_EVENTS
from services.feed.parameters import Document
from services.ranker.domain.seen_rule import read_rule
from services.ranker.domain.selection import plan
from services.ranker.domain.selection.policies import (
    GREEDY,
    EpsilonMixture,
    PlackettLuce,
    Policy,
    Thompson,
)
from services.ranker.domain.surface import configured
from services.ranker.domain.tenant_replica import TenantReplica

_KIND = "surface"
_NUMBER = "number."
_log = logger("surfaces")

Weights = Mapping[str, Mapping[str, float]]


class SurfaceReader:
    """Reads each revision once; what cannot be read is as if it were not configured, and is said.

    Feedback checks what is put, so that is a revision of a later release.
    """

    def __init__(self) -> None:
        self._read: WeakKeyDictionary[
            TenantReplica, dict[str, tuple[Document, configured.Surface | None]]
        ] = WeakKeyDictionary()

    def of(self, replica: TenantReplica, name: str) -> configured.Surface | None:
        """Return what is configured for a surface of a tenant; None: nothing."""
        document = replica.documents.get((_KIND, name))
        if document is None:
            return None
        own = self._read.setdefault(replica, {})
        held = own.get(name)
        if held is None or held[0] is not document:
            held = own[name] = document, _surface_or_none(document)
        return held[1]


def _surface_or_none(document: Document) -> configured.Surface | None:
    try:
        return surface_of(pb.Surface.FromString(document.body).config, document.revision)
    except (DecodeError, ExpressionError, ValueError) as error:
        _log.error(
            "a surface cannot be read, and is as if it were not configured",
            surface=document.name, revision=document.revision, reason=str(error),
        )  # fmt: skip
        return None


def surface_of(config: pb.SurfaceConfig, revision: int) -> configured.Surface:
    """Return a configuration with its expressions parsed.

    Raises:
        ExpressionError, ValueError: it is not one that feedback lets through.

    """
    exploration, new_item_events = exploration_of(config.exploration)
    return configured.Surface(
        revision,
        MappingProxyType(dict(config.outcome_weights)),
        tuple(parse_filter(gate.keep) for gate in config.gates),
        read_rule(dict(config.seen)) if config.seen else None,
        config.not_in_last_slates,
        {one.source: _source(one) for one in config.sources},
        tuple(map(_rule, config.rules)),
        _diversity(config.diversity) if config.HasField("diversity") else None,
        exploration,
        new_item_events,
    )


def exploration_of(exploration: pb.Exploration) -> tuple[plan.Exploration, int]:
    """Return how slates explore, and with how many events an item is new no more.

    Raises:
        ValueError: it is not one that feedback lets through.

    """
    return (
        plan.Exploration(_policy(exploration), exploration.new_item_share),
        exploration.new_item_events or NEW_ITEM_EVENTS,
    )


def _source(setting: pb.SourceSetting) -> configured.Source:
    return configured.Source(
        setting.quota if setting.HasField("quota") else None,
        setting.weight if setting.HasField("weight") else 1.0,
        _seconds(setting.time_limit) if setting.HasField("time_limit") else None,
    )


def _seconds(duration: Duration) -> float:
    return float(duration.seconds + duration.nanos / 1e9)


def _rule(rule: pb.Rule) -> configured.Rule:
    when: Expression | None = parse_condition(rule.when) if rule.when else None
    name = rule.name
    match rule.WhichOneof("kind"):
        case "boost":
            return configured.Boost(name, when, parse_filter(rule.boost.items), rule.boost.factor)
        case "pin":
            pin = rule.pin
            items = parse_filter(pin.items) if pin.items else None
            return configured.Pin(name, when, pin.item_id, items, pin.slot - 1)
        case "at_least":
            of = parse_filter(rule.at_least.items)
            return configured.AtLeast(name, when, of, rule.at_least.count)
        case "at_most":
            return configured.AtMost(
                name, when, parse_filter(rule.at_most.items), rule.at_most.count
            )
        case "share":
            of = parse_filter(rule.share.items)
            return configured.AtLeast(name, when, of, share=rule.share.share)
        case "cap":
            return _cap(rule, when)
        case "sort":
            return configured.Sort(name, when, parse_number(rule.sort.by), rule.sort.ascending)
        case other:
            raise ValueError(f"rule {name!r} is of kind {other!r}, which is not known here")


def _cap(rule: pb.Rule, when: Expression | None) -> configured.Cap:
    cap = rule.cap
    attribute, key = cap.attribute, ""
    if attribute.startswith(_NUMBER):
        attribute, key = "number", attribute.removeprefix(_NUMBER)
    return configured.Cap(
        rule.name, when, configured.Attribute(attribute), key, cap.most, cap.last_slates
    )


def _diversity(diversity: pb.Diversity) -> plan.Diversity | None:
    strength = diversity.strength if diversity.HasField("strength") else DIVERSITY_STRENGTH
    if strength == 0:
        return None
    mmr = diversity.method == pb.Diversity.METHOD_MMR
    return plan.Diversity(strength, plan.Method.MMR if mmr else plan.Method.DPP)


def _policy(exploration: pb.Exploration) -> Policy:
    match exploration.WhichOneof("policy"):
        case "epsilon":
            return EpsilonMixture(exploration.epsilon)
        case "plackett_luce_temperature":
            return PlackettLuce(exploration.plackett_luce_temperature)
        case "thompson_scale":
            return Thompson(exploration.thompson_scale)
        case None:
            return GREEDY
        case other:
            raise ValueError(f"policy {other!r} is not known here")
