"""What makes a suite one that stores pseudonyms, and seals what belongs to users."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from services.cli.suite import Kind
from services.cli.vault_files import make_files, with_keys

_NOTHING: Mapping[Kind, Mapping[str, str]] = MappingProxyType({})


def private_environment(
    folder: Path, keys_dsn: str, environment: Mapping[Kind, Mapping[str, str]] = _NOTHING
) -> Mapping[Kind, Mapping[str, str]]:
    """Return the environment of a suite, over `environment`; files of keys that are not in `folder`
    are made.
    """
    make_files(folder)
    return with_keys(environment, folder, keys_dsn)
