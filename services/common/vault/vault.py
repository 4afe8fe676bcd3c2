"""What services ask about users' ids and what is sealed with users' keys."""

import asyncio
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Protocol

from prometheus_client import CollectorRegistry, Counter, Gauge

from harken.common.v1 import subject_pb2
from services.common.errors import StoreUnavailableError
from services.common.reloadable import Reloadable
from services.common.user_key import Pseudonyms, named_subject, plain_subject
from services.common.vault.master_keys import KeyWrapping, WrongMasterKeyError
from services.common.vault.sealing import KEY_BYTES, SealPurpose, UserSecret
from services.common.vault.user_keys import StoredKey, UserKeys

FRESH_SECONDS = 0.5
"""For so long a process uses keys that it holds before it asks whether any was destroyed."""
HELD_KEYS = 50_000
"""Keys held by a process, about 35 MB; the oldest go first."""
_NO_SECRET = UserSecret(b"", bytes(KEY_BYTES))
"""In the place of one that was not unwrapped yet."""
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

    async def destroy(self, tenant: str, user_keys: Collection[bytes]) -> int:
        """Destroy the keys of users: nothing that was sealed with them is read again, and within a
        second by no process. Return how many there were. May be repeated.
        """


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

    async def destroy(self, tenant: str, user_keys: Collection[bytes]) -> int:
        """Do nothing: there are no keys."""
        return 0


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
            "harken_vault_keys_held", "Keys of users held by this process.",
            registry=registry,
        )  # fmt: skip


@dataclass(slots=True)
class _Held:
    """A key as it is in the table, and unwrapped once it was used."""

    stored: StoredKey
    secret: UserSecret = _NO_SECRET


class Vault:
    """Keys of users from the table, some of them held.

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
        self._held: dict[tuple[str, bytes], _Held] = {}
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
        known = await self._known(tenant, user_keys)
        return _Lent(tenant, {key: one.secret for key, one in known.items()}, self._metrics)

    async def subjects(
        self, tenant: str, user_keys: Collection[bytes]
    ) -> Mapping[bytes, subject_pb2.Subject]:
        """Return who users are."""
        found = {}
        for user_key, one in (await self._known(tenant, user_keys)).items():
            name = one.secret.unseal(tenant, user_key, SealPurpose.NAME, one.stored.sealed_name)
            found[user_key] = named_subject(user_key, name.decode())
        self._metrics.absent.labels("name").inc(len(set(user_keys)) - len(found))
        return found

    async def destroy(self, tenant: str, user_keys: Collection[bytes]) -> int:
        """Destroy the keys of users."""
        destroyed = await self._keys.destroy(tenant, list(user_keys))
        # Others ask soon whether any was; we know.
        for user_key in user_keys:
            self._held.pop((tenant, user_key), None)
        return destroyed

    async def _known(self, tenant: str, user_keys: Collection[bytes]) -> dict[bytes, _Held]:
        """Return the keys of those users who have one, unwrapped."""
        await self._freshen()
        held = self._held
        known = {key: held[tenant, key] for key in user_keys if (tenant, key) in held}
        if len(known) < len(user_keys):
            missing = [key for key in set(user_keys) if key not in known]
            if missing:
                changes = self._changes
                known |= self._hold(tenant, await self._keys.find(tenant, missing), changes)
        wrapping = self._wrapping.value
        try:
            for user_key, one in known.items():
                if one.secret is _NO_SECRET:
                    one.secret = wrapping.unwrap(tenant, user_key, one.stored.wrapped)
        except WrongMasterKeyError as error:
            # Of a version that others have already, or had for longer: ours comes with the file.
            raise StoreUnavailableError(f"keys of users cannot be unwrapped: {error}") from error
        return known

    def _hold(
        self, tenant: str, found: Mapping[bytes, StoredKey], changes: int
    ) -> dict[bytes, _Held]:
        """Hold keys, unless one was destroyed since they were asked for; return them anyway."""
        known = {user_key: _Held(one) for user_key, one in found.items()}
        if changes == self._changes:
            held = self._held
            held.update({(tenant, user_key): one for user_key, one in known.items()})
            while len(held) > HELD_KEYS:
                del held[next(iter(held))]
        return known

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
