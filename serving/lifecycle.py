"""How a service starts, and how it refuses to: with a sentence and a non-zero exit, before it takes traffic.

BentoML's supervisor restarts a worker that fails to start, for ever, while the port accepts connections. So what can
be known before the port opens is checked there (`audit`), and a worker that finds more (`refuse`) ends its
supervisor.
"""

import atexit
import contextlib
import gc
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from bentoml.exceptions import BentoMLException

from model import bundle
from serving import logs, port, watchdog
from serving.settings import Settings
from validation.errors import BoxwoodError, SettingsError

GRACE_SECONDS = 8
"""What requests in flight get to end after SIGTERM; Cloud Run kills after ten."""
_SUPERVISOR = "_BOXWOOD_SUPERVISOR"
"""Set by the supervisor for its workers: its process id and a folder for metrics, signs of life and a refusal."""
_REFUSAL, _METRICS, _BEATS = "refusal", "metrics", "beats"
_AGAIN_SECONDS = 0.1


class NotStarting(BentoMLException):
    """Why a service cannot be; BentoML's commands say it in a line, and end."""

    def __init__(self, error: BoxwoodError) -> None:
        super().__init__(f"Not starting: {error}")


def audit(directories: Iterable[Path], settings: Settings) -> None:
    """Look at ports and bundles before anything is served; exits with the reason if it must not be."""
    try:
        # workers share the port with whoever else shares it, and would not notice
        if settings.grpc_port and (taken := port.refusal(settings.grpc_host, settings.grpc_port, "BOXWOOD_GRPC_PORT")):
            raise SettingsError(taken)
        for directory in directories:
            bundle.read(directory)
    except BoxwoodError as error:
        sys.exit(f"Not starting: {error}")
    folder = Path(tempfile.mkdtemp(prefix="boxwood-supervisor-"))
    (folder / _METRICS).mkdir()
    os.environ[_SUPERVISOR] = f"{os.getpid()}:{folder}"
    atexit.register(_end, folder, os.getpid())


def supervise(settings: Settings) -> None:
    """In the supervisor, after `audit`: replace workers that hang, and obey a signal to stop whenever it comes."""
    _insist()
    if settings.max_hang_seconds and (folder := _shared()):
        (folder / _BEATS).mkdir()
        logs.set_up()
        watchdog.start(folder / _BEATS, settings.max_hang_seconds)


def _insist() -> None:
    """Make the supervisor stop when it is told to.

    circus, which it is made of, refuses to stop while it starts workers, tells nobody, and goes on for ever.
    """
    from circus.exc import ConflictError  # it is in the supervisor only, and a worker need not load it
    from circus.sighandler import SysHandler

    def stop(handler: Any) -> None:
        loop = handler.controller.loop

        def attempt() -> None:
            try:
                handler.controller.arbiter.stop()
            except ConflictError:  # stopping already, too: then the loop ends before there is an end to this
                loop.call_later(_AGAIN_SECONDS, attempt)

        loop.add_callback_from_signal(attempt)

    SysHandler.quit = stop


def join() -> None:
    """In a worker, before anything is counted: share the counts with the workers of the same supervisor alone.

    BentoML's supervisors have one folder for that in their BENTOML_HOME, which each of them empties when it starts.
    """
    if folder := _shared():
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder / _METRICS)


def live() -> None:
    """In a worker that is ready, on its event loop: give signs of life from now on, if somebody looks at them."""
    if (folder := _shared()) and (folder / _BEATS).is_dir():
        watchdog.beat(folder / _BEATS)


def _shared() -> Path | None:
    """The folder of the supervisor that started this process, or that it is itself."""
    pid, _, path = os.environ.get(_SUPERVISOR, "").partition(":")
    return Path(path) if pid in (str(os.getppid()), str(os.getpid())) else None


def refuse(error: BoxwoodError) -> None:
    """In a worker: say why, and end the supervisor, if any, rather than be started again. Raises SystemExit."""
    sentence = f"Not starting: {error}"
    if folder := _shared():
        (folder / _REFUSAL).write_text(sentence)
        os.kill(int(os.environ[_SUPERVISOR].partition(":")[0]), signal.SIGTERM)
    sys.exit(sentence)


def _end(folder: Path, supervisor: int) -> None:
    if os.getpid() != supervisor:
        return
    sentence = ""
    with contextlib.suppress(OSError):
        sentence = (folder / _REFUSAL).read_text()
    shutil.rmtree(folder, ignore_errors=True)
    if sentence:
        print(sentence, file=sys.stderr, flush=True)
        os._exit(1)  # the supervisor was told to stop and would exit with 0, which means success to whoever started it


def freeze_heap() -> None:
    """Put what is loaded out of the garbage collector's sight.

    A full collection over the imported modules stalls a worker for 170 ms and more; nothing of it is ever garbage.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 50, 1_000)
