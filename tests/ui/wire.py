"""Between a page and its service: hands everything on, and remembers what was asked."""

import contextlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

import httpx

_PURPOSE = "x-boxwood-purpose"
_HANDED_ON = ("content-type", "accept", "retry-after", _PURPOSE)


class Asked(NamedTuple):
    """One request that the page sent, what it said that its rows are for, and what the service answered."""

    path: str
    rows: list[dict[str, Any]]
    purpose: str | None
    said: Any


class Wire:
    """A proxy on this machine that a test can look into, and hold.

    Attributes:
        asked: all requests so far that sent rows.
    """

    def __init__(self, service: str) -> None:
        self.asked: list[Asked] = []
        self._service = service
        self._more = threading.Condition()
        self._goes = {"predict": threading.Event(), "explain": threading.Event()}
        for verb in self._goes.values():
            verb.set()

    @contextlib.contextmanager
    def held(self, verb: str) -> Iterator[None]:
        """As long as this lasts, requests of a verb wait."""
        self._goes[verb].clear()
        try:
            yield
        finally:
            self._goes[verb].set()

    @contextlib.contextmanager
    def asks(self, requests: int = 1) -> Iterator[list[Asked]]:
        """Wait in the end until so many requests were answered since the beginning, and give them in the list."""
        known = len(self.asked)
        asked: list[Asked] = []
        yield asked
        with self._more:
            assert self._more.wait_for(lambda: len(self.asked) >= known + requests, 30), self.asked[known:]
            asked += self.asked[known:]

    @contextlib.contextmanager
    def listening(self, port: int) -> Iterator[str]:
        """Listen, and say where."""
        server = ThreadingHTTPServer(("127.0.0.1", port), _handler(self))
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            server.shutdown()
            server.server_close()
            thread.join()

    def hand_on(self, method: str, path: str, headers: dict[str, str], body: bytes) -> httpx.Response:
        """Ask the service, and remember it."""
        verb = path.partition("?")[0].rpartition(":")[2]
        if verb in self._goes:
            assert self._goes[verb].wait(60)
        answer = httpx.request(method, f"{self._service}{path}", headers=headers, content=body, timeout=60)
        if verb in self._goes:
            with self._more:
                rows = json.loads(body)["instances"]
                self.asked.append(Asked(path, rows, headers.get(_PURPOSE), answer.json()))
                self._more.notify_all()
        return answer


def _handler(wire: Wire) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        """One connection a request (HTTP/1.0), so that none outlives the server."""

        def do_GET(self) -> None:
            self._hand_on()

        def do_POST(self) -> None:
            self._hand_on()

        def _hand_on(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            headers = {name: self.headers[name] for name in _HANDED_ON if name in self.headers}
            answer = wire.hand_on(self.command, self.path, headers, body)
            self.send_response(answer.status_code)
            for name in _HANDED_ON:
                if name in answer.headers:
                    self.send_header(name, answer.headers[name])
            with contextlib.suppress(ConnectionError):  # its visitor left
                self.end_headers()
                self.wfile.write(answer.content)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 as the standard library calls it
            """Say nothing."""

    return Handler
