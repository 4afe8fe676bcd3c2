"""Whether one can listen on an address, said with the address."""

import errno
import socket


class CannotListenError(OSError):
    """One cannot listen on an address; the message names it and says why."""


def check_listen(address: str) -> None:
    """Raise CannotListenError when "host:port" is taken or not allowed; port 0 is always fine.

    gRPC would say so in several lines, and the metrics' server without the address.
    """
    host, _, port = address.rpartition(":")
    if port == "0":
        return
    try:
        found = socket.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_STREAM)
    except OSError as error:
        raise CannotListenError(f"cannot listen on {address}: {error.strerror}") from error
    for family, kind, protocol, _, where in found:
        with socket.socket(family, kind, protocol) as probe:
            # As servers do: connections that linger take no port.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(where)
            except OSError as error:
                if error.errno in (errno.EADDRINUSE, errno.EACCES):
                    what = f"cannot listen on {address}: {error.strerror}"
                    raise CannotListenError(what) from error
