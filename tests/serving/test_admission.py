"""Overload: what is too much is refused at once, and what is being answered is answered."""

import concurrent.futures
from pathlib import Path
from typing import Any

import httpx
import pytest

from serving.admission import Gate
from tests.project import Project
from tests.serving.test_http import EXPLAIN, PREDICT, problem
from validation.errors import Overloaded


def test_a_gate_counts_what_waits() -> None:
    gate = Gate(10)
    with gate.admit(6), gate.admit(4):
        assert gate.rows == 10
        with pytest.raises(Overloaded, match="10 rows are waiting, and 10 may"), gate.admit(1):
            pass
        assert gate.rows == 10
    assert gate.rows == 0


def test_a_request_above_the_limit_is_let_in_alone() -> None:
    gate = Gate(10)
    with gate.admit(50), pytest.raises(Overloaded), gate.admit(1):
        pass
    with pytest.raises(ZeroDivisionError), gate.admit(50):
        _ = 1 / 0
    assert gate.rows == 0


def test_too_many_explanations_are_refused_and_the_others_answered(
    trained: Project, bento: str, tmp_path: Path, row: dict[str, Any]
) -> None:
    rows = {"instances": [row] * 2_000}
    with trained.serve(bento, tmp_path / "elsewhere", BOXWOOD_MAX_WAITING_EXPLANATIONS="4000") as server:

        def ask(_: int) -> httpx.Response:
            with httpx.Client(base_url=server.base_url, timeout=60) as own:
                return own.post(EXPLAIN, json=rows)

        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(ask, range(8)))
        good = [answer for answer in answers if answer.status_code == 200]
        assert 2 <= len(good) < 8
        for answer in answers:
            if answer not in good:
                assert problem(answer, 503)["type"] == "urn:boxwood:overloaded"
                assert answer.headers["retry-after"] == "1"
        assert server.post(EXPLAIN, json={"instances": [row]}).status_code == 200
        assert server.post(PREDICT, json={"instances": [row]}).status_code == 200
