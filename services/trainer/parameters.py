"""All options of a training run, as one file: TOML or JSON, which `harken tune` writes."""

import dataclasses
import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from services.trainer.encoder_options import EncoderOptions
from services.trainer.fold_in_model import FoldInOptions
from services.trainer.ials import IalsOptions
from services.trainer.tower_options import TowerOptions


class ParametersError(Exception):
    """A file of parameters cannot be used; the message says why."""


@dataclass(frozen=True, slots=True)
class Parameters:
    """Sections of the file. median_norm: length of base vectors; None: tried on the validation
    window. fold_in: None: tried there, too. encoder: trained only when asked for.
    """

    ials: IalsOptions = field(default_factory=IalsOptions)
    fold_in: FoldInOptions | None = None
    median_norm: float | None = None
    tower: TowerOptions = field(default_factory=TowerOptions)
    encoder: EncoderOptions = field(default_factory=EncoderOptions)

    def as_dict(self) -> dict[str, Any]:
        """Return plain values, without those that are None (TOML has no null)."""
        return _without_none(dataclasses.asdict(self))


_SECTIONS: Mapping[str, type] = {
    "ials": IalsOptions,
    "fold_in": FoldInOptions,
    "tower": TowerOptions,
    "encoder": EncoderOptions,
}


def read_parameters(path: Path) -> Parameters:
    """Read a file; what it does not say has its default.

    Raises:
        ParametersError: unreadable, an unknown name, or a value of another kind.

    """
    try:
        content = path.read_text()
        found = json.loads(content) if path.suffix == ".json" else tomllib.loads(content)
    except (OSError, ValueError) as error:
        raise ParametersError(f"{path}: {error}") from None
    return parameters_of(found)


def parameters_of(found: Mapping[str, Any]) -> Parameters:
    """Return parameters of plain values.

    Raises:
        ParametersError: an unknown name, or a value of another kind.

    """
    values: dict[str, Any] = {}
    for name, value in found.items():
        if name == "median_norm" and isinstance(value, int | float):
            values[name] = float(value)
        elif name in _SECTIONS and isinstance(value, Mapping):
            values[name] = _section(name, value)
        else:
            known = ", ".join((*_SECTIONS, "median_norm"))
            raise ParametersError(f"parameter {name!r} is unknown or misplaced; there are {known}")
    return Parameters(**values)


def write_parameters(path: Path, parameters: Parameters) -> None:
    """Write JSON for a path that ends so, else TOML."""
    found = parameters.as_dict()
    if path.suffix == ".json":
        path.write_text(json.dumps(found, indent=2) + "\n")
        return
    lines = [f"{name} = {json.dumps(v)}" for name, v in found.items() if not isinstance(v, dict)]
    for name, section in found.items():
        if isinstance(section, dict):
            lines += ["", f"[{name}]"]
            lines += [f"{key} = {json.dumps(value)}" for key, value in section.items()]
    path.write_text("\n".join(lines).lstrip() + "\n")


def _section(name: str, values: Mapping[str, Any]) -> Any:
    fields = {one.name: one for one in dataclasses.fields(_SECTIONS[name])}
    defaults = _SECTIONS[name]()
    checked: dict[str, Any] = {}
    for key, value in values.items():
        if key not in fields:
            raise ParametersError(f"[{name}] has no {key!r}; there are {', '.join(fields)}")
        wanted = getattr(defaults, key)
        if isinstance(wanted, float) or wanted is None:
            fits = isinstance(value, int | float) and not isinstance(value, bool)
            value = float(value) if fits else value
        else:
            fits = type(value) is type(wanted)
        if not fits:
            raise ParametersError(f"[{name}] {key} = {value!r} is of the wrong kind")
        checked[key] = value
    return _SECTIONS[name](**checked)


def _without_none(values: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: _without_none(value) if isinstance(value, Mapping) else value
        for name, value in values.items()
        if value is not None
    }
