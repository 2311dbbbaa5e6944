"""A service that is started in no time, for rollouts whose API fails: V1's answers to golden rows, from a file.

ANSWERS=bento/models/flights/299f… PORT=… python answers_http.py

GET / is answered with 200, or with the status GET_STATUS after GET_SECONDS: what golden rows do not show.
"""

import json
import os
import signal
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

BUNDLE = Path(os.environ["ANSWERS"])
GOLDEN = json.loads((BUNDLE / "golden.json").read_text())
PLACES = {json.dumps(row, sort_keys=True): place for place, row in enumerate(GOLDEN["rows"])}


def answer(verb: str, row: dict[str, Any]) -> dict[str, Any]:
    place = PLACES[json.dumps(row, sort_keys=True)]
    if verb == "explain":
        return {"base_value": 0.0, "contributions": GOLDEN["contributions"][place]}
    value, low, high = GOLDEN["scores"][place]
    return {"prediction": value, "interval": {"low": low, "high": high}}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        fault = os.environ if self.path == "/" else {}
        time.sleep(float(fault.get("GET_SECONDS", "0")))
        self.answer({}, int(fault.get("GET_STATUS", "200")))

    def do_POST(self) -> None:
        sent = json.loads(self.rfile.read(int(self.headers["content-length"])))
        verb = self.path.rpartition(":")[2]
        answers = [answer(verb, row) for row in sent["instances"]]
        self.answer(
            {"model_version": BUNDLE.name, {"predict": "predictions", "explain": "explanations"}[verb]: answers}
        )

    def answer(self, document: dict[str, Any], status: int = 200) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 its name there
        pass


signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
ThreadingHTTPServer.request_queue_size = 64  # with five, a crowd of callers would wait a second for TCP to try again
ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
