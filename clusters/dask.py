"""A cluster of Dask: sentences where it is lost, and nobody who waits for it for ever, as Dask itself does."""

import contextlib
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import CancelledError
from typing import Any

from distributed import Client, Future, as_completed
from distributed.comm import CommClosedError
from distributed.scheduler import KilledWorker

from validation.errors import SettingsError, StoreError

AGAIN = "The same command goes on."
TRIES = 3
"""How often a task is tried again that failed: a bucket may not answer."""
_EVERY, _NAP = 1.0, 0.02


@contextlib.contextmanager
def connected(scheduler: str, knows: str, more: str) -> Iterator[Client]:
    """A client of a scheduler; what Dask raises as sentences.

    Args:
        scheduler: its address, as tcp://host:8786.
        knows: who has to have this project, as "A worker".
        more: what to do where memory is short.

    Raises:
        SettingsError: that is no address of a scheduler, or the cluster lacks this project's code or its packages.
        StoreError: the scheduler is not there or is lost, or workers end again and again.
    """
    try:
        with _client(scheduler) as client:
            yield client
    except ModuleNotFoundError as error:
        raise SettingsError(
            f"{knows} of Dask does not find {error.name}: PYTHONPATH names this project there, and the environment has "
            "its packages (requirements/engines.txt)."
        ) from error
    except KilledWorker as error:
        raise StoreError(
            f"Dask's workers ended again and again in the same task, as where memory is short: {more}. {AGAIN}"
        ) from error
    except (CancelledError, CommClosedError, TimeoutError) as error:  # as each way to lose it is called
        raise _lost(scheduler, error) from error
    except OSError as error:
        if error.errno is not None and not isinstance(error, ConnectionError):
            raise  # of this machine
        raise _lost(scheduler, error) from error


def _client(scheduler: str) -> Client:
    try:
        return Client(scheduler)
    except ValueError as error:
        raise SettingsError(
            f"{scheduler} is no address of a scheduler of Dask, as tcp://host:8786 is one: {error}."
        ) from error


def _lost(scheduler: str, error: BaseException) -> StoreError:
    return StoreError(f"Dask's scheduler at {scheduler} is not there: {error}. {AGAIN}")


def there(client: Client) -> Mapping[str, Mapping[str, Any]]:
    """What the scheduler knows of each worker, by its address."""
    known: Mapping[str, Any] = client.scheduler_info(n_workers=-1)
    if "workers" not in known:
        raise CommClosedError("it does not answer")
    workers: Mapping[str, Mapping[str, Any]] = known["workers"]
    return workers


def nobody(client: Client, patience: float) -> StoreError:
    """What to say once a scheduler has had no worker for so many seconds."""
    scheduler = client.scheduler.address
    return StoreError(
        f"Dask's scheduler at {scheduler} has had no worker for {patience:.0f} seconds. Start some (dask worker "
        f"{scheduler}), or see in their logs why they ended. {AGAIN}"
    )


class Watch:
    """Looks whether there is a worker that works."""

    def __init__(self, client: Client, patience: float) -> None:
        """Begin to watch; `patience` is for how many seconds there may be none."""
        self._client, self._patience = client, patience
        self._looked, self._well = 0.0, time.monotonic()

    def look(self) -> bool:
        """Whether there was one at the last look, a moment ago; raises StoreError if there was none for too long."""
        now = time.monotonic()
        if now - self._looked >= _EVERY:
            self._looked = now
            workers = there(self._client).values()
            if any(worker.get("status") != "paused" for worker in workers):
                self._well = now
            elif now - self._well > self._patience:
                raise self._paused() if workers else nobody(self._client, self._patience)
        return self._well >= self._looked

    def _paused(self) -> StoreError:
        return StoreError(
            f"All of Dask's workers have paused for {self._patience:.0f} seconds, because their memory is nearly full: "
            f"start more of them, or give them more. {AGAIN}"
        )


def results(client: Client, tasks: dict[Future, int], patience: float) -> Iterator[tuple[int, Any]]:
    """What tasks come to, each with its number, as it comes; what a lost worker had is done again.

    Args:
        client: of their cluster.
        tasks: their numbers; emptied on the way, because the cluster keeps what is asked for.
        patience: for how many seconds there may be no worker that works.

    Raises:
        StoreError: there was none for longer.
        what a task raises.
    """
    found, watch = as_completed(list(tasks)), Watch(client, patience)
    while tasks:
        if found.has_ready():
            task = next(found)
            yield tasks.pop(task), _result(task, watch)
        else:
            watch.look()
            time.sleep(_NAP)


def _result(task: Future, watch: Watch) -> Any:
    """What a task that has ended came to; it is done again if its worker was lost with it."""
    while True:
        try:
            return task.result(timeout=_EVERY)
        except TimeoutError:
            if task.status == "error":  # its own
                raise
            watch.look()
