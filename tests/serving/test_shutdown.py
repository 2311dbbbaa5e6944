"""SIGTERM: what is being answered is answered, and then the server ends."""

import concurrent.futures
from pathlib import Path
from typing import Any

import httpx

from tests.project import Project
from tests.serving.test_http import EXPLAIN
from tests.serving.test_metrics import samples


def test_what_is_in_flight_is_answered(trained: Project, bento: str, tmp_path: Path, row: dict[str, Any]) -> None:
    with trained.start(bento, tmp_path / "elsewhere") as (server, process):

        def ask() -> httpx.Response:
            return httpx.post(server.base_url.join(EXPLAIN), json={"instances": [row] * 5_000}, timeout=60)

        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            asked = pool.submit(ask)
            while not samples(server)["boxwood_waiting_rows", "explain"]:
                assert not asked.done(), "the explanation was ready before anybody could look"
            process.terminate()
            answer = asked.result()
        assert answer.status_code == 200
        assert len(answer.json()["explanations"]) == 5_000
        assert process.wait(10) == 0
