"""Options that say where in files the history and its items are: of evaluate, train and tune."""

from pathlib import Path
from typing import Annotated

import typer

ItemsFile = Annotated[Path | None, typer.Option("--items", help="Items with their content.")]
UserColumn = Annotated[str | None, typer.Option(help="Column of user ids.")]
ItemColumn = Annotated[str | None, typer.Option(help="Column of item ids.")]
TimestampColumn = Annotated[str | None, typer.Option(help="Column of times.")]
TypeColumn = Annotated[str | None, typer.Option(help="Column of event types.")]
EventType = Annotated[
    str | None, typer.Option("--type", help="Type of all events, instead of a column.")
]
ValueColumn = Annotated[str | None, typer.Option(help="Column of values.")]
ItemSeparator = Annotated[
    str, typer.Option(help="What separates categories and tags; ' ' means any white space.")
]
