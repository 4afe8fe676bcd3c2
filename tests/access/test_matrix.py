"""Who may call what, over real certificates, keys and tokens (truth 15)."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from services.common.access import watched_files
from tests.access.matrix import callers, surprises
from tests.access.served import Served, serving


@pytest_asyncio.fixture(scope="module")
async def served(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(watched_files, "WATCH_SECONDS", 0.01)
        async with serving(tmp_path_factory.mktemp("served")) as made:
            yield made


async def test_every_rpc_by_every_caller(served: Served) -> None:
    everybody = list(callers(served))
    count, found = await surprises(served, everybody)
    assert not found, "\n".join(map(str, found[:30]))
    assert count > 2000
