"""What makes stored keys, from the file of keys: all that a ranker, which has no vault, needs."""

from pathlib import Path

from services.common.user_key import Pseudonyms
from services.common.vault.key_file import Purpose, read_key_file


def pseudonyms_of(key_file: Path | None) -> Pseudonyms:
    """Return what makes stored keys, with the keys of a file or without.

    Raises:
        RuntimeError: the file cannot be read, or is wrong.

    """
    if key_file is None:
        return Pseudonyms()
    file = read_key_file(Purpose.PSEUDONYMS, key_file)
    if file.keys[0].version != 1 or file.keys[-1].version != len(file.keys):
        raise RuntimeError(f"{key_file}: lacks a version of the key: each is made of all before it")
    return Pseudonyms([one.key for one in file.keys])
