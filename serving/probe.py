"""python -I -S serving/probe.py [live]: whether the service in this container is ready; exits with 1 if it is not.

For platforms that run a command inside a container, and where their own probes have no client certificate. `live` takes
any answer: a service that has no room for another connection is busy and not dead. It reads the settings that say where
the service listens, and imports only what Python brings, because it runs every few seconds.
"""

import os
import socket
import ssl
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping

_HOST = "127.0.0.1"
_SECONDS = 2


def main() -> int:
    """Ask once; returns the exit code."""
    secure, port = place(os.environ)
    try:
        if secure and os.environ.get("BOXWOOD_TLS_CLIENT_CA"):
            return 0 if _wants_certificate(port) else 1
        url = f"{'https' if secure else 'http'}://{_HOST}:{port}/readyz"
        with urllib.request.urlopen(url, timeout=_SECONDS, context=_context()):  # noqa: S310 it is this machine
            return 0
    except urllib.error.HTTPError:
        return 0 if sys.argv[1:] == ["live"] else 1
    except OSError:
        return 1


def place(environment: Mapping[str, str]) -> tuple[bool, int]:
    """Whether the service in a container with these variables speaks TLS over HTTP, and at which port."""
    if environment.get("BOXWOOD_TRANSPORT") == "grpc":  # HTTP is for this machine then, and plain
        return False, int(environment.get("BOXWOOD_HTTP_PORT") or 3000)
    port = environment.get("AIP_HTTP_PORT") or environment.get("PORT") or 3000
    return bool(environment.get("BOXWOOD_TLS_CERT")), int(port)


def _context() -> ssl.SSLContext:
    """Whose certificate it is does not matter: nothing secret is sent, and the answer says only that there is one."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _wants_certificate(port: int) -> bool:
    """Whether the service shows its certificate and then closes, for want of the client's: it works, and is ready.

    It opens its port once it is ready; and a worker that hangs shows and closes nothing.
    """
    with (
        socket.create_connection((_HOST, port), timeout=_SECONDS) as plain,
        _context().wrap_socket(plain) as connection,
    ):
        try:
            return not connection.recv(1)
        except (ssl.SSLError, ConnectionError):  # an alert, or an end before it
            return True


if __name__ == "__main__":
    sys.exit(main())
