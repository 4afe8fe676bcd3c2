"""Consent of a user: how updates change it."""

import time
from collections.abc import Sequence

from google.protobuf.timestamp_pb2 import Timestamp

from harken.common.v1 import consent_pb2
from services.common.consent import PURPOSES
from services.common.timestamps import micros_of
from services.common.validation import Checks, time_fault
from services.profile.domain.attribute_rules import named_purposes

_MAX_SOURCE_BYTES = 64
_MAX_AHEAD_US = 24 * 3600 * 1_000_000


def check_consent(checks: Checks, given: consent_pb2.Consent, paths: Sequence[str]) -> None:
    """Check the decisions that an update names."""
    latest_us = time.time_ns() // 1000 + _MAX_AHEAD_US
    for name in named_purposes(paths):
        if not given.HasField(name):
            continue
        decision: consent_pb2.ConsentDecision = getattr(given, name)
        checks.id(f"profile.consent.{name}.source", decision.source, _MAX_SOURCE_BYTES)
        if decision.HasField("time"):
            fault = time_fault(decision.time)
            if fault is None and micros_of(decision.time) > latest_us:
                fault = "is later than a day from now"
            if fault:
                checks.fail(f"profile.consent.{name}.time", fault)


def updated_consent(
    stored: consent_pb2.Consent, given: consent_pb2.Consent, paths: Sequence[str], now: Timestamp
) -> consent_pb2.Consent:
    """Return the consent after an update with a mask; `now`: when what has no time was decided."""
    result = consent_pb2.Consent()
    named = named_purposes(paths)
    for name in PURPOSES:
        source = given if name in named else stored
        if not source.HasField(name):
            continue
        decision: consent_pb2.ConsentDecision = getattr(result, name)
        decision.CopyFrom(getattr(source, name))
        if not decision.HasField("time"):
            before = getattr(stored, name)
            same = before.granted == decision.granted and before.source == decision.source
            decision.time.CopyFrom(before.time if stored.HasField(name) and same else now)
    return result
