"""The watchdog: a worker whose event loop hangs is killed, so that another takes its place.

A worker whose supervisor was killed ends, too. Each worker touches a file of its own from its event loop. The
supervisor looks at the files once a second and counts how often it saw the same time stamp. It reads no clock: where
all processes were stopped (`docker pause`, a suspended machine), the supervisor looked at nothing either, and no worker
is killed afterwards.
"""

import asyncio
import contextlib
import logging
import os
import signal
import threading
import time
from pathlib import Path

import psutil

from serving import logs

SECONDS = 1
"""Between two touches, and between two looks."""
_log = logging.getLogger("boxwood.watchdog")


def beat(folder: Path) -> None:
    """In a worker: touch its file for as long as the event loop runs."""
    loop = asyncio.get_running_loop()
    file = folder / str(os.getpid())

    def touch() -> None:
        with contextlib.suppress(OSError):  # without the folder, the worker is no longer watched
            file.touch()
        loop.call_later(SECONDS, touch)

    touch()


def leave_with(supervisor: int, grace: float) -> None:
    """In a worker: end as at SIGTERM once its supervisor was killed. Nobody else would stop it, and it has the port.

    A thread looks, because nobody is left to kill a worker whose event loop hangs either: what has not ended `grace`
    seconds after that is killed.
    """

    def run() -> None:
        while os.getppid() == supervisor:
            time.sleep(SECONDS)
        detail = f"The supervisor, process {supervisor}, has gone; this worker ends what it has begun, and stops."
        _log.error("orphaned", extra=logs.facts(logs.NOBODY, worker=os.getpid(), detail=detail))
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(grace)
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=run, name="supervised", daemon=True).start()


def start(folder: Path, most: int) -> None:
    """In the supervisor: look at the files in `folder`, as `Watch` does, until the process ends."""
    watch = Watch(folder, most)

    def run() -> None:
        while True:
            time.sleep(SECONDS)
            with contextlib.suppress(OSError):  # the folder goes when the supervisor ends
                watch.look()

    threading.Thread(target=run, name="watchdog", daemon=True).start()


class Watch:
    """What this process saw of its children that touch a file in `folder`.

    A worker hangs if its file stays unchanged for more than `most` looks after the first. That is one look more than
    the setting says, because one may come right after the machine was suspended.
    """

    def __init__(self, folder: Path, most: int) -> None:
        self._folder = folder
        self._most = most
        self._seen: dict[int, tuple[int, int]] = {}

    def look(self) -> None:
        """Look once; kills the workers that hang."""
        before, self._seen = self._seen, {}
        for file in self._folder.iterdir():
            with contextlib.suppress(FileNotFoundError):  # gone meanwhile, which is no reason to forget the others
                self._look_at(file, *before.get(int(file.name), (0, 0)))

    def _look_at(self, file: Path, last: int, looks: int) -> None:
        pid = int(file.name)
        if not _runs_here(pid):
            file.unlink()  # a process may get the same id, and begins without a file
            return
        touched = file.stat().st_mtime_ns
        looks = looks + 1 if touched == last else 0
        if looks <= self._most:
            self._seen[pid] = (touched, looks)
            return
        os.kill(pid, signal.SIGKILL)
        detail = "Its event loop stood still; it was killed, for BentoML's supervisor to start another."
        _log.error("hung", extra=logs.facts(logs.NOBODY, worker=pid, seconds=looks * SECONDS, detail=detail))
        file.unlink()


def _runs_here(pid: int) -> bool:
    """Whether it is a child of this process that has not ended."""
    try:
        child = psutil.Process(pid)
        return bool(child.ppid() == os.getpid() and child.status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False
