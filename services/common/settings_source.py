"""Where settings come from: command line, then environment, then file, then defaults."""

import difflib
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from pydantic import ValidationError

from services.common.service_settings import ServiceSettings
from services.common.settings_file import SettingsFileError, read_settings_file

CONFIG_FILE = "config_file"
_LEAST_LIKENESS = 0.7
_OF_THE_COMMAND_LINE = frozenset({"TARGET"})
"""HARKEN_<SERVICE>_TARGET tells `harken` where the services are."""
_SERVICE_LINK = re.compile(
    r"(.*_)?(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)"
)
"""What Kubernetes sets for a Service whose name begins like ours, unless enableServiceLinks: false.

HARKEN_RANKER_SERVICE_HOST, HARKEN_RANKER_PORT_7403_TCP_ADDR, HARKEN_RANKER_HEADLESS_PORT ...
"""

Settings = TypeVar("Settings", bound=ServiceSettings)


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a setting. Values are in no message: some are secret."""

    key: str
    message: str

    def __str__(self) -> str:
        return f"{self.key}: {self.message}"


class SettingsError(Exception):
    """Settings are wrong; all faults are named."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__("; ".join(map(str, self.faults)))


@dataclass(frozen=True, slots=True)
class Loaded(Generic[Settings]):
    """Settings, and what else was found.

    `unknown`: keys that name no setting. `links`: variables of Kubernetes that only look like
    ours. `hidden`: keys that the file sets in vain, for the environment goes before it.
    """

    settings: Settings
    unknown: tuple[Fault, ...]
    links: tuple[str, ...]
    hidden: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SettingsSource(Generic[Settings]):
    """Reads the settings of a service. `given` are those of the command line, by name."""

    kind: type[Settings]
    given: Mapping[str, Any]

    def load(self) -> Loaded[Settings]:
        """Read everything anew.

        Raises:
            SettingsError: a value is wrong or missing, or the file cannot be read.

        """
        environment = self._environment()
        file_key = self.kind.key_of(CONFIG_FILE)
        path = environment.get(file_key)
        try:
            file = {} if path is None else read_settings_file(Path(path))
        except SettingsFileError as error:
            raise SettingsError([Fault(file_key, str(error))]) from None
        known = frozenset(self.kind.model_fields) - {CONFIG_FILE}
        set_already = {
            *self.given,
            *(name for name in known if self.kind.key_of(name) in environment),
        }
        values = {name: file[name] for name in file if name in known and name not in set_already}
        try:
            settings = self.kind(**{**values, **self.given})
        except ValidationError as error:
            raise SettingsError(self._faults(error, values, path)) from None
        return Loaded(
            settings,
            (*self._unknown_variables(environment), *self._unknown_names(file, known, path)),
            tuple(sorted(key for key in environment if self._is_link(key))),
            tuple(sorted(self.kind.key_of(name) for name in file if name in set_already)),
        )

    def _environment(self) -> dict[str, str]:
        """Return our part of the environment. As for pydantic, case does not matter."""
        upper = {key.upper(): value for key, value in os.environ.items()}
        return {key: upper[key] for key in upper if key.startswith(self.kind.prefix())}

    def _faults(
        self, error: ValidationError, of_file: Mapping[str, Any], path: str | None
    ) -> list[Fault]:
        faults = []
        for fault in error.errors(include_input=False, include_url=False):
            field, *inner = map(str, fault["loc"] or ("",))
            place = f" at {'.'.join(inner)}" if inner else ""
            where = f" in {path}" if field in of_file else ""
            message = fault["msg"].removeprefix("Value error, ")
            faults.append(Fault(f"{self.kind.key_of(field)}{place}{where}", message))
        return faults

    def _is_link(self, key: str) -> bool:
        name = key.removeprefix(self.kind.prefix())
        return name.lower() not in self.kind.model_fields and bool(_SERVICE_LINK.fullmatch(name))

    def _unknown_variables(self, environment: Mapping[str, str]) -> list[Fault]:
        prefix = self.kind.prefix()
        names = [name.upper() for name in self.kind.model_fields]
        unknown = [
            name
            for name in sorted(key.removeprefix(prefix) for key in environment)
            if name not in names
            and name not in _OF_THE_COMMAND_LINE
            and not _SERVICE_LINK.fullmatch(name)
        ]
        return [
            Fault(prefix + name, f"is no setting{_nearest(name, names, prefix)}")
            for name in unknown
        ]

    def _unknown_names(
        self, file: Mapping[str, Any], known: frozenset[str], path: str | None
    ) -> list[Fault]:
        return [
            Fault(f"{name} in {path}", f"is no setting{_nearest(name, known)}")
            for name in sorted(file)
            if name not in known
        ]


def _nearest(name: str, known: Iterable[str], prefix: str = "") -> str:
    """Return a hint at the known name that is most alike, an empty text if none is."""
    alike = difflib.get_close_matches(name, sorted(known), n=1, cutoff=_LEAST_LIKENESS)
    return f"; did you mean {prefix}{alike[0]}?" if alike else ""
