"""A cluster of Dask that trains: the same code on all its workers, and tasks on whichever of them is free."""

import contextlib
import pickle
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

from distributed import Client, wait

from clusters import dask
from training.distributed.kept import code
from training.workspace import say
from validation.errors import SettingsError, StoreError

T = TypeVar("T")
_WAIT = 60.0
"""Seconds until workers that were lost should be back, or a first one there."""
_EVERY = 10.0


class WorkerLost(Exception):
    """A worker left while all were needed."""


@contextlib.contextmanager
def connected(scheduler: str) -> Iterator[Client]:
    """A client of the scheduler, as tcp://host:8786.

    Raises:
        StoreError: the scheduler is not there or is lost, or workers end again and again.
        SettingsError: that is no address of a scheduler, or the cluster lacks this project's code or its packages.
    """
    who = "The scheduler or a worker"
    more = "give them more, start more of them, or have smaller partitions (`partition` in params.yaml, cluster)"
    try:
        with dask.connected(scheduler, who, more) as client:
            yield client
    except RuntimeError as error:
        if not isinstance(error.__cause__, ModuleNotFoundError):
            raise
        raise SettingsError(
            f"Dask's scheduler at {scheduler} does not find {error.__cause__.name}: its PYTHONPATH names this project, "
            "as that of the workers, and its environment has the project's packages (requirements/engines.txt). "
            f"{dask.AGAIN}"
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
        with contextlib.suppress(KeyError):  # once all are started, of one that was lost meanwhile
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
            f"all machines to the same. {dask.AGAIN}"
        )


def workers(client: Client) -> dict[str, int]:
    """The memory limit of each worker in bytes, by its address; 0 where it has none."""
    return {address: int(about.get("memory_limit") or 0) for address, about in dask.there(client).items()}


def awaited(client: Client, wanted: int) -> dict[str, int]:
    """The workers, once there are so many, or those that are there after a while; StoreError if there are none."""
    deadline = time.monotonic() + _WAIT
    while len(found := workers(client)) < wanted and time.monotonic() < deadline:
        time.sleep(0.2)
    if not found:
        raise dask.nobody(client, _WAIT)
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
        client.submit(function, item, *further, pure=False, retries=dask.TRIES): number
        for number, item in enumerate(items)
    }
    said = time.monotonic()
    for number, result in dask.results(client, tasks, _WAIT):
        yield number, result
        if time.monotonic() - said >= _EVERY:
            said = time.monotonic()
            say(stage, f"{len(items) - len(tasks):,} of {len(items):,} partitions")


def gathered(client: Client, tasks: Sequence[Any]) -> list[Any]:
    """The results of tasks that were given to a cluster, in their order.

    Raises:
        StoreError: all workers have paused for a while, as they do where memory is short.
        what a task raises.
    """
    watch = dask.Watch(client, _WAIT)
    while True:
        try:
            wait(tasks, timeout=_EVERY)
            break
        except TimeoutError:
            watch.look()
    results: list[Any] = client.gather(list(tasks))
    return results


def held(client: Client, value: T) -> Any:
    """A value that tasks share, as a future; unlike one that is scattered it is there again after a worker was lost."""
    return client.submit(_itself, value, pure=False)


def _itself(value: T) -> T:
    return value
