"""Consent by purpose: what was decided, and what counts where nothing was (docs/consent.md)."""

from collections.abc import Collection, Iterator
from enum import IntFlag
from typing import NamedTuple

from harken.common.v1 import consent_pb2


class Purpose(IntFlag):
    """What a person's data may be used for; combined: several of them. Stored as these numbers.

    Flags are iterable, so asyncpg takes them for arrays where they are elements of one.
    """

    PERSONALISATION = 1
    LEARNING = 2
    EXPLORATION = 4
    EXPORT = 8


PURPOSES = {purpose.name.lower(): purpose for purpose in Purpose if purpose.name is not None}
"""By name, as in fields of harken.common.v1.Consent."""
NO_PURPOSE = Purpose(0)


class Consent(NamedTuple):
    """Purposes that a person granted and denied; those in neither were never decided."""

    granted: Purpose = NO_PURPOSE
    denied: Purpose = NO_PURPOSE

    def allows(self, purpose: Purpose, denied_by_default: Purpose) -> bool:
        """Return whether a purpose is granted, or was never decided and not denied by default."""
        if purpose & self.denied:
            return False
        return bool(purpose & self.granted) or not purpose & denied_by_default


UNDECIDED = Consent()


def consent_of(message: consent_pb2.Consent) -> Consent:
    """Return which purposes a message grants and denies."""
    granted = denied = NO_PURPOSE
    for purpose, decision in decisions(message):
        if decision.granted:
            granted |= purpose
        else:
            denied |= purpose
    return Consent(granted, denied) if granted or denied else UNDECIDED


def encoded_consent(serialised: bytes) -> Consent:
    """Return which purposes a serialised message grants and denies."""
    return consent_of(consent_pb2.Consent.FromString(serialised)) if serialised else UNDECIDED


def decisions(
    message: consent_pb2.Consent,
) -> Iterator[tuple[Purpose, consent_pb2.ConsentDecision]]:
    """Yield what is decided in a message, by purpose."""
    for field, decision in message.ListFields():
        yield PURPOSES[field.name], decision


def strictest(messages: Collection[consent_pb2.Consent]) -> consent_pb2.Consent:
    """Return what counts where several stand for one person: of each purpose a denial before a
    grant, and of equal ones the first.
    """
    result = consent_pb2.Consent()
    for name in PURPOSES:
        found = [getattr(one, name) for one in messages if one.HasField(name)]
        denied = [one for one in found if not one.granted]
        for decision in (denied or found)[:1]:
            getattr(result, name).CopyFrom(decision)
    return result


def purposes_of(names: Collection[str]) -> Purpose:
    """Return purposes by their names.

    Raises:
        ValueError: one is none.

    """
    wrong = sorted(set(names) - PURPOSES.keys())
    if wrong:
        raise ValueError(f"{wrong[0]!r} is none of {', '.join(PURPOSES)}")
    result = NO_PURPOSE
    for name in names:
        result |= PURPOSES[name]
    return result
