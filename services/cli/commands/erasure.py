"""`harken erasure`: how far erasures are, and what was signed of them."""

import base64
import json
from pathlib import Path
from typing import Annotated

import typer
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from rich.box import SIMPLE_HEAD
from rich.table import Table

from harken.profile.v1 import erasure_pb2, profile_service_pb2
from services.cli.clients import CALL_SECONDS, connect
from services.cli.console import output
from services.cli.endpoints import Endpoints
from services.cli.erasure_view import state_text
from services.cli.failures import CommandError, clear_failures, run
from services.cli.item_view import id_text, plain_text
from services.cli.options import SuiteOptions, Tenant, with_suite_options
from services.common.receipts import is_signed

app = typer.Typer(help="Look at erasures of users.")

ErasureId = Annotated[str, typer.Argument(help="Id that `harken users erase` printed.")]


@app.callback()
def erasure() -> None:
    """Look at erasures of users."""


@app.command()
@with_suite_options
def get(erasure_id: ErasureId, tenant: Tenant = "default", *, suite: SuiteOptions) -> None:
    """Show how far an erasure is, and its receipts."""
    with clear_failures():
        endpoints = suite.endpoints()
    run(_show(endpoints, tenant, erasure_id))


@app.command("list")
@with_suite_options
def list_erasures(
    count: Annotated[int, typer.Option(min=1, max=1000, help="Number of erasures.")] = 20,
    tenant: Tenant = "default",
    *,
    suite: SuiteOptions,
) -> None:
    """Show erasures, the newest first."""
    with clear_failures():
        endpoints = suite.endpoints()
    run(_list(endpoints, tenant, count))


@app.command()
@with_suite_options
def verify(
    erasure_id: ErasureId,
    signed_by: Annotated[
        list[Path] | None,
        typer.Option(help="PEM file of a public key that receipts may be signed with; repeatable."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
    tenant: Tenant = "default",
    *,
    suite: SuiteOptions,
) -> None:
    """Check that an erasure is done and that all its receipts are signed, by known keys if given.

    With --json it prints the receipts, to be kept and checked elsewhere: the signature is Ed25519
    over the bytes of the statement, a harken.profile.v1.ErasureStatement.
    """
    with clear_failures():
        endpoints = suite.endpoints()
        keys = {_public_key(path) for path in signed_by or ()}
    run(_verify(endpoints, tenant, erasure_id, keys, as_json))


async def _show(endpoints: Endpoints, tenant: str, erasure_id: str) -> None:
    found = await _get(endpoints, tenant, erasure_id)
    output().print(f"{state_text(found)}; {found.entries:,} entries of the log")
    output().print(_receipts(found))


async def _verify(
    endpoints: Endpoints, tenant: str, erasure_id: str, keys: set[bytes], as_json: bool
) -> None:
    found = await _get(endpoints, tenant, erasure_id)
    said = [erasure_pb2.ErasureStatement.FromString(one.statement) for one in found.receipts]
    if as_json:
        for one in found.receipts:
            typer.echo(json.dumps(_as_json(one)))
    wrong = [
        statement.component
        for one, statement in zip(found.receipts, said, strict=True)
        if not is_signed(one)
        or statement.erasure_id != erasure_id
        or (keys and one.public_key not in keys)
    ]
    if wrong:
        raise CommandError(f"not signed as it should be: {', '.join(sorted(wrong))}")
    missing = {"profile", "learner", "log"} - {statement.component for statement in said}
    if missing or found.state != erasure_pb2.ERASURE_STATE_DONE:
        raise CommandError(f"not done: {state_text(found)}")
    if not as_json:
        output().print(f"done; {len(found.receipts)} receipts, all signed")


async def _get(endpoints: Endpoints, tenant: str, erasure_id: str) -> erasure_pb2.Erasure:
    request = profile_service_pb2.GetErasureRequest(tenant=tenant, erasure_id=erasure_id)
    async with connect(endpoints) as clients:
        return (await clients.profile.GetErasure(request, timeout=CALL_SECONDS)).erasure


async def _list(endpoints: Endpoints, tenant: str, count: int) -> None:
    request = profile_service_pb2.ListErasuresRequest(tenant=tenant, page_size=count)
    async with connect(endpoints) as clients:
        answer = await clients.profile.ListErasures(request, timeout=CALL_SECONDS)
    table = Table("erasure", "asked for", "state", "note", box=SIMPLE_HEAD)
    for one in answer.erasures:
        asked = one.request_time.ToJsonString()
        table.add_row(id_text(one.erasure_id), asked, state_text(one), plain_text(one.note))
    output().print(table)


def _receipts(erasure: erasure_pb2.Erasure) -> Table:
    table = Table("component", "instance", "when", "what", "signed", box=SIMPLE_HEAD)
    for one in erasure.receipts:
        said = erasure_pb2.ErasureStatement.FromString(one.statement)
        counts = ", ".join(f"{name} {count:,}" for name, count in sorted(said.counts.items()))
        table.add_row(
            plain_text(said.component), plain_text(said.instance), said.time.ToJsonString(),
            plain_text(counts), "yes" if is_signed(one) else "no",
        )  # fmt: skip
    return table


def _as_json(receipt: erasure_pb2.ErasureReceipt) -> dict[str, str]:
    return {
        "statement": base64.b64encode(receipt.statement).decode(),
        "signature": base64.b64encode(receipt.signature).decode(),
        "public_key": base64.b64encode(receipt.public_key).decode(),
    }


def _public_key(path: Path) -> bytes:
    try:
        key = load_pem_public_key(path.read_bytes())
    except (OSError, ValueError) as error:
        raise CommandError(f"{path} holds no public key: {error}") from None
    if not isinstance(key, Ed25519PublicKey):
        raise CommandError(f"{path} holds no Ed25519 public key")
    return key.public_bytes_raw()
