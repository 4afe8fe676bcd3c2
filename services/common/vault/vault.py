"""What services ask about users' ids and what is sealed with users' keys."""

import asyncio
import time
from collections.abc import Callable, Collection, Mapping
from typing import Protocol

from prometheus_client import CollectorRegistry, Counter, Gauge

from harken.common.v1 import subject_pb2
from services.common.errors import StoreUnavailableError
from services.common.reloadable import Reloadable
from services.common.user_key import Pseudonyms, named_subject, plain_subject
from services.common.vault.master_keys import KeyWrapping, WrongMasterKeyError
from services.common.vault.sealing import SealPurpose, UserSecret
from services.common.vault.user_keys import StoredKey, UserKeys

FRESH_SECONDS = 0.5
"""For so long a process uses keys that it holds before it asks whether any was destroyed."""
HELD_KEYS = 100_000
"""Wrapped keys held by a process, about 40 MB; the oldest go first."""
_SLICE = 1000
"""Keys made in one go, and in one statement: about 8 ms of the event loop."""


class Seals(Protocol):
    """Seals and unseals for some users of one tenant, for the moment: not to be kept."""

    def seal(self, user_key: bytes, purpose: SealPurpose, plain: bytes) -> bytes | None:
        """Return `plain`, sealed; None: the user's key was destroyed."""

    def unseal(self, user_key: bytes, purpose: SealPurpose, sealed: bytes) -> bytes | None:
        """Return what was sealed; None: the key that sealed it was destroyed.

        Raises:
            BrokenSealError: it was changed since, or stands where it was not sealed for.

        """


class UserVault(Protocol):
    """Names users, and lends what seals for them.

    All methods may raise StoreUnavailableError.
    """

    pseudonyms: Pseudonyms

    async def admit(self, tenant: str, names: Mapping[bytes, str]) -> None:
        """Make sure that users can be named later, given their ids by stored key. Costs nothing for
        those who were admitted lately, and one statement for all others.
        """

    async def seals(self, tenant: str, user_keys: Collection[bytes]) -> Seals:
        """Return what seals for users who were admitted, unless their keys were destroyed."""

    async def subjects(
        self, tenant: str, user_keys: Collection[bytes]
    ) -> Mapping[bytes, subject_pb2.Subject]:
        """Return who users are, without those whose keys were destroyed."""


class NoVault:
    """Where stored keys are ids: users are named by them, and nothing is sealed."""

    def __init__(self) -> None:
        self.pseudonyms = Pseudonyms()

    async def admit(self, tenant: str, names: Mapping[bytes, str]) -> None:
        """Do nothing."""

    async def seals(self, tenant: str, user_keys: Collection[bytes]) -> Seals:
        """Refuse: ask `pseudonyms.keyed` first."""
        raise RuntimeError("nothing is sealed without a vault")

    async def subjects(
        self, tenant: str, user_keys: Collection[bytes]
    ) -> Mapping[bytes, subject_pb2.Subject]:
        """Return who users are."""
        return {user_key: plain_subject(user_key) for user_key in user_keys}


class VaultMetrics:
    """What became of what was asked of the vault."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.created = Counter(
            "harken_vault_keys_created", "Keys of users made by this process.", registry=registry
        )
        self.absent = Counter(
            "harken_vault_absent",
            "What could not be read, as the user's key was destroyed, by what it was.",
            ["what"], registry=registry,
        )  # fmt: skip
        self.held = Gauge(
            "harken_vault_keys_held", "Wrapped keys of users held by this process.",
            registry=registry,
        )  # fmt: skip


class Vault:
    """Keys of users from the table, some of them held, wrapped as they are there.

    What is held is used for half a second; then it is asked once, for all calls, whether any key
    was destroyed since, and if so nothing is held any more.
    """

    def __init__(
        self,
        pseudonyms: Pseudonyms,
        wrapping: Reloadable[KeyWrapping],
        keys: UserKeys,
        metrics: VaultMetrics,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.pseudonyms = pseudonyms
        self._wrapping = wrapping
        self._keys = keys
        self._metrics = metrics
        self._clock = clock
        self._held: dict[tuple[str, bytes], StoredKey] = {}
        self._changes = -1
        self._asked = float("-inf")
        self._asking = asyncio.Lock()
        metrics.held.set_function(lambda: len(self._held))

    async def admit(self, tenant: str, names: Mapping[bytes, str]) -> None:
        """Make keys for users who have none, and seal their ids with them."""
        await self._freshen()
        held = self._held
        new = [user_key for user_key in names if (tenant, user_key) not in held]
        if not new:
            return
        for start in range(0, len(new), _SLICE):
            if start:
                await asyncio.sleep(0)
            await self._create(tenant, {key: names[key] for key in new[start : start + _SLICE]})

    async def _create(self, tenant: str, names: Mapping[bytes, str]) -> None:
        wrapping, changes = self._wrapping.value, self._changes
        # Before any: a newer one may take its turn meanwhile.
        version = wrapping.version
        made = {}
        for user_key, name in names.items():
            secret = UserSecret.new()
            made[user_key] = StoredKey(
                wrapping.wrap(tenant, user_key, secret),
                secret.seal(tenant, user_key, SealPurpose.NAME, name.encode()),
            )
        found, created = await self._keys.create(tenant, made, version)
        self._metrics.created.inc(created)
        self._hold(tenant, found, changes)

    async def seals(self, tenant: str, user_keys: Collection[bytes]) -> "_Lent":
        """Return what seals for users."""
        stored = await self._stored(tenant, user_keys)
        return _Lent(tenant, self._unwrapped(tenant, stored), self._metrics)

    async def subjects(
        self, tenant: str, user_keys: Collection[bytes]
    ) -> Mapping[bytes, subject_pb2.Subject]:
        """Return who users are."""
        stored = await self._stored(tenant, user_keys)
        found = {}
        for user_key, secret in self._unwrapped(tenant, stored).items():
            sealed = stored[user_key].sealed_name
            name = secret.unseal(tenant, user_key, SealPurpose.NAME, sealed)
            found[user_key] = named_subject(user_key, name.decode())
        self._metrics.absent.labels("name").inc(len(set(user_keys)) - len(found))
        return found

    async def _stored(self, tenant: str, user_keys: Collection[bytes]) -> dict[bytes, StoredKey]:
        await self._freshen()
        held = self._held
        wanted = set(user_keys)
        stored = {key: held[tenant, key] for key in wanted if (tenant, key) in held}
        missing = wanted - stored.keys()
        if missing:
            changes = self._changes
            found = await self._keys.find(tenant, missing)
            self._hold(tenant, found, changes)
            stored |= found
        return stored

    def _unwrapped(self, tenant: str, stored: Mapping[bytes, StoredKey]) -> dict[bytes, UserSecret]:
        unwrap = self._wrapping.value.unwrap
        try:
            return {key: unwrap(tenant, key, one.wrapped) for key, one in stored.items()}
        except WrongMasterKeyError as error:
            # Of a version that others have already, or had for longer: ours comes with the file.
            raise StoreUnavailableError(f"keys of users cannot be unwrapped: {error}") from error

    def _hold(self, tenant: str, found: Mapping[bytes, StoredKey], changes: int) -> None:
        """Hold keys, unless one was destroyed since they were asked for."""
        if changes != self._changes:
            return
        held = self._held
        held.update({(tenant, key): one for key, one in found.items()})
        while len(held) > HELD_KEYS:
            del held[next(iter(held))]

    async def _freshen(self) -> None:
        if self._clock() - self._asked < FRESH_SECONDS:
            return
        async with self._asking:
            asked = self._clock()
            if asked - self._asked < FRESH_SECONDS:
                return
            changes = await self._keys.changes()
            if changes != self._changes:
                self._held.clear()
                self._changes = changes
            self._asked = asked


class _Lent:
    """Seals of some users."""

    def __init__(
        self, tenant: str, secrets: Mapping[bytes, UserSecret], metrics: VaultMetrics
    ) -> None:
        self._tenant = tenant
        self._secrets = secrets
        self._metrics = metrics

    def seal(self, user_key: bytes, purpose: SealPurpose, plain: bytes) -> bytes | None:
        """Return `plain`, sealed."""
        secret = self._secrets.get(user_key)
        if secret is None:
            self._metrics.absent.labels(purpose.name.lower()).inc()
            return None
        return secret.seal(self._tenant, user_key, purpose, plain)

    def unseal(self, user_key: bytes, purpose: SealPurpose, sealed: bytes) -> bytes | None:
        """Return what was sealed."""
        secret = self._secrets.get(user_key)
        if secret is None or not secret.sealed(sealed):
            self._metrics.absent.labels(purpose.name.lower()).inc()
            return None
        return secret.unseal(self._tenant, user_key, purpose, sealed)
