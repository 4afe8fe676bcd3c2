"""Users of one request: their stored keys, and that they can be named later."""

from harken.common.v1 import subject_pb2
from services.common.vault.vault import UserVault


class Admission:
    """Makes stored keys of subjects of a tenant, and keeps their ids until they are admitted."""

    def __init__(self, vault: UserVault, tenant: str) -> None:
        self._vault = vault
        self._tenant = tenant
        self._names: dict[bytes, str] = {}

    def key_of(self, subject: subject_pb2.Subject) -> bytes:
        """Return the stored key of a subject, which is sound."""
        user_key = self._vault.pseudonyms.key_of(self._tenant, subject)
        self._names[user_key] = subject.user_id or subject.session_id
        return user_key

    async def done(self) -> None:
        """Admit them all, before anything of them is stored.

        Raises:
            StoreUnavailableError: the vault is away.

        """
        await self._vault.admit(self._tenant, self._names)
