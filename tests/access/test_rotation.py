"""Nothing fails while certificates and keys are replaced."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from services.common.access import watched_files
from services.common.access.certificates import Pem
from services.common.channel_identity import ChannelIdentity
from services.common.channels import open_channel
from services.common.reloadable import Reloadable
from tests.access.rotation import following, rotate_certificates, rotate_keys
from tests.access.served import Served, serving


@pytest_asyncio.fixture
async def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Served]:
    monkeypatch.setattr(watched_files, "WATCH_SECONDS", 0.01)
    folder = tmp_path / "server"
    folder.mkdir()
    async with serving(folder) as made:
        yield made


async def test_certificates_and_authorities_are_replaced_under_calls(
    served: Served, tmp_path: Path
) -> None:
    folder = tmp_path / "client"
    folder.mkdir()
    outcome = await rotate_certificates(served, folder, rounds=3)
    assert outcome.failed == []
    assert outcome.ok >= 450


async def test_keys_are_replaced_under_calls(served: Served) -> None:
    outcome = await rotate_keys(served, rounds=3)
    assert outcome.failed == []
    assert outcome.ok >= 300


async def test_a_stream_goes_on_where_it_is_while_new_calls_go_elsewhere(served: Served) -> None:
    first = served.authority.leaf("spiffe://harken/service/ranker")
    pem = Reloadable(Pem(served.authority.pem, first.chain, first.key))
    async with (
        open_channel(served.certificates, identity=ChannelIdentity(pem)) as channel,
        following(channel) as stream,
    ):
        second = served.authority.leaf("spiffe://harken/service/ranker")
        pem.set(Pem(served.authority.pem, second.chain, second.key))
        async with following(channel) as other:
            await other.done_writing()
            await other.read()
        await stream.done_writing()
        assert await stream.read() is not None
