"""A service that is asked all the time while its journal loses its folder, its disk and a worker: no caller notices."""

import contextlib
import http.client
import json
import os
import shutil
import subprocess
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import psutil
import pytest

from model.record import Record
from tests import disks
from tests.project import DEV, Project, workers
from tests.serving.rest.test_http import PREDICT
from tests.serving.test_challenger import counted
from tests.serving.test_watchdog import until

_read = msgspec.json.Decoder(Record).decode
CALLERS = 8


class Caller(threading.Thread):
    """Asks again as soon as it has an answer, on a connection of its own."""

    def __init__(self, server: httpx.Client, row: dict[str, Any]) -> None:
        super().__init__()
        self._address = server.base_url.host, server.base_url.port
        self._body = json.dumps({"instances": [row]})
        self._stopping = threading.Event()
        self.answered: list[str] = []
        self.statuses: Counter[int] = Counter()
        self.lost: list[int] = []
        """Its ports of connections that ended; 0 of those that were never made."""

    def run(self) -> None:
        while not self._stopping.is_set():
            port = 0
            with contextlib.closing(http.client.HTTPConnection(*self._address, timeout=60)) as connection:
                try:
                    connection.connect()
                    port = connection.sock.getsockname()[1]
                    while not self._stopping.is_set():
                        self._ask(connection)
                except (OSError, http.client.HTTPException):
                    self.lost.append(port)

    def _ask(self, connection: http.client.HTTPConnection) -> None:
        connection.request("POST", PREDICT, self._body, {"content-type": "application/json"})
        with connection.getresponse() as answer:
            content = answer.read()
        self.statuses[answer.status] += 1
        if answer.status == 200:
            self.answered += [each["prediction_id"] for each in json.loads(content)["predictions"]]

    def stop(self) -> None:
        """Take the last answer."""
        self._stopping.set()
        self.join(60)


@contextlib.contextmanager
def asking(server: httpx.Client, row: dict[str, Any], callers: int = CALLERS) -> Iterator[list[Caller]]:
    """So many callers, until the end of the block."""
    started = [Caller(server, row) for _ in range(callers)]
    for caller in started:
        caller.start()
    try:
        yield started
    finally:
        for caller in started:
            caller.stop()


def recorded(folder: Path) -> set[str]:
    """The ids in the journal; fails for a line that is not whole, and is not the last of its file either."""
    lines = [line for path in folder.glob("*.jsonl") for line in path.read_bytes().splitlines(keepends=True)]
    return {_read(line).prediction_id for line in lines if line.endswith(b"\n")}


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small disk of its own, where this machine lets us have one."""
    with disks.small(tmp_path / "disk", "128m"):
        yield tmp_path / "disk"


@pytest.fixture
def hanging(tmp_path: Path) -> Path:
    """A watch store from which nothing can be read, though one may try for ever."""
    (tmp_path / "watch/flights").mkdir(parents=True)
    os.mkfifo(tmp_path / "watch/flights/verdict.json")
    return tmp_path / "watch"


def fails(server: httpx.Client) -> Callable[[], bool]:
    """Whether more rows have failed than when this was called."""

    def failed() -> float:
        text = httpx.get(f"{server.base_url}/metrics", timeout=60).text
        return counted(text, "boxwood_journal_rows_total", outcome="failed")

    before = failed()
    return lambda: failed() > before


def grows(folder: Path) -> Callable[[], bool]:
    """Whether more has been recorded than when this was called."""
    before = recorded(folder)
    return lambda: bool(recorded(folder) - before)


def fill(disk: Path) -> Path:
    """A file that leaves no byte of a disk."""
    path = disk / "filler"
    with path.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(b"x" * 4096)
    return path


def kill_one(supervisor: subprocess.Popen[bytes]) -> set[int]:
    """Kill a worker that has callers; returns the ports from which they ask it."""

    def ports(worker: psutil.Process) -> set[int]:
        return {each.raddr.port for each in worker.net_connections("tcp") if each.raddr}

    worker = max(workers(supervisor), key=lambda each: len(ports(each)))
    worker.suspend()  # it takes no more of them
    until(lambda: worker.status() == psutil.STATUS_STOPPED)
    found = ports(worker)
    assert found
    worker.kill()
    until(lambda: worker not in workers(supervisor))
    until(lambda: len(workers(supervisor)) == 2)
    return found


@pytest.mark.slow
def test_whatever_happens_to_the_journal_callers_are_answered(
    trained: Project, bento: str, tmp_path: Path, disk: Path, hanging: Path, row: dict[str, Any]
) -> None:
    journal = disk / "journal"
    limits = {"BOXWOOD_WORKERS": "2", "BOXWOOD_JOURNAL_ROWS_PER_SECOND": "100000", "BOXWOOD_WATCH": str(hanging)}
    with trained.start(bento, tmp_path / "elsewhere", DEV, BOXWOOD_JOURNAL=str(journal), **limits) as (server, process):
        with asking(server, row) as callers:
            until(grows(journal))
            shutil.rmtree(journal, ignore_errors=True)  # a worker may be making it again
            until(grows(journal))

            failed = fails(server)
            aside = journal.rename(disk / "aside")
            journal.write_text("a file where the folder was")
            shutil.rmtree(aside)
            until(failed)
            journal.unlink()
            until(journal.is_dir)
            until(grows(journal))

            if disk.is_mount():
                failed = fails(server)
                filler = fill(disk)
                until(failed)
                assert all(path.read_bytes()[-1:] in (b"", b"\n") for path in journal.iterdir())
                filler.unlink()
                until(grows(journal))

            before = {path: path.read_bytes() for path in journal.iterdir()}
            ports = kill_one(process)
            assert all(path.read_bytes().startswith(content) for path, content in before.items())
            until(grows(journal))
            assert httpx.get(f"{server.base_url}/v1/models/flights", timeout=60).status_code == 200
        with asking(server, row) as last:
            until(lambda: all(len(caller.answered) > 50 for caller in last))
        process.terminate()
        assert process.wait(30) == 0
    assert {status for caller in [*callers, *last] for status in caller.statuses} == {200}
    assert {port for caller in callers for port in caller.lost} <= ports
    assert [port for caller in last for port in caller.lost] == []
    answered = {name for caller in last for name in caller.answered}
    assert answered <= recorded(journal), "what was answered since has its record"
