"""The closed loop with TLS, certificates and keys: the same, and to nobody else."""

import asyncio
import contextlib
import json
from pathlib import Path
from typing import Any

import grpc

from harken.ranker.v1 import ranker_service_pb2, ranker_service_pb2_grpc
from services.common.channel_identity import ChannelIdentity
from tests.access.authority import Authority
from tests.access.secure_suite import keyed, secure_options
from tests.cli.harken_process import command, environment
from tests.conftest import StartSuite
from tests.end_to_end.clients import caller_of, catalogue, event
from tests.faults import fault_of
from tests.waiting import until


async def test_the_loop_is_closed_and_strangers_stay_out(suite: StartSuite, tmp_path: Path) -> None:
    authority, folder = Authority(), tmp_path / "tls"
    running = suite(preset="media", **secure_options(folder, authority))
    async with caller_of(running) as caller:
        filled = await caller.upsert(*catalogue())
        await caller.slate("nobody", filled)
        position = await caller.record(event("ann-1", "ann", "space-0"))
        after = await caller.slate("ann", position, count=60, learned=False)
        # Feed, profile and slates: all of it went through certificates.
        assert not after.stale
        assert not after.degradations
        assert "space-0" not in {slot.item_id for slot in after.slots}

    # A key of another tenant, on the port for keys of a ranker.
    key = keyed(folder, "backend/other")
    target = json.loads((running.folder / "ranker-1.address.json").read_text())["tokens"]
    identity = ChannelIdentity(authority.identity("spiffe://x/").pem, key)
    leaf = authority.leaf("spiffe://harken/operator/%2A")
    for name, content in (("op.crt", leaf.chain), ("op.key", leaf.key), ("ca", authority.pem)):
        (folder / name).write_bytes(content)
    async with grpc.aio.secure_channel(target, identity.credentials()) as channel:
        stub: Any = ranker_service_pb2_grpc.RankerServiceStub(channel)

        async def known() -> bool:
            call = stub.SimilarItems(ranker_service_pb2.SimilarItemsRequest(tenant="nothing"))
            with contextlib.suppress(grpc.aio.AioRpcError):
                await call
            return await call.code() is grpc.StatusCode.PERMISSION_DENIED

        await until(known, "the key to be read")
        said = set()
        for tenant in ("default", "nothing"):
            request = ranker_service_pb2.SimilarItemsRequest(tenant=tenant, item_id="space-0")
            error = await fault_of(stub.SimilarItems(request))
            said.add((error.code(), error.details()))
        # One answer, whether the tenant exists or not (truth 15).
        assert len(said) == 1

    # The command line, as an operator and as nobody.
    known_by = ["--ca", str(folder / "ca")]
    files = ["--certificate", str(folder / "op.crt"), "--key", str(folder / "op.key")]
    for shown, code in (([*known_by, *files], 0), (known_by, 1), ([], 1)):
        process = await asyncio.create_subprocess_exec(
            *command("items", "show", "space-0", "--folder", str(running.folder), *shown),
            env=environment(), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        _, errors = await process.communicate()
        assert process.returncode == code, errors.decode()
