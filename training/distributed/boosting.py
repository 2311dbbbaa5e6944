"""The booster of all rows to learn from, by LightGBM's own network between the workers, see `lightgbm.dask`.

A worker that leaves while trees grow takes its rows and its part of the network along, so the training begins again
once workers are there. What the others wait for would never come; so those that took part are started anew.
"""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import dask.array as da
import lightgbm as lgb
import numpy as np
from dask import delayed
from distributed import Client, Future
from lightgbm.dask import DaskLGBMRegressor

from clusters.dask import AGAIN
from training.distributed import cluster
from training.distributed.listing import Partition
from training.distributed.plan import Grown, Plan, losses, made, piece, size, validation
from training.learning.boost import by_main_names
from training.workspace import counted, say
from validation.errors import SettingsError, StoreError, TableError

_MINUTES = 3
"""LightGBM's sockets wait so long for another worker, whose iteration may take its time."""
_EVERY = 0.5
_BYTES_A_CELL = 17
"""The pieces of float64, all of them in one array beside those, and a byte for the bin."""
_BYTES_A_SAMPLED_CELL, _SAMPLED = 12, 200_000
"""Of so many rows a worker LightGBM looks for bins: it holds their numbers and their places."""
_OF_A_PROCESS = 400_000_000
_TAKEN_HERE = (
    "num_iterations",
    "num_threads",
    "num_machines",
    "machines",
    "local_listen_port",
    "time_out",
    "verbosity",
)


@dataclass(frozen=True)
class Growing:
    """What is grown.

    Attributes:
        plan: how rows become what it learns from.
        partitions: of all rows, in the order in which workers get them.
        rows: about how many of them are learned from.
        names, categorical: its features.
        settings: LightGBM's parameters.
        rounds: the most trees.
        first: so many are grown before their loss is looked at.
        stop_after: so many trees without gain are enough.
    """

    plan: Plan
    partitions: Sequence[Partition]
    rows: int
    names: list[str]
    categorical: list[str]
    settings: Mapping[str, Any]
    rounds: int
    first: int
    stop_after: int


@dataclass
class _Rows:
    """The rows on the workers: pieces to learn from, with their sizes, and parts to stop by. Futures each."""

    pieces: list[Future]
    sizes: list[int]
    validation: list[Future]


def grown(scheduler: str, what: Growing, trainings: int) -> Grown:
    """Grow it, from the beginning where a worker is lost, so many times at most.

    Raises:
        StoreError: workers were lost each time, or are too small for the rows.
        SettingsError: LightGBM does not take the parameters.
    """
    wanted = 1
    for number in range(1, trainings + 1):
        with cluster.connected(scheduler) as client:
            there = cluster.awaited(client, wanted)
            wanted = len(there)
            say("train", f"training {number}: {len(there)} workers, {len(what.partitions):,} partitions")
            try:
                return _grown(client, what, there)
            except cluster.WorkerLost as error:
                say("train", f"{error}; the training begins again")
                _start_anew(client, there)
    raise StoreError(
        f"Workers were lost in {trainings} trainings, one after the other, as where memory is short. Give them "
        f"more, or start more of them. {AGAIN}"
    )


def _start_anew(client: Client, there: Mapping[str, int]) -> None:
    """End the processes that wait for one that is lost; their nannies start others."""
    left = [address for address in there if address in cluster.workers(client)]
    if left:
        client.restart_workers(left, timeout=60, raise_for_error=False)


def _grown(client: Client, what: Growing, there: Mapping[str, int]) -> Grown:
    _demand_memory(what, there)
    rows = _spread(client, what, list(there))
    text, rounds = None, min(what.first, what.rounds)
    while True:
        text = _watched(client, there, what, rows, rounds, text)
        by_trees = _losses(client, what.plan, rows.validation, text)
        if not np.isfinite(by_trees).any():
            raise SettingsError("No loss on validation rows is a number. Take a smaller learning_rate.")
        trees = int(np.nanargmin(by_trees)) + 1
        have = len(by_trees)
        say("train", f"{have} trees, the least loss {by_trees[trees - 1]:.5g} with {trees}")
        if have < rounds or have >= what.rounds or have - trees >= what.stop_after:
            return Grown(text, trees, float(by_trees[trees - 1]), sum(rows.sizes))
        rounds = min(2 * have, what.rounds)


def _spread(client: Client, what: Growing, addresses: Sequence[str]) -> _Rows:
    """Have each worker hold a piece of every partition, so that all of them see rows of all kinds and times."""
    plan, count = cluster.held(client, what.plan), len(addresses)
    pieces, parts = [], []
    for partition in what.partitions:
        whole = client.submit(made, partition, plan, count, pure=False, retries=2)
        parts.append(client.submit(validation, whole, pure=False))
        pieces += [
            client.submit(piece, whole, number, workers=[address], allow_other_workers=True, pure=False)
            for number, address in enumerate(addresses)
        ]
    sizes = cluster.gathered(client, client.map(size, [*pieces, *parts], pure=False))
    both = list(zip([*pieces, *parts], sizes, strict=True))
    learned = [(one, rows) for one, rows in both[: len(pieces)] if rows]
    stopped = [one for one, rows in both[len(pieces) :] if rows]
    if not learned or not stopped:
        raise TableError("No rows are left to learn from, or to stop by.")
    return _Rows([one for one, _ in learned], [rows for _, rows in learned], stopped)


def _demand_memory(what: Growing, there: Mapping[str, int]) -> None:
    """Raise StoreError if the workers cannot hold the rows: they would be ended again and again."""
    limits = [limit for limit in there.values() if limit]
    if len(limits) < len(there):
        return
    room = sum(max(limit - _OF_A_PROCESS, 0) for limit in limits)
    needed = len(what.names) * (
        what.rows * _BYTES_A_CELL + min(what.rows, len(there) * _SAMPLED) * _BYTES_A_SAMPLED_CELL
    )
    if needed > room:
        more = -(-needed // max(min(limits) - _OF_A_PROCESS, 1))
        raise StoreError(
            f"{what.rows:,} rows of {len(what.names)} features take {needed / 1e9:.2f} GB of the workers' memory while "
            f"trees grow, and {counted(len(there), 'worker')} of {min(limits) / 1e9:.2f} GB each has "
            f"{room / 1e9:.2f} GB for them. Start {more} of these, or larger ones. {AGAIN}"
        )


def _watched(
    client: Client, there: Mapping[str, int], what: Growing, rows: _Rows, rounds: int, before: str | None
) -> str:
    """The text of a booster with so many trees, those of `before` among them; raises WorkerLost if one leaves."""
    found: list[str | BaseException] = []

    def fit() -> None:
        try:
            found.append(_fitted(client, what, rows, rounds, before))
        except BaseException as error:  # noqa: BLE001 told in the thread that waits
            found.append(error)

    say("train", f"{rounds:,} trees grow on {counted(len(there), 'worker')}")
    thread = threading.Thread(target=fit, daemon=True)
    thread.start()
    while thread.is_alive():
        thread.join(_EVERY)
        gone = set(there) - set(cluster.workers(client))
        if gone and thread.is_alive():
            raise cluster.WorkerLost(f"the worker {min(gone)} was lost")
    [result] = found
    if isinstance(result, str):
        return result
    if set(there) - set(cluster.workers(client)) or "ocket" in str(result):
        raise cluster.WorkerLost(f"a worker was lost ({str(result).strip()})") from result
    if isinstance(result, lgb.basic.LightGBMError):
        raise SettingsError(f"LightGBM does not take the parameters, or gives up: {result}") from result
    raise result


def _fitted(client: Client, what: Growing, rows: _Rows, rounds: int, before: str | None) -> str:
    known = by_main_names(what.settings)
    settings = {name: value for name, value in known.items() if name not in _TAKEN_HERE}
    settings |= {"tree_learner": "data", "time_out": _MINUTES, "verbosity": -1}
    old = lgb.Booster(model_str=before) if before else None
    estimator = DaskLGBMRegressor(
        client=client, n_estimators=rounds - (old.current_iteration() if old else 0), **settings
    )
    parts = [delayed(one) for one in rows.pieces]
    sizes = rows.sizes

    def column(place: int, *width: int) -> Any:
        blocks = [
            da.from_delayed(part[place], (size, *width), dtype=np.float64)
            for part, size in zip(parts, sizes, strict=True)
        ]
        return da.concatenate(blocks)

    weights = None if what.plan.weights is None else column(2)
    further = {"feature_name": what.names, "categorical_feature": what.categorical or "auto", "init_model": old}
    estimator.fit(column(0, len(what.names)), column(1), sample_weight=weights, **further)
    text: str = estimator.booster_.model_to_string()
    return text


def _losses(client: Client, plan: Plan, parts: Sequence[Future], text: str) -> np.ndarray:
    """The mean loss of all rows to stop by with one tree, two trees, and so on; shape (rounds,)."""
    held, booster = cluster.held(client, plan), cluster.held(client, text)
    found = cluster.gathered(client, client.map(losses, parts, plan=held, text=booster, pure=False))
    sums: np.ndarray = np.sum([sums for sums, _ in found], axis=0)
    return np.asarray(sums / sum(weight for _, weight in found))
