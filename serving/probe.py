"""python -I -S serving/probe.py [live]: whether the service in this container is ready; exits with 1 if it is not.

For platforms that run a command inside a container, and for those whose own probes have no client certificate. `live`
takes any answer: a service that has no room for another connection is busy and not dead. It reads the settings that say
where the service listens, and imports only what Python brings, because it runs every few seconds.
"""

import os
import ssl
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping

_SECONDS = 2


def main() -> int:
    """Ask once; returns the exit code."""
    try:
        with urllib.request.urlopen(address(os.environ), timeout=_SECONDS, context=_context()):  # noqa: S310 this machine's
            return 0
    except urllib.error.HTTPError:
        return 0 if sys.argv[1:] == ["live"] else 1
    except OSError as error:
        return 0 if os.environ.get("BOXWOOD_TLS_CLIENT_CA") and _wants_certificate(error) else 1


def address(environment: Mapping[str, str]) -> str:
    """The URL of the service in a container with these variables."""
    if environment.get("BOXWOOD_TRANSPORT") == "grpc":  # HTTP is for this machine then, and plain
        return f"http://127.0.0.1:{environment.get('BOXWOOD_HTTP_PORT', '3000')}/readyz"
    scheme = "https" if environment.get("BOXWOOD_TLS_CERT") else "http"
    return f"{scheme}://127.0.0.1:{environment.get('AIP_HTTP_PORT') or environment.get('PORT', '3000')}/readyz"


def _context() -> ssl.SSLContext:
    """Whose certificate it is does not matter: nothing secret is sent, and the answer says only that there is one."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _wants_certificate(error: OSError) -> bool:
    """Whether the service answered that it wants a client's certificate: it opens its port once it is ready."""
    reason = getattr(error, "reason", error)
    return isinstance(reason, ssl.SSLError) and "CERTIFICATE_REQUIRED" in str(reason.reason)


if __name__ == "__main__":
    sys.exit(main())
