"""The commands of `harken`."""

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import typer

_COMPLETING = "_HARKEN_COMPLETE"

_Command = typer.Typer | Callable[..., Any]


def _up() -> _Command:
    from services.cli.commands.up import up

    return up


def _demo() -> _Command:
    from services.cli.commands.demo import demo

    return demo


def _sample() -> _Command:
    from services.cli.commands.sample import sample

    return sample


def _import() -> _Command:
    from services.cli.commands import import_files

    return import_files.app


def _items() -> _Command:
    from services.cli.commands import items

    return items.app


def _users() -> _Command:
    from services.cli.commands import users

    return users.app


def _erasure() -> _Command:
    from services.cli.commands import erasure

    return erasure.app


def _consent() -> _Command:
    from services.cli.commands.consent import consent

    return consent


def _merge() -> _Command:
    from services.cli.commands.merge import merge

    return merge


def _unmerge() -> _Command:
    from services.cli.commands.merge import unmerge

    return unmerge


def _merges() -> _Command:
    from services.cli.commands.merge import merges

    return merges


def _surface() -> _Command:
    from services.cli.commands import surface

    return surface.app


def _experiment() -> _Command:
    from services.cli.commands import experiment

    return experiment.app


def _config() -> _Command:
    from services.cli.commands import config

    return config.app


def _keys() -> _Command:
    from services.cli.commands import keys

    return keys.app


def _recommend() -> _Command:
    from services.cli.commands.recommend import recommend

    return recommend


def _batch() -> _Command:
    from services.cli.commands.batch import batch

    return batch


def _explain() -> _Command:
    from services.cli.commands.explain import explain

    return explain


def _trending() -> _Command:
    from services.cli.commands.lists import trending

    return trending


def _latest() -> _Command:
    from services.cli.commands.lists import latest

    return latest


def _replay() -> _Command:
    from services.cli.commands.replay import replay

    return replay


def _export() -> _Command:
    from services.cli.commands.export import export

    return export


def _evaluate() -> _Command:
    from services.cli.commands.evaluate import evaluate_file

    return evaluate_file


def _train() -> _Command:
    from services.cli.commands.train import train

    return train


def _tune() -> _Command:
    from services.cli.commands.tune import tune

    return tune


def _generations() -> _Command:
    from services.cli.commands.generations import generations

    return generations


def _promote() -> _Command:
    from services.cli.commands.generations import promote

    return promote


def _rollback() -> _Command:
    from services.cli.commands.generations import rollback

    return rollback


def _status() -> _Command:
    from services.cli.commands.status import status

    return status


def _backup() -> _Command:
    from services.cli.commands.backup import backup

    return backup


def _restore() -> _Command:
    from services.cli.commands.restore import restore

    return restore


def _new_epoch() -> _Command:
    from services.cli.commands.restore import new_epoch

    return new_epoch


def _snapshot() -> _Command:
    from services.cli.commands import snapshot

    return snapshot.app


def _vault() -> _Command:
    from services.cli.commands import vault

    return vault.app


def _audit() -> _Command:
    from services.cli.commands import audit

    return audit.app


_COMMANDS: Mapping[str, Callable[[], _Command]] = {
    "up": _up,
    "demo": _demo,
    "sample": _sample,
    "import": _import,
    "items": _items,
    "users": _users,
    "erasure": _erasure,
    "consent": _consent,
    "merge": _merge,
    "unmerge": _unmerge,
    "merges": _merges,
    "surface": _surface,
    "experiment": _experiment,
    "config": _config,
    "keys": _keys,
    "vault": _vault,
    "audit": _audit,
    "recommend": _recommend,
    "batch": _batch,
    "explain": _explain,
    "trending": _trending,
    "latest": _latest,
    "replay": _replay,
    "export": _export,
    "evaluate": _evaluate,
    "train": _train,
    "tune": _tune,
    "generations": _generations,
    "promote": _promote,
    "rollback": _rollback,
    "status": _status,
    "backup": _backup,
    "restore": _restore,
    "new-epoch": _new_epoch,
    "snapshot": _snapshot,
}
"""In the order of the help text. Each loads its own code: all together take a second to load, most
single ones a quarter."""


def create_app(arguments: Sequence[str] = ()) -> typer.Typer:
    """Return the application.

    Args:
        arguments: of the command line. When they begin with the name of a command, only this one
            is loaded; else, and where a shell asks for completions, all are.

    """
    app = typer.Typer(
        name="harken",
        help="A recommendation suite that listens: the next slate already knows the last event.",
        no_args_is_help=True,
        # Joins the lines of a paragraph.
        rich_markup_mode="markdown",
        pretty_exceptions_enable=False,
    )
    # Without it an application of one command is that command.
    app.callback()(lambda: None)
    named = [name for name in arguments[:1] if name in _COMMANDS and _COMPLETING not in os.environ]
    for name in named or _COMMANDS:
        command = _COMMANDS[name]()
        if isinstance(command, typer.Typer):
            app.add_typer(command, name=name)
        else:
            app.command(name)(command)
    return app
