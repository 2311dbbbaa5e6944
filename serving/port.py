"""python -m serving.port HOST PORT NAME: ends with a sentence where a server could not listen, or has bad settings."""

import os
import socket
import sys

from serving.settings import Settings
from validation.errors import SettingsError


def address(host: str, port: int) -> str:
    """Host and port in one text, as URLs and gRPC have them: those of IPv6 in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def refusal(host: str, port: int, setting: str) -> str | None:
    """Try to listen; returns why that is impossible and with which setting to choose another, None if it is not."""
    try:
        family, *_, where = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        with socket.create_server(where, family=family):
            return None
    except (OSError, UnicodeError) as error:  # what cannot be the name of a host is a UnicodeError
        reason = getattr(error, "strerror", None) or error
        return f"Nothing can listen on {address(host, port)}: {reason}. Choose another with {setting}=."


def number(text: str, setting: str) -> int:
    """The port that a setting names; raises SettingsError if it is none."""
    if not text.isdecimal() or not 0 < int(text) < 65_536:
        raise SettingsError(f"{setting}={text} is no port: it takes a number from 1 to 65535.")
    return int(text)


def main(host: str, port: str, name: str) -> str | None:
    """The answer for a port that the Makefile calls `name`; it asks before it trains."""
    try:
        Settings.from_environment(os.environ)
        return refusal(host, number(port, name), name)
    except SettingsError as error:
        return str(error)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
