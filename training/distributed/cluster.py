"""A cluster of Dask: tasks on whichever worker is free, and sentences where it is lost."""

import contextlib
import pickle
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError
from typing import Any, TypeVar

from distributed import Client, as_completed, wait
from distributed.comm import CommClosedError
from distributed.scheduler import KilledWorker

from training.distributed.kept import code
from training.workspace import say
from validation.errors import SettingsError, StoreError

T = TypeVar("T")
_TRIES = 3
"""How often a task is tried again that failed: a bucket may not answer."""
_WAIT = 60.0
"""Seconds until workers that were lost should be back, or a first one there."""
_EVERY = 10.0
_NAP = 0.02
AGAIN = "The same command goes on."
_NOBODY = (
    f"Dask's scheduler has had no workers for {_WAIT:.0f} seconds. Start some, or see in their logs why they ended. "
    f"{AGAIN}"
)


class WorkerLost(Exception):
    """A worker left while all were needed."""


@contextlib.contextmanager
def connected(scheduler: str) -> Iterator[Client]:
    """A client of the scheduler, as tcp://host:8786.

    Raises:
        StoreError: the scheduler is not there or is lost, or workers end again and again.
        SettingsError: that is no address of a scheduler, or the cluster lacks this project's code or its packages.
    """
    try:
        with _client(scheduler) as client:
            yield client
    except ModuleNotFoundError as error:
        raise SettingsError(
            f"The scheduler or a worker of Dask does not find {error.name}: PYTHONPATH names this project there, and "
            "the environment has its packages (requirements/engines.txt)."
        ) from error
    except KilledWorker as error:
        raise StoreError(
            "Dask's workers ended again and again in the same task, as where memory is short: give them more, start "
            f"more of them, or have smaller partitions (`partition` in params.yaml, cluster). {AGAIN}"
        ) from error
    except (CancelledError, CommClosedError, TimeoutError) as error:  # as each way to lose it is called
        raise StoreError(f"Dask's scheduler at {scheduler} is not there: {error}. {AGAIN}") from error
    except RuntimeError as error:
        if not isinstance(error.__cause__, ModuleNotFoundError):
            raise
        raise SettingsError(
            f"Dask's scheduler at {scheduler} does not find {error.__cause__.name}: its PYTHONPATH names this project, "
            "as that of the workers, and its environment has the project's packages (requirements/engines.txt). "
            f"{AGAIN}"
        ) from error
    except OSError as error:
        if error.errno is not None and not isinstance(error, ConnectionError):
            raise  # of this machine
        raise StoreError(f"Dask's scheduler at {scheduler} is not there: {error}. {AGAIN}") from error


def _client(scheduler: str) -> Client:
    try:
        return Client(scheduler)
    except ValueError as error:
        raise SettingsError(
            f"{scheduler} is no address of a scheduler of Dask, as tcp://host:8786 is one: {error}."
        ) from error


def fresh(client: Client) -> None:
    """Start all workers anew, and see that they have the code of this machine.

    A worker keeps the code that it has loaded, whatever its files say since, and goes on with what a run that was
    killed gave it: a training holds its thread to the last tree.

    Raises:
        StoreError: the workers have no nannies, or other code, or there are none.
        ModuleNotFoundError: the scheduler or a worker does not find the project, or its packages.
    """
    asked = pickle.dumps(code)
    there = awaited(client, 1)

    def ask() -> Any:  # sent as it is, so that a process without this project can say so
        return pickle.loads(asked)()  # noqa: S301 a cluster runs whatever it is sent

    client.run_on_scheduler(ask)
    try:
        client.restart_workers(list(there), timeout=_WAIT, raise_for_error=False)
    except ValueError as error:
        raise StoreError(
            f"Dask's workers cannot be started anew, so they may have old code: {error}. Have them with nannies."
        ) from error
    awaited(client, len(there))
    ours = code()
    others = sorted(address for address, theirs in client.run(ask).items() if theirs != ours)
    if others:
        raise StoreError(
            f"The worker {others[0]} has other code than this machine (validation, problems, model or training): bring "
            f"all machines to the same. {AGAIN}"
        )


def workers(client: Client) -> dict[str, int]:
    """The memory limit of each worker in bytes, by its address; 0 where it has none."""
    return {address: int(about.get("memory_limit") or 0) for address, about in _there(client).items()}


def _there(client: Client) -> Mapping[str, Mapping[str, Any]]:
    """What the scheduler knows of each worker, by its address."""
    known: Mapping[str, Any] = client.scheduler_info(n_workers=-1)
    if "workers" not in known:
        raise CommClosedError("it does not answer")
    workers: Mapping[str, Mapping[str, Any]] = known["workers"]
    return workers


def awaited(client: Client, wanted: int) -> dict[str, int]:
    """The workers, once there are so many, or those that are there after a while; StoreError if there are none."""
    deadline = time.monotonic() + _WAIT
    while len(found := workers(client)) < wanted and time.monotonic() < deadline:
        time.sleep(0.2)
    if not found:
        raise StoreError(_NOBODY)
    return found


def ran(
    client: Client, stage: str, function: Callable[..., T], items: Sequence[Any], *further: Any
) -> Iterator[tuple[int, T]]:
    """What a function comes to of each item, with the item's number, as it comes; what a lost worker had is done again.

    Each result comes once. Raises what the function raises.

    Args:
        client: of the cluster.
        stage: whose progress is told.
        function: run by workers, of an item and of `further`.
        items: its first arguments.
        further: its other arguments, the same for all; futures too.
    """
    awaited(client, 1)
    tasks = {
        client.submit(function, item, *further, pure=False, retries=_TRIES): number for number, item in enumerate(items)
    }
    said, found = time.monotonic(), as_completed(list(tasks))
    watch = _Watch(client)
    while tasks:
        if not found.has_ready():
            watch.look()
            time.sleep(_NAP)
            continue
        task = next(found)
        yield tasks.pop(task), _result(task, watch)
        if time.monotonic() - said >= _EVERY:
            said = time.monotonic()
            say(stage, f"{len(items) - len(tasks):,} of {len(items):,} partitions")


def _result(task: Any, watch: "_Watch") -> Any:
    """What a task that has ended came to; it is done again if its worker was lost with it."""
    while True:
        try:
            return task.result(timeout=_EVERY)
        except TimeoutError:
            if task.status == "error":  # its own
                raise
            watch.look()


def gathered(client: Client, tasks: Sequence[Any]) -> list[Any]:
    """The results of tasks that were given to a cluster, in their order.

    Raises:
        StoreError: all workers have paused for a while, as they do where memory is short.
        what a task raises.
    """
    watch = _Watch(client)
    while True:
        try:
            wait(tasks, timeout=_EVERY)
            break
        except TimeoutError:
            watch.look()
    results: list[Any] = client.gather(list(tasks))
    return results


class _Watch:
    """Looks whether anything can go on: Dask itself waits for workers for ever."""

    def __init__(self, client: Client) -> None:
        self._client, self._looked, self._well = client, time.monotonic(), time.monotonic()

    def look(self) -> None:
        """Raise StoreError if for a while there has been no worker, or none that works."""
        now = time.monotonic()
        if now - self._looked < _EVERY / 4:
            return
        self._looked = now
        there = list(_there(self._client).values())
        if any(about.get("status") != "paused" for about in there):
            self._well = now
        if now - self._well <= _WAIT:
            return
        if not there:
            raise StoreError(_NOBODY)
        raise StoreError(
            f"All of Dask's workers have paused for {_WAIT:.0f} seconds, because their memory is nearly full: start "
            f"more of them, or give them more. {AGAIN}"
        )


def held(client: Client, value: T) -> Any:
    """A value that tasks share, as a future; unlike one that is scattered it is there again after a worker was lost."""
    return client.submit(_itself, value, pure=False)


def _itself(value: T) -> T:
    return value
