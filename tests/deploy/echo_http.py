"""A server that is started in no time, for tests of the stand-in: python echo_http.py, with PORT in the environment.

It tells its revision and greeting, and what it was sent. REFUSES=exit lets it end at once, REFUSES=503 never be ready.
A request to /hold is answered once somebody asked for /release.
"""

import json
import os
import signal
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

RELEASED = threading.Event()
HELD = threading.Event()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.do_POST()

    def do_POST(self) -> None:
        sent = self.rfile.read(int(self.headers.get("content-length", 0))).decode()
        if self.path == "/hold":
            HELD.set()
            RELEASED.wait()
        if self.path == "/held":
            HELD.wait()
        status = int(os.environ.get("REFUSES", "200")) if self.path == "/readyz" else 200
        names = ("K_REVISION", "K_SERVICE", "GREETING")
        told = {name: os.environ.get(name) for name in names} | {"path": self.path, "sent": sent}
        body = json.dumps(told).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("x-revision", os.environ["K_REVISION"])
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        if self.path == "/release":
            RELEASED.set()  # what follows may be the end of this process

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 its name there
        pass


if os.environ.get("REFUSES") == "exit":
    sys.exit("Not starting: it was told to.")
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
