"""python -m serving.port HOST PORT: ends with a sentence where a server could not listen there."""

import socket
import sys


def main(host: str, port: str) -> str | None:
    """Try to listen; returns why that is impossible, None if it is not."""
    if not port.isdecimal() or not 0 < int(port) < 65_536:
        return f"PORT={port} is no port: it takes a number from 1 to 65535."
    try:
        with socket.create_server((host, int(port))):
            return None
    except OSError as error:
        return f"Nothing can listen on {host}:{port}: {error.strerror}. Choose another with PORT=."


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
