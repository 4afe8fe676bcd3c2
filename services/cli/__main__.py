"""Entry of `harken` and of `python -m services.cli`."""

import sys

from services.cli.app import create_app
from services.cli.console import messages


def main() -> None:
    """Run the command that the arguments name."""
    try:
        create_app(sys.argv[1:])()
    except KeyboardInterrupt:
        messages().print("interrupted")
        sys.exit(130)


if __name__ == "__main__":
    main()
