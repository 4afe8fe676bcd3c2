"""Runs a module in a network namespace: `python -m tests.operations.in_namespace NAME MODULE ...`.

Entering comes first, before any thread or library: sockets belong to where their thread is.
"""

import ctypes
import os
import runpy
import sys

from tests.operations.hosts import NAMESPACES

_CLONE_NEWNET = 0x40000000


def main() -> None:
    """Enter the namespace, then be the module."""
    name, module = sys.argv[1:3]
    libc = ctypes.CDLL(None, use_errno=True)
    with (NAMESPACES / name).open() as namespace:
        if libc.setns(namespace.fileno(), _CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), f"cannot enter {name}")
    sys.argv = [module, *sys.argv[3:]]
    sys.path.insert(0, os.getcwd())  # noqa: PTH109 - as -m does it
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
