"""Saying loudly that anybody who reaches a service may ask it."""

import ipaddress
import logging
import os
from collections.abc import Iterable

import psutil

from serving.settings import Settings

_log = logging.getLogger("boxwood.access")


def say(settings: Settings, hosts: Iterable[str]) -> None:
    """Log a warning if other machines reach the service at one of these addresses, and it wants to know nobody."""
    if settings.guarded or settings.tls_client_ca:
        return
    if reached := sorted({host for host in hosts if not _is_loopback(host)}):
        _log.warning(
            "Anybody who reaches this service at %s may ask it: BOXWOOD_API_KEYS and BOXWOOD_OIDC_ISSUER are not set.",
            " and ".join(reached),
        )


def listening() -> list[str]:
    """The addresses at which this process listens, also by what it inherited from its supervisor."""
    try:
        connections = psutil.Process(os.getpid()).net_connections(kind="tcp")
    except psutil.Error:  # where processes may not be looked at
        return []
    return [connection.laddr.ip for connection in connections if connection.status == psutil.CONN_LISTEN]


def _is_loopback(host: str) -> bool:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost"
    # gRPC listens to both families by one socket, whose address of IPv4 is written as one of IPv6
    return (getattr(address, "ipv4_mapped", None) or address).is_loopback
