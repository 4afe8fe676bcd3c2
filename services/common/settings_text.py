"""Settings as text: the reference of a service, and the values in force."""

import json
import re
from collections.abc import Iterable, Mapping
from enum import Enum
from pathlib import Path
from typing import Any

from annotated_types import Ge, Gt, Le, Lt, MaxLen, MinLen
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from services.common.service_settings import HOLDS_PASSWORD, RELOADS, Form, ServiceSettings

MASK = "***"
_USER_AND_PASSWORD = re.compile(r"^(\w+://[^:/@?]*):.*@", re.DOTALL)
_PASSWORD_PARAMETER = re.compile(r"((?:ssl)?password)=[^&]*", re.IGNORECASE)
_HEAD = ("| Key | Type | Default | Range | Reloads | Meaning |", "|---|---|---|---|---|---|")


def reference_lines(kind: type[ServiceSettings]) -> list[str]:
    """Return the table of all settings of a service, in Markdown, one a line."""
    return [*_HEAD, *(_row(kind, name, field) for name, field in kind.model_fields.items())]


def value_lines(settings: ServiceSettings) -> list[str]:
    """Return the values in force, KEY=value, as the environment would hold them.

    Passwords are masked. Settings without a value are left out.
    """
    masked = settings.marked(HOLDS_PASSWORD)
    values = ((name, getattr(settings, name)) for name in type(settings).model_fields)
    return [
        f"{settings.key_of(name)}={without_password(value) if name in masked else _text(value)}"
        for name, value in values
        if value is not None
    ]


def without_password(url: str) -> str:
    """Return a URL with its password masked, wherever it stands."""
    # Not by taking the URL apart: a password that was not quoted may look like a path.
    masked = _USER_AND_PASSWORD.sub(rf"\1:{MASK}@", url)
    return _PASSWORD_PARAMETER.sub(rf"\1={MASK}", masked)


def _row(kind: type[ServiceSettings], name: str, field: FieldInfo) -> str:
    if field.is_required():
        default = "required"
    else:
        value = field.get_default(call_default_factory=True, validated_data={})
        default = "" if value is None else f"`{_text(value)}`"
    cells = (
        f"`{kind.key_of(name)}`",
        _type_text(field),
        default,
        _range_text(field.metadata),
        "yes" if RELOADS in field.metadata else "",
        field.description or "",
    )
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _type_text(field: FieldInfo) -> str:
    for mark in field.metadata:
        if isinstance(mark, Form):
            return mark.text
    kind: Any = field.annotation
    if isinstance(kind, type) and issubclass(kind, Enum):
        return ", ".join(f"`{member.value}`" for member in kind)
    return {int: "integer", float: "number", str: "text", bool: "true, false"}.get(
        kind, "path" if kind == Path | None else "JSON"
    )


def _range_text(marks: Iterable[Any]) -> str:
    bounds = []
    for mark in marks:
        match mark:
            case Ge(ge=bound):
                bounds.append(f"≥ {bound}")
            case Gt(gt=bound):
                bounds.append(f"> {bound}")
            case Le(le=bound):
                bounds.append(f"≤ {bound}")
            case Lt(lt=bound):
                bounds.append(f"< {bound}")
            case MinLen(min_length=bound):
                bounds.append(f"length ≥ {bound}")
            case MaxLen(max_length=bound):
                bounds.append(f"length ≤ {bound}")
            case _:
                pass
    return ", ".join(bounds)


def _text(value: Any) -> str:
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, Mapping | tuple | list):
        return json.dumps(value, default=_plain)
    return str(value).removesuffix(".0")


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", exclude_defaults=True)
    raise TypeError(f"{type(value).__name__} has no place in a setting")
