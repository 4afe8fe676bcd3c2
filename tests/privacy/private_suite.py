"""What makes a suite one that stores pseudonyms, and seals what belongs to users."""

from collections.abc import Mapping
from pathlib import Path

from services.cli.suite import Kind
from services.common.vault.key_file import Purpose, new_keys, write_key_file


def private_environment(
    folder: Path, keys_dsn: str, environment: Mapping[Kind, Mapping[str, str]] | None = None
) -> Mapping[Kind, Mapping[str, str]]:
    """Return the environment of a suite, over `environment`; files of keys that are not in `folder`
    are made.
    """
    folder.mkdir(parents=True, exist_ok=True)
    pseudonyms, vault = folder / "pseudonyms.json", folder / "vault.json"
    for path, purpose in ((pseudonyms, Purpose.PSEUDONYMS), (vault, Purpose.VAULT)):
        if not path.exists():
            write_key_file(path, new_keys(purpose))
    kinds: tuple[Kind, ...] = ("feedback", "profile", "ranker")
    made: dict[Kind, dict[str, str]] = {}
    for kind in kinds:
        prefix = f"HARKEN_{kind.upper()}_"
        made[kind] = {**(environment or {}).get(kind, {}),
                      f"{prefix}PSEUDONYM_KEY_FILE": str(pseudonyms)}  # fmt: skip
        if kind != "ranker":
            made[kind] |= {f"{prefix}VAULT_DSN": keys_dsn, f"{prefix}VAULT_KEY_FILE": str(vault)}
    return made
