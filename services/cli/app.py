"""The commands of `harken`."""

import typer

from services.cli.commands import (
    config,
    experiment,
    import_files,
    items,
    keys,
    snapshot,
    surface,
    users,
)
from services.cli.commands.backup import backup
from services.cli.commands.batch import batch
from services.cli.commands.consent import consent
from services.cli.commands.demo import demo
from services.cli.commands.evaluate import evaluate_file
from services.cli.commands.explain import explain
from services.cli.commands.export import export
from services.cli.commands.generations import generations, promote, rollback
from services.cli.commands.lists import latest, trending
from services.cli.commands.merge import merge, merges, unmerge
from services.cli.commands.recommend import recommend
from services.cli.commands.replay import replay
from services.cli.commands.restore import new_epoch, restore
from services.cli.commands.sample import sample
from services.cli.commands.status import status
from services.cli.commands.train import train
from services.cli.commands.tune import tune
from services.cli.commands.up import up

app = typer.Typer(
    name="harken",
    help="A recommendation suite that listens: the next slate already knows the last event.",
    no_args_is_help=True,
    # Joins the lines of a paragraph.
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)
app.command()(up)
app.command()(demo)
app.command()(sample)
app.add_typer(import_files.app, name="import")
app.add_typer(items.app, name="items")
app.add_typer(users.app, name="users")
app.command()(consent)
app.command()(merge)
app.command()(unmerge)
app.command()(merges)
app.add_typer(surface.app, name="surface")
app.add_typer(experiment.app, name="experiment")
app.add_typer(config.app, name="config")
app.add_typer(keys.app, name="keys")
app.command()(recommend)
app.command()(batch)
app.command()(explain)
app.command()(trending)
app.command()(latest)
app.command()(replay)
app.command()(export)
app.command("evaluate")(evaluate_file)
app.command()(train)
app.command()(tune)
app.command()(generations)
app.command()(promote)
app.command()(rollback)
app.command()(status)
app.command()(backup)
app.command()(restore)
app.command("new-epoch")(new_epoch)
app.add_typer(snapshot.app, name="snapshot")
