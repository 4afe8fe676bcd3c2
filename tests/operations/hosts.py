"""Hosts as network namespaces, on two networks: one to the feed, one to clients.

All of it lives in a user, network and mount namespace of its own, so it needs no root, changes
nothing of the machine, and is gone when its processes are.
"""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

NAMESPACES = Path("/run/netns")
FEED = "feed"
CLIENTS = "clients"
_NETWORKS = {FEED: "10.98.0", CLIENTS: "10.99.0"}
_OURS = 254


def alone(module: str, *arguments: str) -> list[str]:
    """Return the command that runs a module in namespaces of its own."""
    unshare = ["unshare", "--user", "--map-root-user", "--net", "--mount", "--"]
    return [*unshare, sys.executable, "-m", module, *arguments]


def why_not() -> str | None:
    """Return what this machine lacks for `alone` and `Hosts`; None when it lacks nothing."""
    probe = "mount -t tmpfs none /run && ip link add b type bridge && ip netns add n"
    command = ["unshare", "--user", "--map-root-user", "--net", "--mount", "--", "sh", "-c", probe]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return "unshare (util-linux) is missing"
    return None if done.returncode == 0 else f"no network namespaces: {done.stderr.strip()[:200]}"


class Hosts:
    """Hosts by name, each with an address on both networks; we are one of them, too."""

    def __init__(self, names: Sequence[str]) -> None:
        """Make them; call it within `alone`."""
        self._numbers = {name: 1 + number for number, name in enumerate(names)}
        # Ours from here on: named namespaces are files below /run.
        _run("mount", "-t", "tmpfs", "none", "/run")
        _ip("link", "set", "lo", "up")
        for network, prefix in _NETWORKS.items():
            _ip("link", "add", network, "type", "bridge")
            _ip("address", "add", f"{prefix}.{_OURS}/24", "dev", network)
            _ip("link", "set", network, "up")
        for name in names:
            _ip("netns", "add", name)
            _ip("-n", name, "link", "set", "lo", "up")
            for network in _NETWORKS:
                self._plug(name, network)

    def address(self, name: str, network: str) -> str:
        """Return the address of a host on a network."""
        return f"{_NETWORKS[network]}.{self._numbers[name]}"

    def cut(self, name: str, network: str) -> None:
        """Lose all that a host sends to a network and gets from it, without a sign."""
        _ip("link", "set", self._port(name, network), "nomaster")

    def heal(self, name: str, network: str) -> None:
        """End a cut."""
        _ip("link", "set", self._port(name, network), "master", network)

    def _plug(self, name: str, network: str) -> None:
        port = self._port(name, network)
        _ip("link", "add", port, "type", "veth", "peer", "name", network, "netns", name)
        _ip("link", "set", port, "master", network)
        _ip("link", "set", port, "up")
        address = f"{self.address(name, network)}/24"
        _ip("-n", name, "address", "add", address, "dev", network)
        _ip("-n", name, "link", "set", network, "up")

    def _port(self, name: str, network: str) -> str:
        return f"{network}-{self._numbers[name]}"


def _ip(*arguments: str) -> None:
    _run("ip", *arguments)


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise OSError(f"{' '.join(command)}: {done.stderr.strip()}")
