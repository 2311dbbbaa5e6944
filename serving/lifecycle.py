"""Starting a service, and refusing to start: with a message and a non-zero exit code, before it takes traffic.

BentoML's supervisor restarts a worker that fails to start, for ever, while the port accepts connections. So whatever
can be checked before the port opens is checked in the supervisor (`audit`), and a worker that finds another fault ends
its supervisor (`refuse`).
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

from model import bundle, signatures
from serving import logs, port, tls, watchdog
from serving.access import access
from serving.settings import Settings
from validation.errors import BoxwoodError, SettingsError

GRACE_SECONDS = 8
"""How long requests in flight may take to finish after SIGTERM; Cloud Run kills the process after ten."""
_SUPERVISOR = "_BOXWOOD_SUPERVISOR"
"""Set by the supervisor for its workers: its process id, and a folder for metrics, heartbeats and a refusal."""
_REFUSAL, _METRICS, _BEATS = "refusal", "metrics", "beats"
_RETRY_SECONDS = 0.1


class NotStarting(BentoMLException):
    """Why a service cannot start; BentoML's commands print it in a line and exit."""

    def __init__(self, error: BoxwoodError) -> None:
        super().__init__(f"Not starting: {error}")


def audit(directories: Iterable[Path], settings: Settings) -> None:
    """Check ports, keys, certificates and bundles before anything is served; exits with the reason if a check fails."""
    try:
        access.demand(settings)
        # gRPC's workers share their port (SO_REUSEPORT), even with another program, and would not notice it
        if settings.grpc_port and (reason := port.refusal(settings.grpc_host, settings.grpc_port, "BOXWOOD_GRPC_PORT")):
            raise SettingsError(reason)
        tls.of(settings)
        trusted = signatures.trusted(settings.trusted_keys)
        for directory in directories:
            bundle.read(directory, trusted)
    except BoxwoodError as error:
        sys.exit(f"Not starting: {error}")
    folder = Path(tempfile.mkdtemp(prefix="boxwood-supervisor-"))
    (folder / _METRICS).mkdir()
    os.environ[_SUPERVISOR] = f"{os.getpid()}:{folder}"
    atexit.register(_clean_up, folder, os.getpid())


def supervise(settings: Settings) -> None:
    """In the supervisor, after `audit`: replace workers that hang, and stop at a signal whenever it comes."""
    _make_stop_reliable()
    if settings.max_hang_seconds and (folder := _supervisor_folder()):
        (folder / _BEATS).mkdir()
        logs.set_up()
        watchdog.start(folder / _BEATS, settings.max_hang_seconds)


def _make_stop_reliable() -> None:
    """Make the supervisor retry a stop until it succeeds.

    circus, on which the supervisor is built, ignores a stop without a word while it starts workers.
    """
    from circus.exc import ConflictError  # not needed in a worker
    from circus.sighandler import SysHandler

    def stop(handler: Any) -> None:
        loop = handler.controller.loop

        def attempt() -> None:
            try:
                handler.controller.arbiter.stop()
            except ConflictError:  # also while it is stopping: then the end of the loop ends the retries
                loop.call_later(_RETRY_SECONDS, attempt)

        loop.add_callback_from_signal(attempt)

    SysHandler.quit = stop


def join() -> None:
    """In a worker, before the first metric: share metrics with the workers of the same supervisor only.

    By default all supervisors of one BENTOML_HOME share a folder for metrics, and each empties it when it starts.
    """
    if folder := _supervisor_folder():
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder / _METRICS)


def live() -> None:
    """In a worker that is ready, on its event loop: leave with the supervisor, and send heartbeats if it reads any."""
    supervisor = os.environ.get(_SUPERVISOR, "").partition(":")[0]
    if supervisor not in ("", str(os.getpid())):
        watchdog.leave_with(int(supervisor), 2 * GRACE_SECONDS)
    if (folder := _supervisor_folder()) and (folder / _BEATS).is_dir():
        watchdog.beat(folder / _BEATS)


def _supervisor_folder() -> Path | None:
    """The folder of the supervisor that started this process, or that it is itself."""
    pid, _, path = os.environ.get(_SUPERVISOR, "").partition(":")
    return Path(path) if pid in (str(os.getppid()), str(os.getpid())) else None


def refuse(error: BoxwoodError) -> None:
    """In a worker: report the error, and end the supervisor, if any, so that it restarts nothing. Raises SystemExit."""
    sentence = f"Not starting: {error}"
    if folder := _supervisor_folder():
        (folder / _REFUSAL).write_text(sentence)
        os.kill(int(os.environ[_SUPERVISOR].partition(":")[0]), signal.SIGTERM)
    sys.exit(sentence)


def _clean_up(folder: Path, supervisor: int) -> None:
    if os.getpid() != supervisor:
        return
    sentence = ""
    with contextlib.suppress(OSError):
        sentence = (folder / _REFUSAL).read_text()
    shutil.rmtree(folder, ignore_errors=True)
    if sentence:
        print(sentence, file=sys.stderr, flush=True)
        os._exit(1)  # a supervisor that was stopped by a signal would exit with 0, which means success


def freeze_heap() -> None:
    """Exclude what is loaded from garbage collection.

    A full collection over the imported modules stalls a worker for 170 ms and more; none of them ever becomes garbage.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 50, 1_000)
