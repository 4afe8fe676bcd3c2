"""Wrapping the keys of all users by the newest version of the master key, while others use them."""

from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping

from services.common.vault.master_keys import KeyWrapping, wrapped_version
from services.common.vault.sealing import UserSecret
from services.common.vault.user_keys import UserKeys

_PAGE = 500


async def versions(keys: UserKeys) -> Mapping[int, int]:
    """Return how many users' keys each version of the master key wraps.

    Raises:
        StoreUnavailableError: the vault is away.

    """
    found: Counter[int] = Counter()
    async for page in _pages(keys):
        found.update(wrapped_version(wrapped) for _, _, wrapped in page)
    return found


async def rewrap(
    keys: UserKeys, wrapping: KeyWrapping, progress: Callable[[int], None] = lambda _: None
) -> int:
    """Wrap by the newest version what is wrapped by another; return how many keys that were.

    Page after page, each in a statement of its own, so it may be broken off and repeated. Keys that
    are made or destroyed meanwhile are left alone. `progress` hears how many keys were looked at.

    Raises:
        WrongMasterKeyError: a version that wraps one is not there; those before it are done.
        StoreUnavailableError: the vault is away.

    """
    done = seen = 0
    newest = wrapping.version
    async for page in _pages(keys):
        rows = [
            (tenant, user_key, wrapped,
             wrapping.wrap(tenant, user_key, wrapping.unwrap(tenant, user_key, wrapped)))
            for tenant, user_key, wrapped in page
            if wrapped_version(wrapped) != newest
        ]  # fmt: skip
        if rows:
            await keys.rewrap(rows)
        done += len(rows)
        seen += len(page)
        progress(seen)
    await keys.rewrapped(wrapping.wrap("", b"", UserSecret.new()))
    return done


async def _pages(keys: UserKeys) -> AsyncIterator[list[tuple[str, bytes, bytes]]]:
    after = ("", b"")
    while page := await keys.page(after, _PAGE):
        yield page
        after = page[-1][:2]
