"""GET /metrics: what Prometheus is told, by all workers together."""

import collections
import contextlib
import json
import subprocess
import threading
from pathlib import Path
from typing import Any

import grpc
import httpx
import psutil
import pytest
from prometheus_client.parser import text_string_to_metric_families

from model.predictor import Predictor
from tests.generated import generated
from tests.project import DEV, Project, free_port, workers
from tests.serving.rest.test_http import EXPLAIN, PREDICT
from tests.serving.rpc.over_grpc import infer
from tests.serving.rpc.test_open_inference import INFER

LABELS = ("transport", "verb", "outcome", "column")
COUNTED = {
    ("v1", "predict", "ok"): 4,
    ("v1", "predict", "rows-rejected"): 2,
    ("v1", "predict", "unreadable"): 1,
    ("v1", "explain", "ok"): 1,
    ("v2", "predict", "unreadable"): 1,
    ("grpc", "predict", "ok"): 1,
    ("grpc", "predict", "rows-rejected"): 1,
    ("grpc", "predict", "unreadable"): 3,
    ("grpc-typed", "predict", "unreadable"): 1,
    ("grpc-typed", "predict", "ok"): 1,
    ("grpc-typed", "predict", "rows-rejected"): 1,
    ("grpc-typed", "explain", "ok"): 1,
}


def samples(server: httpx.Client) -> dict[tuple[str, ...], float]:
    """The sums of samples by name and the values of labels, but for the model's and the buckets'."""
    answer = server.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    found: dict[tuple[str, ...], float] = collections.defaultdict(float)
    for family in text_string_to_metric_families(answer.text):
        for one in family.samples:
            found[one.name, *(one.labels[label] for label in LABELS if label in one.labels)] += one.value
    return dict(found)


def mends_itself(supervisor: subprocess.Popen[bytes], server: httpx.Client, row: dict[str, Any]) -> None:
    """Kills a worker: the other goes on answering, and a new one takes its place and away the metrics that it left."""
    killed, stays = workers(supervisor)
    metrics = killed.environ()["_BOXWOOD_SUPERVISOR"].partition(":")[2] + "/metrics"
    killed.kill()
    psutil.wait_procs([killed], 10)
    with contextlib.suppress(httpx.TransportError):  # a connection that the killed worker had accepted
        server.post(PREDICT, json={"instances": [row]})
    while len(workers(supervisor)) < 2:
        assert server.post(PREDICT, json={"instances": [row]}).status_code == 200
    assert stays in workers(supervisor)
    left_behind = [*Path(metrics).glob(f"gauge_live*_{killed.pid}.db")]
    assert left_behind
    Path(metrics, "counter_1.db").touch()  # as each is for a moment when a worker makes it
    while any(map(Path.exists, left_behind)):  # until the new one makes its own
        assert server.get("/livez").status_code == 200


def unreadable(channel: grpc.Channel) -> None:
    """Calls without a message that could be read: bytes that are none, nothing at all, and one that never comes."""
    for method in ("inference.GRPCInferenceService/ModelInfer", "boxwood.flights.Predictor/Predict"):
        with pytest.raises(grpc.RpcError, match="The request is no "):
            channel.unary_unary(f"/{method}")(b"\xff\xff\xff")
    over = threading.Event()
    infer = channel.stream_unary("/inference.GRPCInferenceService/ModelInfer")
    with pytest.raises(grpc.RpcError, match=r"ended without a inference\.ModelInferRequest"):
        infer(iter(()))
    with pytest.raises(grpc.RpcError, match="The message was not there after 2 seconds"):
        infer(b"" for _ in iter(over.wait, True))
    over.set()


def over_http(server: httpx.Client, row: dict[str, Any]) -> None:
    """The requests over HTTP that `COUNTED` is about."""
    for _ in range(3):
        assert server.post(PREDICT, json={"instances": [row] * 5}).status_code == 200
    server.post(PREDICT, json={"instances": [{**row, "agency": "Unheard Of"}]})
    server.post(PREDICT, json={"instances": [{**row, "cabin": "roof"}]})
    unheard = {**row, "agency": "Unheard Of"}
    server.post(PREDICT, json={"instances": [*[unheard] * 300, {**row, "cabin": "roof"}]})
    server.post(PREDICT, content=b"{", headers={"content-type": "application/json"})
    server.post(EXPLAIN, json={"instances": [row]})
    server.post(INFER, json={"inputs": []})


@pytest.mark.slow
def test_every_request_is_counted_by_how_it_ended(
    trained: Project, bento: str, tmp_path: Path, row: dict[str, Any], predictor: Predictor
) -> None:
    port = free_port()
    variables = {
        "BOXWOOD_GRPC_PORT": str(port),
        "BOXWOOD_WORKERS": "2",
        "BOXWOOD_MAX_REQUEST_SECONDS": "2",
    }  # so long is slow
    served = trained.start(bento, tmp_path / "elsewhere", DEV, **variables)
    with served as (server, supervisor):
        server.headers["connection"] = "close"  # so that every request may meet another worker
        assert samples(server)["boxwood_warm_up_seconds",] > 0
        over_http(server, row)
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            infer(channel, [row])
            unreadable(channel)
            with pytest.raises(grpc.RpcError):
                infer(channel, [{**row, "cabin": "roof"}])
        with generated(server, f"127.0.0.1:{port}", "flights", tmp_path) as fares:
            fares.predict(fares.rows([row]))
            fares.explain(fares.rows([row]))
            with pytest.raises(grpc.RpcError):
                fares.predict(fares.rows([{**row, "cabin": "roof"}]))
        found = samples(server)
        with trained.serve(bento, tmp_path / "beside") as other:  # in the same BENTOML_HOME
            assert other.post(PREDICT, json={"instances": [row]}).status_code == 200
            assert samples(server) == found
            assert samples(other)["boxwood_requests_total", "v1", "predict", "ok"] == 1
        mends_itself(supervisor, server, row)
        assert f'version="{predictor.version}"' in server.get("/metrics").text
    log = (tmp_path / "elsewhere/server.log").read_text().splitlines()
    assert {json.loads(line)["call"] for line in log if "slow" in line} >= {"inference.GRPCInferenceService.ModelInfer"}
    counted = {key[1:]: value for key, value in found.items() if key[0] == "boxwood_requests_total" and value}
    assert counted == COUNTED
    assert found["boxwood_request_seconds_count", "v1", "predict"] == 7
    assert found["boxwood_prediction_count",] == 3 * 5 + 1 + 1 + 1
    assert found["boxwood_batch_rows_sum",] == 3 * 5 + 1 + 1 + 1 + 256, "a part was predicted before the bad row came"
    assert found["boxwood_unseen_values_total", "agency"] == 1
    assert found["boxwood_waiting_rows", "predict"] == found["boxwood_waiting_rows", "explain"] == 0
