"""Entry of `harken` and of `python -m services.cli`."""

import sys

from services.cli.app import app
from services.cli.console import messages


def main() -> None:
    """Run the command that the arguments name."""
    try:
        app()
    except KeyboardInterrupt:
        messages().print("interrupted")
        sys.exit(130)


if __name__ == "__main__":
    main()
