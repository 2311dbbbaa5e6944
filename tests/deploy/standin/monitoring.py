"""Cloud Monitoring's API: series of the requests that the proxies carried, and documents that clients keep there."""

import bisect
import itertools
import json
import math
import re
import threading
import time
from collections import Counter
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

_GROWTH, _SCALE, _FINITE = 1.4, 1.0, 40
_BOUNDS = [_SCALE * _GROWTH**power for power in range(_FINITE + 1)]
_FILTER = re.compile(r'metric.type = "run.googleapis.com/(request_count|request_latencies)".*service_name = "([^"]+)"')
_COLLECTIONS = ("alertPolicies", "uptimeCheckConfigs", "notificationChannels", "services", "serviceLevelObjectives")
Document = dict[str, Any]


class _Ended(NamedTuple):
    at: float
    service: str
    revision: str
    code: str
    seconds: float


class Monitoring:
    """The server, from its creation until `close`.

    Attributes:
        address: host and port.
        delay: how many seconds after its end an interval can be asked for; infinite for never.
        period: the length of an interval, a minute at Google's.
        refuses: the status of every answer, if it is not 0.
        documents: what clients made, by name.
        changes: every request that was to change one, as method and path.
    """

    def __init__(self) -> None:
        self.delay = 0.0
        self.period = 0.1
        self.refuses = 0
        self.documents: dict[str, Document] = {}
        self.changes: list[tuple[str, str]] = []
        self._lock = threading.Lock()
        self._ended: list[_Ended] = []
        self._numbers = itertools.count(1)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"monitoring": self}))
        self.address = f"127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Answer no more."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def count(self, service: str, revision: str, outcome: str, seconds: float) -> None:
        """A request has ended. Of gRPC only what was lost on the way has another HTTP status than 200."""
        code = outcome if outcome.isdigit() else "503" if outcome == "UNAVAILABLE" else "200"
        with self._lock:
            self._ended.append(_Ended(time.time(), service, revision, code, seconds))

    def answer(self, method: str, path: str, parameters: dict[str, str], sent: Document) -> tuple[int, Document]:
        """The status and the document of an answer."""
        if self.refuses:
            return self.refuses, {"error": {"code": self.refuses, "message": "Permission monitoring.* denied."}}
        with self._lock:
            if path.endswith("/timeSeries"):
                return 200, {"timeSeries": self._series(parameters)}
            if method != "GET":
                self.changes.append((method, path))
            if path.rpartition("/")[2] in _COLLECTIONS:
                return self._collection(method, path, parameters, sent)
            return self._one(method, path, parameters, sent)

    def _collection(self, method: str, path: str, parameters: dict[str, str], sent: Document) -> tuple[int, Document]:
        kind = path.rpartition("/")[2]
        if method == "GET":
            found = [known for name, known in self.documents.items() if name.rpartition("/")[0] == path]
            start, size = int(parameters.get("pageToken") or 0), 2
            token = {"nextPageToken": str(start + size)} if found[start + size :] else {}
            return 200, {kind: found[start : start + size], **token}
        chosen = parameters.get("serviceId") or parameters.get("serviceLevelObjectiveId")
        name = f"{path}/{chosen or next(self._numbers)}"
        if name in self.documents:
            return 409, {"error": {"message": f"{name} exists."}}
        self.documents[name] = {**sent, "name": name}
        return 200, self.documents[name]

    def _one(self, method: str, path: str, parameters: dict[str, str], sent: Document) -> tuple[int, Document]:
        if path not in self.documents:
            return 404, {"error": {"message": f"{path} is not there."}}
        if method == "PATCH":
            fields = [field for field in parameters.get("updateMask", "").split(",") if field]
            self.documents[path] |= {field: sent[field] for field in fields or sent}
        elif method == "DELETE":
            del self.documents[path]
            return 200, {}
        return 200, self.documents[path]

    def _series(self, parameters: dict[str, str]) -> list[Document]:
        metric, service = _FILTER.search(parameters["filter"]).groups()  # type: ignore[union-attr]
        start, end = (
            datetime.fromisoformat(parameters[f"interval.{name}Time"]).timestamp() for name in ("start", "end")
        )
        known = min(end, time.time() - self.delay)
        found: dict[tuple[str, str], dict[int, list[float]]] = {}
        for one in self._ended:
            interval = math.floor(one.at / self.period)
            if one.service == service and start < (interval + 1) * self.period <= known:
                series = found.setdefault((one.revision, one.code), {})
                series.setdefault(interval, []).append(one.seconds)
        return [self._one_series(metric, service, *key, intervals) for key, intervals in found.items()]

    def _one_series(
        self, metric: str, service: str, revision: str, code: str, intervals: dict[int, list[float]]
    ) -> Document:
        points = [
            {
                "interval": {"startTime": _text(place * self.period), "endTime": _text((place + 1) * self.period)},
                "value": {"int64Value": str(len(took))} if metric == "request_count" else _distribution(took),
            }
            for place, took in sorted(intervals.items(), reverse=True)
        ]
        labels = {"response_code": code, "response_code_class": f"{code[0]}xx"}
        about = {"service_name": service, "revision_name": revision}
        return {"metric": {"labels": labels}, "resource": {"labels": about}, "metricKind": "DELTA", "points": points}


def _distribution(took: list[float]) -> Document:
    counts = Counter(bisect.bisect_right(_BOUNDS, 1_000 * seconds) for seconds in took)
    options = {"numFiniteBuckets": _FINITE, "growthFactor": _GROWTH, "scale": _SCALE}
    listed = [str(counts[place]) for place in range(max(counts) + 1)]
    return {
        "distributionValue": {
            "count": str(len(took)),
            "bucketOptions": {"exponentialBuckets": options},
            "bucketCounts": listed,
        }
    }


def _text(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")


class _Handler(BaseHTTPRequestHandler):
    monitoring: Monitoring

    def _answer(self) -> None:
        parts = urlsplit(self.path)
        sent = self.rfile.read(int(self.headers.get("content-length") or 0))
        parameters = {name: values[0] for name, values in parse_qs(parts.query).items()}
        status, document = self.monitoring.answer(
            self.command, parts.path.removeprefix("/v3/"), parameters, json.loads(sent or b"{}")
        )
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PATCH = do_DELETE = _answer  # noqa: N815 the names that the server calls

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 its name there
        pass
