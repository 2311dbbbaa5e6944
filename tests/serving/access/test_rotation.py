"""The file of keys changes while a server is asked: no answer is lost, and soon the new keys count."""

import concurrent.futures
import threading
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.project import Project
from tests.serving.access import made
from tests.serving.access.test_http import until
from tests.serving.rest.test_http import PREDICT


def status(client: httpx.Client, key: str, row: dict[str, Any]) -> int:
    """How a request with a key ends."""
    return client.post(PREDICT, json={"instances": [row]}, headers=made.bearer(key)).status_code


@pytest.mark.slow
def test_keys_are_rotated_under_load_and_no_answer_is_lost(
    trained: Project, bento: str, tmp_path: Path, row: dict[str, Any]
) -> None:
    path = tmp_path / "keys.json"
    old, steady = made.new(path, "pricing"), made.new(path, "steady")
    over = threading.Event()

    def load(url: str) -> list[int]:
        ended = []
        with httpx.Client(base_url=url, timeout=60) as own:
            while not over.is_set():
                ended.append(status(own, steady, row))
        return ended

    with (
        trained.start_alone(bento, BOXWOOD_API_KEYS=str(path)) as (client, _),
        concurrent.futures.ThreadPoolExecutor(4) as pool,
    ):
        loads = [pool.submit(load, str(client.base_url)) for _ in range(4)]
        try:
            assert status(client, old, row) == 200
            new = made.new(path, "pricing-2", "--like", "pricing")
            until(lambda: status(client, new, row) == 200)
            assert status(client, old, row) == 200
            made.run("revoke", "pricing", "--file", str(path))
            until(lambda: status(client, old, row) == 401)
            assert status(client, new, row) == 200
            good = path.read_bytes()
            path.write_bytes(good[: len(good) // 2])
            assert status(client, new, row) == 200
            path.write_bytes(good)
            last = made.new(path, "last")
            until(lambda: status(client, last, row) == 200)
        finally:
            over.set()
        answers = [ended for done in loads for ended in done.result()]
    assert len(answers) > 50
    assert set(answers) == {200}
