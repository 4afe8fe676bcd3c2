"""What attributes of users may be: definitions, and what breaks them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any


class AttributeType(Enum):
    """See harken.profile.v1.AttributeType."""

    STRING = "a text"
    NUMBER = "a number"
    BOOL = "true or false"
    STRINGS = "a list of texts"
    TIME = "a time such as 2026-01-31T12:00:00Z"


@dataclass(frozen=True, slots=True)
class Definition:
    """What one attribute may be; empty `allowed`: any text."""

    type: AttributeType
    allowed: frozenset[str] = frozenset()
    minimum: float | None = None
    maximum: float | None = None


@dataclass(frozen=True, slots=True)
class Schema:
    """Definitions by name; closed: there may be no others."""

    definitions: Mapping[str, Definition]
    closed: bool = False


def schema_faults(
    schema: Schema, attributes: Mapping[str, Any], is_time: Callable[[str], bool]
) -> dict[str, str]:
    """Return what is wrong with attributes, by name. Values are as in JSON; `is_time`: whether a
    text is a time.
    """
    faults = {}
    for name, value in attributes.items():
        definition = schema.definitions.get(name)
        if definition is None:
            if schema.closed:
                faults[name] = "is not defined by the schema of the tenant, which is closed"
        elif value is not None and (fault := _fault(definition, value, is_time)):
            faults[name] = fault
    return faults


def _fault(definition: Definition, value: Any, is_time: Callable[[str], bool]) -> str | None:
    fits = _FITS[definition.type](value)
    if not fits or (definition.type is AttributeType.TIME and not is_time(value)):
        return f"must be {definition.type.value}"
    texts = value if isinstance(value, list) else [value] if isinstance(value, str) else []
    if definition.allowed:
        for text in texts:
            if text not in definition.allowed:
                return "must be one of the allowed values of the schema"
    if definition.minimum is not None and value < definition.minimum:
        return f"must be at least {definition.minimum:g}"
    if definition.maximum is not None and value > definition.maximum:
        return f"must be at most {definition.maximum:g}"
    return None


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_bool(value: Any) -> bool:
    return isinstance(value, bool)


def _are_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


_FITS: Mapping[AttributeType, Callable[[Any], bool]] = {
    AttributeType.STRING: _is_text,
    AttributeType.NUMBER: _is_number,
    AttributeType.BOOL: _is_bool,
    AttributeType.STRINGS: _are_texts,
    AttributeType.TIME: _is_text,
}
