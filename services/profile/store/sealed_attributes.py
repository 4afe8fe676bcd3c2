"""Attributes as they are stored: JSON text, or the same sealed with the key of their user."""

from collections.abc import Collection

from services.common.vault.sealing import SealPurpose
from services.common.vault.vault import Seals, UserVault

NOTHING = "{}"
"""What stands in the column of plain attributes beside those that are sealed."""


class AttributeSeals:
    """Seals and unseals attributes of some users of a tenant, for the moment."""

    def __init__(self, seals: Seals | None) -> None:
        """`seals`: None where nothing is sealed."""
        self._seals = seals

    def sealed(self, user_key: bytes, text: str) -> tuple[str, bytes | None] | None:
        """Return what is stored of attributes: both columns. None: the user's key was destroyed."""
        if self._seals is None:
            return text, None
        sealed = self._seals.seal(user_key, SealPurpose.ATTRIBUTES, text.encode())
        return None if sealed is None else (NOTHING, sealed)

    def text(self, user_key: bytes, stored: str, sealed: bytes | None) -> str | None:
        """Return attributes, given both columns. None: the key that sealed them was destroyed.

        Raises:
            BrokenSealError: what is stored was changed.

        """
        if sealed is None:
            return stored
        if self._seals is None:
            return None
        plain = self._seals.unseal(user_key, SealPurpose.ATTRIBUTES, sealed)
        return None if plain is None else plain.decode()


async def attribute_seals(
    vault: UserVault, tenant: str, user_keys: Collection[bytes]
) -> AttributeSeals:
    """Return what seals attributes of users who were admitted.

    Raises:
        StoreUnavailableError: the vault is away.

    """
    if not vault.pseudonyms.keyed or not user_keys:
        return AttributeSeals(None)
    return AttributeSeals(await vault.seals(tenant, user_keys))
