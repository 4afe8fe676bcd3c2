"""What commands say of a request, as the protos have it."""

from collections.abc import Sequence

import typer


def context_values(pairs: Sequence[str] | None) -> dict[str, str]:
    """Return what --context says, KEY=VALUE each.

    Raises:
        typer.BadParameter: one is not.

    """
    return dict(map(_key_and_value, pairs or []))


def position_of(option: str, text: str) -> bytes:
    """Return a position that an option gives in hexadecimal.

    Raises:
        typer.BadParameter: it does not.

    """
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise typer.BadParameter(f"{option} is no hexadecimal number") from None


def _key_and_value(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals:
        raise typer.BadParameter(f"--context {text!r} is not KEY=VALUE")
    return key, value
