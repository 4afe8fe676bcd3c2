"""What plots need, asked before the work whose outcome they show."""

from pathlib import Path

from services.cli.failures import CommandError
from services.evaluation.figure_maker import PlotsMissingError, figure_maker

_ENDINGS = (".png", ".svg", ".pdf")


def check_plots(option: str) -> None:
    """Return when plots can be drawn. option: what asked for them.

    Raises:
        CommandError: matplotlib is not installed.

    """
    try:
        figure_maker()
    except PlotsMissingError as error:
        raise CommandError(f"{error}, or leave out {option}") from None


def check_plot_file(option: str, file: Path) -> None:
    """Return when a plot can be drawn into a file.

    Raises:
        CommandError: its name ends as no plot's does, its folder is not there, or as check_plots.

    """
    if file.suffix.lower() not in _ENDINGS:
        raise CommandError(f"{option} {file}: the name must end in {', '.join(_ENDINGS)}")
    if not file.parent.is_dir():
        raise CommandError(f"{option} {file}: there is no folder {file.parent}")
    check_plots(option)
