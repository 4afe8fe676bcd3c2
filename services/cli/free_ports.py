"""Ports for processes that must know each other before they are started."""

import os
import socket
from collections.abc import Collection
from random import SystemRandom

_RANGE = range(20_000, 32_000)
"""Below the range from which systems take ports of outgoing connections, so that a port stays
free while its process restarts."""
_OWN = 200
"""Ports that a process looks at first, others than processes of about the same age: between our
look and the start of who shall listen, seconds pass, in which others look, too."""


def free_ports(count: int, host: str = "127.0.0.1", taken: Collection[int] = ()) -> list[int]:
    """Return `count` distinct ports of `host` on which nothing listens now.

    Args:
        count: how many.
        host: an address of this machine.
        taken: ports that were given away already; nothing listens on them yet.

    Raises:
        OSError: there are none.

    """
    found: list[int] = []
    begin = os.getpid() * _OWN % len(_RANGE)
    own = _RANGE[begin : begin + _OWN]
    chance = SystemRandom()
    for port in (*chance.sample(own, len(own)), *chance.sample(_RANGE, len(_RANGE))):
        if len(found) == count:
            return found
        if port in found or port in taken:
            continue
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            try:
                probe.bind((host, port))
            except OSError:
                continue
        found.append(port)
    raise OSError(f"no {count} free ports on {host}")
