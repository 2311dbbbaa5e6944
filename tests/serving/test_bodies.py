"""Bodies that arrive: what they may take of a worker's memory."""

import contextlib
import json
import socket
from pathlib import Path
from typing import Any

import pytest

from serving.bodies import SMALL, Bodies, memory
from serving.settings import Settings
from tests.project import Project
from tests.serving.rest.test_http import JSON, PREDICT, problem
from validation.errors import Overloaded, RequestTooLarge

TRIES = 1_000


def test_what_arrives_has_a_budget_and_gives_it_back() -> None:
    bodies = Bodies(Settings(max_body_bytes=3 * SMALL, max_reading_bytes=4 * SMALL))
    with bodies.reading() as first:
        first.add(SMALL)
        first.add(2 * SMALL)
        with pytest.raises(RequestTooLarge, match=f"limit of {3 * SMALL} bytes"):
            first.add(1)
        with bodies.reading() as small, bodies.reading() as another, bodies.reading() as large:
            for one in (small, another):
                one.add(SMALL)
            with pytest.raises(Overloaded, match=f"{5 * SMALL} bytes of other requests are arriving"):
                large.add(SMALL + 1)
            large.add(SMALL)
            with pytest.raises(Overloaded, match=f"{5 * SMALL} bytes of other requests are arriving"):
                large.add(1)
    with bodies.reading() as large:
        large.add(3 * SMALL)


def test_one_body_always_finds_room() -> None:
    limit = memory()
    with Bodies(Settings(max_body_bytes=limit, workers=100)).reading() as body:
        body.add(limit)
    least = Settings(max_body_bytes=3 * SMALL, max_reading_bytes=SMALL)
    with Bodies(least).reading() as body:
        for _ in range(3):
            body.add(SMALL)


@pytest.mark.parametrize("name", ["memory.max", "memory/memory.limit_in_bytes"])
def test_a_containers_memory_is_its_limit(tmp_path: Path, name: str) -> None:
    machine = memory(tmp_path)
    file = tmp_path / name
    file.parent.mkdir(exist_ok=True)
    for text, expected in (("268435456\n", 2**28), ("max\n", machine), (f"{2**63 - 4096}\n", machine)):
        file.write_text(text)
        assert memory(tmp_path) == expected


def test_senders_that_never_finish_do_not_use_up_the_memory(
    trained: Project, bento: str, tmp_path: Path, row: dict[str, Any]
) -> None:
    small = json.dumps({"instances": [row]}).encode()
    large = bytes(200_000).replace(b"\0", b" ") + small
    head = f"POST {PREDICT} HTTP/1.1\r\nhost: box\r\ncontent-type: application/json\r\ncontent-length: 900000\r\n\r\n"
    with (
        trained.serve(
            bento, tmp_path / "elsewhere", BOXWOOD_MAX_BODY_BYTES="950000", BOXWOOD_MAX_READING_BYTES="1000000"
        ) as server,
        contextlib.ExitStack() as senders,
    ):
        assert server.post(PREDICT, content=large, headers=JSON).status_code == 200
        address = (server.base_url.host, server.base_url.port or 80)
        for _ in range(TRIES):  # a sender is refused itself where it arrives beside the large request
            sender = senders.enter_context(socket.create_connection(address))
            with contextlib.suppress(ConnectionError):
                sender.sendall(head.encode() + b" " * 300_000)
            answer = server.post(PREDICT, content=large, headers=JSON)
            if answer.status_code != 200:
                break
        assert "bytes of other requests are arriving" in problem(answer, 503)["detail"]
        assert answer.headers["retry-after"] == "1"
        assert server.post(PREDICT, content=small, headers=JSON).status_code == 200
        senders.close()
        for _ in range(TRIES):
            answer = server.post(PREDICT, content=large, headers=JSON)
            if answer.status_code == 200:
                break
        assert answer.status_code == 200
