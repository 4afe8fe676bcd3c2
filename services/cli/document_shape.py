"""What JSON must look like to be a message: every fault at once, by the names of the protos."""

import re
from collections.abc import Iterator, Sequence
from typing import Any

from google.protobuf.descriptor import EnumDescriptor, FieldDescriptor

_UNSPECIFIED = "UNSPECIFIED"
_DURATION = "google.protobuf.Duration"
_SECONDS = re.compile(r"-?[0-9]+(\.[0-9]{1,9})?s")
_INTEGERS = {
    FieldDescriptor.CPPTYPE_INT32: (-(2**31), 2**31 - 1),
    FieldDescriptor.CPPTYPE_INT64: (-(2**63), 2**63 - 1),
    FieldDescriptor.CPPTYPE_UINT32: (0, 2**32 - 1),
    FieldDescriptor.CPPTYPE_UINT64: (0, 2**64 - 1),
}
_WELL_KNOWN = "google.protobuf."


def shaped(found: Any, message: Any, faults: list[str], path: str = "") -> Any:
    """Return JSON with the full names of enum values in the place of short ones (MMR: METHOD_MMR).

    message: the descriptor of its type. faults: gets what is wrong, each as "path: what". Whether
    values are within limits is not looked at.
    """
    if not isinstance(found, dict):
        faults.append(f"{path or 'all of it'}: must be an object, in {{}}")
        return found
    names = {name: field for field in message.fields for name in (field.name, field.json_name)}
    result: dict[str, Any] = {}
    given: set[str] = set()
    for name, value in found.items():
        here = f"{path}.{name}" if path else name
        field = names.get(name)
        if field is None:
            known = ", ".join(one.name for one in message.fields)
            faults.append(f"{here}: no such field; there are: {known}")
            continue
        if field.name in given:
            faults.append(f"{here}: is there twice")
        if value is not None:
            given.add(field.name)
        result[name] = _field(value, field, faults, here)
    for oneof in message.oneofs:
        both = [field.name for field in oneof.fields if field.name in given]
        # An optional field is a oneof of its own.
        if len(both) > 1:
            faults.append(f"{path or 'all of it'}: has {' and '.join(both)}; only one may be given")
    return result


def _field(value: Any, field: FieldDescriptor, faults: list[str], path: str) -> Any:
    if value is None:
        return None
    inner = _values_of_map(field)
    if inner is not None:
        if not isinstance(value, dict):
            faults.append(f"{path}: must be an object, in {{}}")
            return value
        return {key: _one(one, inner, faults, f"{path}[{key}]") for key, one in value.items()}
    if field.is_repeated:
        if not isinstance(value, list):
            faults.append(f"{path}: must be a list, in []")
            return value
        return [_one(one, field, faults, f"{path}[{at}]") for at, one in enumerate(value)]
    return _one(value, field, faults, path)


def _values_of_map(field: FieldDescriptor) -> FieldDescriptor | None:
    """Return the field that values of a map are; None: it is no map."""
    entry = field.message_type
    if entry is None or not entry.GetOptions().map_entry:
        return None
    return entry.fields_by_name["value"]


def _one(value: Any, field: FieldDescriptor, faults: list[str], path: str) -> Any:
    if field.enum_type is not None:
        return _enum(value, field.enum_type, faults, path)
    if field.message_type is None:
        wanted = _scalar(value, field)
        if wanted:
            faults.append(f"{path}: must be {wanted}")
        return value
    if field.message_type.full_name == _DURATION:
        if not isinstance(value, str) or not _SECONDS.fullmatch(value):
            faults.append(f'{path}: must be seconds as text, as in "604800s" for 7 days')
        return value
    if field.message_type.full_name.startswith(_WELL_KNOWN):
        return value
    return shaped(value, field.message_type, faults, path)


def _scalar(value: Any, field: FieldDescriptor) -> str:
    """Return what a value must be and is not; empty: it is."""
    kind = field.cpp_type
    if kind in (FieldDescriptor.CPPTYPE_STRING, FieldDescriptor.CPPTYPE_BOOL):
        text = kind == FieldDescriptor.CPPTYPE_STRING
        wanted = "text" if text else "true or false"
        return "" if isinstance(value, str if text else bool) else wanted
    number = _number(value)
    if kind in _INTEGERS:
        least, most = _INTEGERS[kind]
        whole = number is not None and number == number // 1 and least <= number <= most
        return "" if whole else f"a whole number from {least:,} to {most:,}"
    return "" if number is not None else "a number"


def _number(value: Any) -> float | None:
    """Return the number that JSON has, as such or as text; None: it is none."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    if not isinstance(value, str):
        return value
    try:
        # Of 64 bits, which a float does not have.
        return int(value) if value.lstrip("-").isdecimal() else float(value)
    except ValueError:
        return None


def _enum(value: Any, enum: EnumDescriptor, faults: list[str], path: str) -> Any:
    if isinstance(value, int):
        return value
    names = dict(_short_names(enum))
    full = names.get(value, value) if isinstance(value, str) else None
    if full not in enum.values_by_name:
        known = ", ".join(name for name in names.values() if not name.endswith(_UNSPECIFIED))
        faults.append(f"{path}: must be one of {known}")
        return value
    return full


def _short_names(enum: EnumDescriptor) -> Iterator[tuple[str, str]]:
    """Yield names of values without what all of them begin with, and with it."""
    values: Sequence[str] = list(enum.values_by_name)
    prefix = next(
        (one.removesuffix(_UNSPECIFIED) for one in values if one.endswith(_UNSPECIFIED)), ""
    )
    for one in values:
        yield one.removeprefix(prefix), one
