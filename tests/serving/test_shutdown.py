"""SIGTERM: what is being answered is answered, over HTTP and gRPC, and then the server ends."""

import concurrent.futures
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest

from tests.generated import generated
from tests.project import Project, free_port
from tests.serving.test_http import EXPLAIN
from tests.serving.test_metrics import samples

ROWS = 5_000


def test_what_is_in_flight_is_answered(trained: Project, bento: str, tmp_path: Path, row: dict[str, Any]) -> None:
    port = free_port()
    settings = {"BOXWOOD_GRPC_PORT": str(port), "BOXWOOD_MAX_WAIT_MS": "60000"}
    with (
        trained.start(bento, tmp_path / "elsewhere", **settings) as (server, process),
        generated(server, f"127.0.0.1:{port}", "flights", tmp_path) as fares,
        concurrent.futures.ThreadPoolExecutor(2) as pool,
    ):
        url = server.base_url.join(EXPLAIN)
        over_http = pool.submit(httpx.post, url, json={"instances": [row] * ROWS}, timeout=60)
        over_grpc = pool.submit(fares.explain, fares.rows([row]) * ROWS)
        while samples(server)["boxwood_waiting_rows", "explain"] < 2 * ROWS:
            assert not over_http.done() | over_grpc.done(), "an explanation was ready before anybody could look"
        process.terminate()
        assert len(over_http.result().json()["explanations"]) == ROWS
        assert len(over_grpc.result().explanations) == ROWS
        assert process.wait(10) == 0
        with pytest.raises(grpc.RpcError):
            fares.predict(fares.rows([row]))
