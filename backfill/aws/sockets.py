"""What both clients set on a connection to the store.

Never opens one.
Law: whoever is gone is noticed in less time than a silent CopyObject may take.
"""

import socket
from typing import Final

_KEEPALIVE: Final = {"TCP_KEEPIDLE": 30, "TCP_KEEPINTVL": 15, "TCP_KEEPCNT": 4}
"""Seconds, seconds, probes. Below the idle time-out of NAT gateways (350 s), so that a CopyObject
that stays silent for minutes keeps its connection; and a host that is gone is noticed within 90 s,
long before the read time-out that such a CopyObject needs."""


def keep_alive(connected: socket.socket) -> None:
    """Have the kernel probe a silent peer."""
    connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _KEEPALIVE.items():
        if (option := getattr(socket, name, None)) is not None:  # macOS names some differently
            connected.setsockopt(socket.IPPROTO_TCP, option, value)


def is_here(host: str) -> bool:
    """Return whether a name means this machine whatever the resolver says: `*.localhost`.

    RFC 6761 §6.3 asks this of every resolver; the C library does it on some machines only.
    """
    name = host.lower().rstrip(".")
    return name == "localhost" or name.endswith(".localhost")
