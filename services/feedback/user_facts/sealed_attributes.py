"""Attributes of users in the log, sealed with the keys of their users."""

from collections.abc import Mapping, Sequence

from harken.internal.log.v1 import entry_pb2
from services.common.vault.sealing import SealPurpose
from services.common.vault.vault import UserVault
from services.feedback.log.log_store import LogRow

# The first byte of an entry says of what kind it is: it has that field and no other.
_FACT_TAG = entry_pb2.Entry.USER_FACT_FIELD_NUMBER << 3 | 2


async def unsealed_attributes(vault: UserVault, rows: Sequence[LogRow]) -> Mapping[int, bytes]:
    """Return the attributes, as serialised Structs, of those entries that have them sealed, by
    sequence; without those whose users' keys were destroyed.

    Raises:
        BrokenSealError: what is stored was changed.
        StoreUnavailableError: the vault is away.

    """
    sealed: dict[str, list[tuple[int, entry_pb2.LoggedUserFact]]] = {}
    for row in rows:
        if row.entry[0] == _FACT_TAG:
            fact = entry_pb2.Entry.FromString(row.entry).user_fact
            if fact.sealed_attributes:
                sealed.setdefault(row.tenant, []).append((row.sequence, fact))
    found = {}
    for tenant, facts in sealed.items():
        seals = await vault.seals(tenant, {fact.user_key for _, fact in facts})
        for sequence, fact in facts:
            plain = seals.unseal(fact.user_key, SealPurpose.ATTRIBUTES, fact.sealed_attributes)
            if plain is not None:
                found[sequence] = plain
    return found
