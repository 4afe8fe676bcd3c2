"""Contexts of events, sealed with the keys of their users while they are stored."""

from collections.abc import Sequence

from harken.internal.log.v1 import entry_pb2
from services.common.vault.sealing import SealPurpose
from services.common.vault.vault import UserVault
from services.feedback.events.event_conversion import PreparedRequest


async def admit_users(vault: UserVault, request: PreparedRequest) -> None:
    """Make sure that the users of a request can be named, and seal the contexts of its events.

    Raises:
        StoreUnavailableError: the vault is away; nothing may be appended.

    """
    if not request.names:
        return
    await vault.admit(request.tenant, request.names)
    if not request.unsealed:
        return
    events = request.events
    user_keys = {events.user_keys[index] for index in request.unsealed}
    seals = await vault.seals(request.tenant, user_keys)
    for index, (entry, given) in request.unsealed.items():
        event, alone = entry.event, entry_pb2.LoggedEvent()
        alone.context.MergeFrom(given.context)
        # None where the user is erased at this moment: then there is no context.
        event.sealed_context = (
            seals.seal(event.user_key, SealPurpose.CONTEXT, alone.SerializeToString()) or b""
        )
        events.entries[index] = entry.SerializeToString()
    request.unsealed.clear()


async def open_contexts(
    vault: UserVault, tenant: str, events: Sequence[entry_pb2.LoggedEvent]
) -> None:
    """Put their contexts into events that have them sealed; those whose users' keys were destroyed
    stay without.

    Raises:
        BrokenSealError: what is stored was changed.
        StoreUnavailableError: the vault is away.

    """
    sealed = [event for event in events if event.sealed_context]
    if not sealed:
        return
    seals = await vault.seals(tenant, {event.user_key for event in sealed})
    for event in sealed:
        plain = seals.unseal(event.user_key, SealPurpose.CONTEXT, event.sealed_context)
        if plain is not None:
            event.MergeFromString(plain)
