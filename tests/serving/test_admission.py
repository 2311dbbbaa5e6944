"""Overload: what is too much is refused at once, and what is being answered is answered."""

import concurrent.futures
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest

from serving.admission import Gate
from tests.generated import generated
from tests.project import Project, free_port
from tests.serving.test_http import EXPLAIN, PREDICT, problem
from validation.errors import Overloaded


def test_a_gate_knows_how_long_a_request_would_wait() -> None:
    gate = Gate(most_seconds=1.0, seconds_a_row=0.1)
    with gate.admit(6), gate.admit(5):  # 0.6 seconds to wait for the second
        assert gate.rows == 11
        says = r"11 rows are waiting, which takes 1\.1 seconds"
        with pytest.raises(Overloaded, match=says) as refused, gate.admit(1):
            pass
        assert refused.value.seconds == 2
        assert gate.rows == 11
    with pytest.raises(ZeroDivisionError), gate.admit(50):  # however many, where nobody is before them
        _ = 1 / 0
    assert gate.rows == 0


def test_a_gate_learns_how_long_rows_take() -> None:
    gate = Gate(most_seconds=1.0, seconds_a_row=10.0)
    with gate.admit(1):
        with pytest.raises(Overloaded):
            gate.demand_room()
        for _ in range(50):
            gate.took(100, 0.1)
        gate.demand_room()


def test_too_many_explanations_are_refused_and_the_others_answered(
    trained: Project, bento: str, tmp_path: Path, row: dict[str, Any]
) -> None:
    rows = {"instances": [row] * 2_000}
    port = str(free_port())
    with (
        trained.serve(bento, tmp_path / "elsewhere", BOXWOOD_MAX_WAIT_MS="1", BOXWOOD_GRPC_PORT=port) as server,
        generated(server, f"127.0.0.1:{port}", "flights", tmp_path) as fares,
    ):

        def ask(_: int) -> httpx.Response:
            with httpx.Client(base_url=server.base_url, timeout=60) as own:
                return own.post(EXPLAIN, json=rows)

        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(ask, range(8)))
            calls = [pool.submit(fares.explain, fares.rows([row]) * 2_000) for _ in range(4)]
        errors = [call.exception() for call in calls]
        assert 1 <= errors.count(None) < 4
        for error in errors:
            if isinstance(error, grpc.RpcError):
                assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
                assert int(dict(error.trailing_metadata())["grpc-retry-pushback-ms"]) >= 1_000
        good = [answer for answer in answers if answer.status_code == 200]
        assert 1 <= len(good) < 8
        for answer in answers:
            if answer not in good:
                assert problem(answer, 503)["type"] == "urn:boxwood:overloaded"
                assert int(answer.headers["retry-after"]) >= 1
        assert server.post(EXPLAIN, json={"instances": [row]}).status_code == 200
        assert server.post(PREDICT, json={"instances": [row]}).status_code == 200
