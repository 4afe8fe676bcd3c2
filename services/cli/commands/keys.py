"""`harken keys create|list|revoke`: API keys, in a file that the services read."""

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.table import Table

from services.cli.console import messages, output
from services.cli.failures import CommandError, clear_failures
from services.cli.item_view import plain_text
from services.common.access.api_keys import ApiKey, create_key, read_keys, revoked, write_keys

app = typer.Typer(help="API keys of callers without certificates. The file holds hashes only.")

File = Annotated[
    Path,
    typer.Option(
        "--file", envvar="HARKEN_KEYS_FILE", help="The file, as HARKEN_<SERVICE>_KEYS_FILE has it."
    ),
]


@app.command()
def create(
    principal: Annotated[
        str,
        typer.Argument(
            help="Kind and tenant, such as backend/default, merchandiser/default or operator/*."
        ),
    ],
    file: File,
    days: Annotated[float, typer.Option(min=0.001, help="How long it holds.")] = 90.0,
    note: Annotated[str, typer.Option(help="What it is for.")] = "",
) -> None:
    """Make a key, and print it: it is shown this once.

    To rotate: create another, hand it over, and revoke the first when it is no longer used.
    """
    with clear_failures():
        keys = _read(file) if file.exists() else []
        try:
            kept, shown = create_key(principal, days, note, time.time())
        except ValueError as error:
            raise CommandError(f"{principal}: {error}") from None
        write_keys(file, [*keys, kept])
    messages().print(f"key {kept.key_id}, until {_time(kept.expires_at)}; it is shown this once")
    typer.echo(shown)


@app.command("list")
def list_keys(file: File) -> None:
    """Print the keys of a file, without their secrets, which nobody has."""
    with clear_failures():
        keys = _read(file)
    table = Table("id", "principal", "created", "expires", "state", "note", box=SIMPLE_HEAD)
    now = time.time()
    for one in keys:
        state = "revoked" if one.revoked_at else "holds" if one.holds_at(now) else "expired"
        table.add_row(
            one.key_id, plain_text(one.principal), _time(one.created_at), _time(one.expires_at),
            state, plain_text(one.note),
        )  # fmt: skip
    output().print(table)


@app.command()
def revoke(key_id: Annotated[str, typer.Argument(help="Id of the key.")], file: File) -> None:
    """Refuse a key from now on: services read the file within seconds."""
    with clear_failures():
        try:
            write_keys(file, revoked(_read(file), key_id, time.time()))
        except KeyError:
            raise CommandError(f"{file} has no key {key_id}") from None
    output().print(f"key {key_id} is revoked")


def _read(file: Path) -> list[ApiKey]:
    try:
        return read_keys([file.read_bytes()])
    except ValueError as error:
        raise CommandError(f"{file}: {error}") from None


def _time(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M")
