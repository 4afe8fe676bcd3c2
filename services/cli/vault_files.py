"""Files of keys in a folder, and the settings that name them."""

from collections.abc import Mapping
from pathlib import Path

from services.cli.suite import Kind
from services.common.vault.key_file import Purpose, new_keys, write_key_file

KINDS: tuple[Kind, ...] = ("feedback", "profile", "ranker")
_WITH_VAULT: tuple[Kind, ...] = ("feedback", "profile")


def pseudonym_file(folder: Path) -> Path:
    """Return the file of the key of pseudonyms."""
    return folder / "pseudonyms.json"


def vault_file(folder: Path) -> Path:
    """Return the file of the master keys."""
    return folder / "vault.json"


def make_files(folder: Path) -> None:
    """Make what is not there yet, readable by its owner only; what is there stays."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for path, purpose in (
        (pseudonym_file(folder), Purpose.PSEUDONYMS),
        (vault_file(folder), Purpose.VAULT),
    ):
        if not path.exists():
            write_key_file(path, new_keys(purpose))


def with_keys(
    environment: Mapping[Kind, Mapping[str, str]], folder: Path, vault_dsn: str
) -> Mapping[Kind, Mapping[str, str]]:
    """Return the environment of a suite, by kind of process, with the files of a folder."""
    made: dict[Kind, dict[str, str]] = {}
    for kind in KINDS:
        prefix = f"HARKEN_{kind.upper()}_"
        own = {f"{prefix}PSEUDONYM_KEY_FILE": str(pseudonym_file(folder))}
        if kind in _WITH_VAULT:
            own[f"{prefix}VAULT_DSN"] = vault_dsn
            own[f"{prefix}VAULT_KEY_FILE"] = str(vault_file(folder))
        made[kind] = {**own, **environment.get(kind, {})}
    return made
