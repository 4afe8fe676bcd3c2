"""What processes took: processor time of whole trees of them, bytes that their sockets received."""

import os
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_PARENT, _USER, _CHILDREN_SYSTEM = 1, 11, 14
"""Fields of /proc/PID/stat that follow the name."""
_SERVICE = re.compile(r"services\.(feedback|profile|ranker)\b(?:.*--role\0(ingest|learner))?")
_BACKEND = re.compile(r"postgres: (harken_\w+) ")


def services_of(root: int) -> dict[int, str]:
    """Return the processes of services, by id, among the children of one; name each."""
    found = {}
    for pid in _children().get(root, []):
        said = _SERVICE.search(_command(pid))
        if said is not None:
            found[pid] = said[2] or said[1]
    return found


def descendants(root: int) -> list[int]:
    """Return the living children of a process, and theirs."""
    children = _children()
    found: list[int] = []
    waiting = [root]
    while waiting:
        born = children.get(waiting.pop(), [])
        found += born
        waiting += born
    return found


def _children() -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (fields := _stat(int(entry.name))) is not None:
            found.setdefault(int(fields[_PARENT]), []).append(int(entry.name))
    return found


def processor_seconds(roots: Mapping[int, str]) -> dict[str, float]:
    """Return user and system time by name, of processes with their descendants, dead ones too.

    Descendants count under the name of their root; backends of PostgreSQL under that of their role.
    """
    found: dict[str, float] = {}
    for root, name in roots.items():
        for pid in (root, *descendants(root)):
            fields = _stat(pid)
            if fields is None:
                continue
            ticks = sum(int(one) for one in fields[_USER : _CHILDREN_SYSTEM + 1])
            backend = _BACKEND.match(_command(pid)) if name == "postgres" else None
            role = backend[1] if backend is not None else None
            part = f"{name} of {role}" if role else name
            found[part] = found.get(part, 0.0) + ticks / _TICKS
    return found


def machine_seconds() -> float:
    """Return what everything on this machine took so far, whoever ran it, and what was stolen."""
    fields = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]
    user, nice, system, _idle, _waiting, hard, soft, stolen = (int(one) for one in fields[:8])
    return (user + nice + system + hard + soft + stolen) / _TICKS


def received_bytes(pid: int, port: int) -> dict[str, int]:
    """Return what each TCP connection of a process to a port has received, by its own address.

    Raises:
        FileNotFoundError: there is no `ss`, from iproute2.

    """
    asked = ["ss", "-tinpOH", f"dport = :{port}"]
    said = subprocess.run(asked, capture_output=True, text=True, check=True).stdout
    found = {}
    for line in said.splitlines():
        if f"pid={pid}," in line:
            received = re.search(r"bytes_received:(\d+)", line)
            found[line.split()[3]] = int(received[1]) if received is not None else 0
    return found


def _stat(pid: int) -> list[str] | None:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text(errors="replace")
    except OSError:
        return ""
