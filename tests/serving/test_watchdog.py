"""A worker that hangs is replaced; one that is busy, starting, or stopped together with everything else is not."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import httpx
import psutil
import pytest

from serving.watchdog import Watch
from tests.project import DEV, ROOT, Project, free_port, workers
from tests.serving.rest.test_asgi import told
from tests.serving.rest.test_http import PREDICT
from tests.serving.rpc.over_grpc import infer_call, message

WORKER = """
import asyncio, pathlib, sys
from serving import watchdog

async def work():
    watchdog.beat(pathlib.Path(sys.argv[1]))
    await asyncio.to_thread(sys.stdin.read)

asyncio.run(work())
"""
SUPERVISOR = """
import os, signal
from bentoml._internal.utils.circus import create_standalone_arbiter
from bentoml.serving import create_watcher
from serving import lifecycle
from serving.settings import Settings

def told_to_stop(**_):
    os.kill(os.getpid(), signal.SIGTERM)
    return True

lifecycle.supervise(Settings(max_hang_seconds=0))
waits = create_watcher("waits", ["-c", "import signal; signal.pause()"], hooks={"after_spawn": (told_to_stop, False)})
create_standalone_arbiter([waits]).start()
"""
PARENT = """
import os, subprocess, sys
worker = subprocess.Popen([sys.executable, "-c", sys.argv[1], str(os.getpid())], stdin=subprocess.DEVNULL)
print(worker.pid, flush=True)
sys.stdin.read()
"""
HANGS = """
import signal, sys, time
from serving import watchdog
signal.signal(signal.SIGTERM, lambda *_: None)  # as where the event loop that would hear it stands still
watchdog.leave_with(int(sys.argv[1]), 0.5)  # which may be gone already
time.sleep(600)
"""
OWN_CONNECTION = [("grpc.use_local_subchannel_pool", 1)]


def until(so: Callable[[], Any]) -> None:
    """Poll until it is so."""
    deadline = time.monotonic() + 60
    while not so():
        assert time.monotonic() < deadline, "it never came to be so"
        time.sleep(0.01)


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process that touches its file, until its stdin is closed."""
    command = [sys.executable, "-c", WORKER, str(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE) as process:
        until((tmp_path / str(process.pid)).exists)
        yield process
        process.kill()


def stop(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGSTOP)
    until(lambda: psutil.Process(process.pid).status() == psutil.STATUS_STOPPED)


def test_who_hangs_for_longer_is_killed(
    worker: subprocess.Popen[bytes], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    watch = Watch(tmp_path, 3)
    stop(worker)
    for _ in range(4):
        watch.look()
    assert worker.poll() is None
    watch.look()
    assert worker.wait(60) == -signal.SIGKILL
    [said] = [told(record) for record in caplog.records if record.name == "boxwood.watchdog"]
    assert (said["event"], said["worker"], said["seconds"]) == ("hung", worker.pid, 4)
    watch.look()
    assert not [*tmp_path.iterdir()]


def test_who_goes_on_begins_anew(worker: subprocess.Popen[bytes], tmp_path: Path) -> None:
    file, watch = tmp_path / str(worker.pid), Watch(tmp_path, 3)

    def goes_on(touched: int) -> None:
        worker.send_signal(signal.SIGCONT)
        until(lambda: file.stat().st_mtime_ns != touched)

    for _ in range(2):  # as when a machine is stopped again and again
        stop(worker)
        for _ in range(3):
            watch.look()
        goes_on(file.stat().st_mtime_ns)
        watch.look()
    assert worker.poll() is None


def test_files_of_others_and_of_the_ended_go(worker: subprocess.Popen[bytes], tmp_path: Path) -> None:
    (tmp_path / str(os.getppid())).touch()
    assert worker.stdin is not None
    worker.stdin.close()
    until(lambda: psutil.Process(worker.pid).status() == psutil.STATUS_ZOMBIE)
    for _ in range(3):
        Watch(tmp_path, 0).look()
    assert not [*tmp_path.iterdir()]
    assert worker.wait(60) == 0


def test_a_file_that_goes_during_a_look_forgets_no_other(worker: subprocess.Popen[bytes], tmp_path: Path) -> None:
    watch = Watch(tmp_path, 3)
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as another:
        (tmp_path / str(another.pid)).symlink_to("gone")  # listed, and not there
        stop(worker)
        for _ in range(5):
            watch.look()
        assert worker.wait(60) == -signal.SIGKILL
        another.kill()


def test_a_supervisor_that_is_told_to_stop_while_it_starts_a_worker_stops() -> None:
    done = subprocess.run([sys.executable, "-c", SUPERVISOR], cwd=ROOT, capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr.decode()


def test_workers_end_with_a_supervisor_that_was_killed(trained: Project, bento: str, tmp_path: Path) -> None:
    with trained.start(bento, tmp_path / "elsewhere", DEV, BOXWOOD_WORKERS="2") as (server, supervisor):
        orphans = workers(supervisor)
        assert len(orphans) == 2
        supervisor.kill()
        supervisor.wait()
        _, left = psutil.wait_procs(orphans, timeout=60)
        assert not left
        with pytest.raises(httpx.ConnectError):
            server.get("/livez")
    log = (tmp_path / "elsewhere/server.log").read_text().splitlines()
    said = [json.loads(line)["worker"] for line in log if '"orphaned"' in line]
    assert sorted(said) == sorted(worker.pid for worker in orphans)


def test_a_worker_that_hangs_ends_with_its_supervisor_too() -> None:
    command = [sys.executable, "-c", PARENT, HANGS]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as supervisor:
        assert supervisor.stdout is not None
        worker = psutil.Process(int(supervisor.stdout.readline()))
        supervisor.kill()
        supervisor.wait()
        _, left = psutil.wait_procs([worker], timeout=60)
        assert not left


@pytest.mark.slow
def test_callers_of_a_worker_that_hangs_are_taken_over(
    trained: Project, bento: str, tmp_path: Path, row: dict[str, Any]
) -> None:
    address = f"127.0.0.1:{free_port()}"
    variables = {
        "BOXWOOD_WORKERS": "2",
        "BOXWOOD_GRPC_PORT": address.split(":")[1],
        "BOXWOOD_MAX_HANG_SECONDS": "2",
    }

    def answers(channel: grpc.Channel) -> bool:
        with contextlib.suppress(grpc.RpcError):
            return bool(infer_call(channel)(message([row]), timeout=5).outputs)
        return False

    def anew() -> bool:
        with grpc.insecure_channel(address, OWN_CONNECTION) as channel:
            return answers(channel)

    with (
        trained.start(bento, tmp_path / "elsewhere", DEV, **variables) as (server, supervisor),
        contextlib.ExitStack() as held,
    ):
        hangs, stays = workers(supervisor)
        folder = Path(hangs.environ()["_BOXWOOD_SUPERVISOR"].partition(":")[2]) / "beats"
        until(lambda: {file.name for file in folder.iterdir()} == {str(hangs.pid), str(stays.pid)})
        before = [held.enter_context(grpc.insecure_channel(address, OWN_CONNECTION)) for _ in range(8)]
        assert all(map(answers, before))  # some of them by the one, and some by the other
        hangs.suspend()
        until(lambda: hangs not in workers(supervisor))
        until(lambda: all(anew() for _ in range(8)))
        until(lambda: all(map(answers, before)))
        with contextlib.suppress(httpx.TransportError):  # a connection that the hung worker had
            server.post(PREDICT, json={"instances": [row]})
        assert server.post(PREDICT, json={"instances": [row]}).status_code == 200
        until(lambda: len(workers(supervisor)) == 2)
        assert stays in workers(supervisor)
        supervisor.terminate()
        assert supervisor.wait(30) == 0
    log = (tmp_path / "elsewhere/server.log").read_text().splitlines()
    [said] = [json.loads(line) for line in log if '"hung"' in line]
    assert said["worker"] == hangs.pid
