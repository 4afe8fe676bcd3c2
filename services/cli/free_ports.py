"""Ports for processes that must know each other before they are started."""

import random
import socket

_RANGE = range(20_000, 32_000)
"""Below the range from which systems take ports of outgoing connections, so that a port stays
free while its process restarts."""


def free_ports(count: int, host: str = "127.0.0.1") -> list[int]:
    """Return `count` distinct ports of `host` on which nothing listens now.

    Raises:
        OSError: there are none.

    """
    found: list[int] = []
    for port in random.sample(_RANGE, len(_RANGE)):
        if len(found) == count:
            return found
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            try:
                probe.bind((host, port))
            except OSError:
                continue
        found.append(port)
    raise OSError(f"no {count} free ports on {host}")
