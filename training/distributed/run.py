"""`make train SCHEDULER=…`: from a folder of Parquet files to a registered model, by a cluster of Dask.

Outputs are those of the stages of dvc.yaml, in a folder beside theirs: the sample stands for the table there.
"""

import errno
import logging
from typing import Any, NamedTuple

import lightgbm as lgb
import msgspec
import numpy as np
import pandas as pd
from distributed import Client

from clusters.dask import AGAIN
from model import loss
from problems.base import Problem
from training.data import clean, tables
from training.data.clean import CleanParams
from training.data.split import CALIBRATION, SPLITS, TRAIN, VALIDATION, SplitParams
from training.distributed import boosting, cluster, gate, judged, learned, order
from training.distributed.kept import Kept
from training.distributed.listing import Listing, listed
from training.distributed.params import ClusterParams
from training.distributed.plan import Plan, names_of
from training.evaluation import evaluate, plot, report
from training.learning import bundle, train
from training.learning.checkpoints import Checkpoints
from training.learning.params import TrainParams
from training.registry import package, register, stores
from training.workspace import Workspace, atomic_file, exclusive_run, say, write_json
from validation.errors import StoreError, TableError

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class Table(NamedTuple):
    """A table after the gates: its sample by split, and which split any of its rows is in."""

    listing: Listing
    whole: gate.Seen
    order: order.Order
    sample: pd.DataFrame
    labels: np.ndarray

    @property
    def parts(self) -> dict[str, pd.DataFrame]:
        """The sample's rows to learn from, to stop by and to calibrate by; with their places in the files."""
        return {name: self.sample[self.labels == name] for name in (TRAIN, VALIDATION, CALIBRATION)}


def main(problem: Problem, address: str, scheduler: str) -> None:
    """Train on a table of any size, register what it comes to, and package the champion.

    Args:
        problem: what to learn.
        address: a folder of Parquet files with the contract's raw headers, for all workers and this machine to read.
        scheduler: of Dask, as tcp://host:8786.

    Raises:
        TableError: it is not the table of the problem, cannot be read, or has too many bad rows.
        StoreError: the scheduler or workers are lost, memory or disk is too small, or the registry fails. The same
            command goes on.
    """
    workspace = Workspace(problem.name, cluster=True)
    logger = logging.getLogger("lightgbm")
    logger.setLevel(logging.ERROR)  # what it is about to do is told in this project's words
    lgb.register_logger(logger)
    try:
        with exclusive_run():
            stores.look()
            _run(problem, workspace, address, scheduler)
    except OSError as error:
        if error.errno not in _NO_ROOM:
            raise
        raise StoreError(
            f"The disk of {workspace.folder.absolute()} is full. What is whole stays; make room. {AGAIN}"
        ) from error


def _run(problem: Problem, workspace: Workspace, address: str, scheduler: str) -> None:
    params = workspace.params("cluster", ClusterParams)
    listing = listed(address, problem.contract, params.partition)
    files = len(listing.files)
    say("source", f"{listing.address}: {listing.rows:,} rows, {files:,} files, {len(listing.partitions):,} partitions")
    kept = Kept(workspace, problem, listing)
    with cluster.connected(scheduler) as client:
        cluster.fresh(client)
        table = _gated(client, problem, workspace, listing, params, kept)
        further = _further(client, problem, table)
    plan = _learned(problem, workspace, scheduler, table, further, kept)
    bundle.main(problem, workspace)
    evaluate.main(problem, workspace)
    with cluster.connected(scheduler) as client:
        _judged(client, problem, workspace, table, plan)
    plot.main(problem, workspace)
    with stores.in_use():
        register.main(problem, workspace)
        package.main(problem)
    report.main(problem, workspace)


def _gated(
    client: Client, problem: Problem, workspace: Workspace, listing: Listing, params: ClusterParams, kept: Kept
) -> Table:
    """The first pass: the gates, the counts and the sample."""
    shares = workspace.params("split", SplitParams)
    limit = workspace.params("clean", CleanParams).quarantine_limit
    whole = kept.seen()
    if whole is None:
        share = params.sample / listing.rows
        parts = cluster.ran(client, "gates", gate.seen, listing.partitions, problem.name, share, shares.seed)
        whole = gate.merged(problem, parts)
        _quarantined(problem, workspace, limit, whole)
        kept.keep_seen(whole)
    else:
        say("gates", "nothing has changed since they were passed")
    say("gates", f"{whole.rows:,} rows satisfy the contract, {whole.bad:,} do not")
    how = _order(problem, whole, shares)
    labels = how.labels(problem, whole.sample)
    silver = whole.sample.drop(columns=[order.FILE, order.ROW])
    tables.write(workspace.silver, silver)
    tables.write(workspace.split, pd.DataFrame({"split": pd.Series(labels, index=silver.index, dtype="str")}))
    counts = {name: int((labels == name).sum()) for name in SPLITS}
    say("split", "in the sample: " + ", ".join(f"{rows:,} {name}" for name, rows in counts.items()))
    return Table(listing, whole, how, whole.sample, labels)


def _order(problem: Problem, whole: gate.Seen, shares: SplitParams) -> order.Order:
    """How rows come to their split."""
    if problem.contract.time is not None:
        return order.in_time(problem, whole.times, shares)
    return order.by_chance(shares, order.alone(problem, whole.sample, whole.rows))


def _quarantined(problem: Problem, workspace: Workspace, limit: float, whole: gate.Seen) -> None:
    """Write some of the bad rows; raises TableError if the table has too many."""
    with atomic_file(workspace.quarantine) as temporary:
        whole.quarantined.to_csv(temporary, index=False)
    why = clean.by_column(problem.contract, whole.failures, pd.Series(whole.reasons, dtype="int64"))
    if not whole.rows and not whole.bad:
        raise TableError(clean.no_target(problem))
    clean.demand_few(workspace, limit, whole.quarantined, whole.bad, whole.rows + whole.bad, why)
    if whole.bad:
        say("gates", f"bad rows are in {workspace.quarantine}\n{why}")


def _further(client: Client, problem: Problem, table: Table) -> dict[str, list[str]]:
    """The names that rows to learn from have in each category, and in each categorical feature that is made of some."""
    names = gate.learned_names(problem, table.whole, table.order)
    fitted = learned.fitted_first(problem, table.parts, names)
    if set(fitted.encodings) <= set(fitted.vocabularies):
        return names
    found: dict[str, set[str]] = {}
    held = cluster.held(client, fitted)
    for _, of_part in cluster.ran(
        client, "features", names_of, table.listing.partitions, problem.name, table.order, held
    ):
        for feature, some in of_part.items():
            found.setdefault(feature, set()).update(some)
    return {**{feature: sorted(some) for feature, some in found.items()}, **names}


def _learned(
    problem: Problem, workspace: Workspace, scheduler: str, table: Table, further: dict[str, list[str]], kept: Kept
) -> Plan:
    """The second pass: the booster of all rows, and a model around it; returns how rows come to it."""
    how = workspace.params("train", TrainParams)
    trainings = workspace.params("cluster", ClusterParams).trainings
    checkpoints = Checkpoints(workspace.checkpoints, how.checkpoint)
    plans: list[Plan] = []

    def grow(trained: learned.OnAllRows) -> lgb.Booster:
        """The booster of all rows, or what a run that was interrupted left of it."""
        plans.append(trained.plan(table.order))
        found = kept.booster()
        if found is None:
            growing = _growing(problem, table, how, trained, plans[0])
            found = boosting.grown(scheduler, growing, trainings)
            kept.keep_booster(found)
        of_sample = trained.booster.best_iteration
        say("train", f"{found.trees} trees of {found.rows:,} rows, loss {found.loss:.5g}; {of_sample} of the sample")
        booster = lgb.Booster(model_str=found.text)
        booster.best_iteration = found.trees
        return booster

    train.write(workspace, learned.learn(problem, how, table.parts, checkpoints, further, grow))
    checkpoints.clear()
    return plans[0]


def _growing(
    problem: Problem, table: Table, how: TrainParams, trained: learned.OnAllRows, plan: Plan
) -> boosting.Growing:
    """What the cluster grows; it gets the partitions in a random order, so that no worker has those of one time."""
    names, categorical = trained.features()
    partitions = table.listing.partitions
    some_order = np.random.default_rng(how.seed).permutation(len(partitions))
    of_sample = int(trained.booster.best_iteration)
    return boosting.Growing(
        plan,
        [partitions[place] for place in some_order],
        _rows_to_learn_from(problem, table),
        names,
        categorical,
        trained.settings(),
        how.rounds,
        of_sample + max(how.stop_after, of_sample // 4),
        how.stop_after,
    )


def _rows_to_learn_from(problem: Problem, table: Table) -> int:
    """How many rows of the table are learned from: exactly of one in time, else about so many."""
    if problem.contract.time is not None:
        return sum(rows for time, rows in table.whole.times.items() if time < table.order.borders[0])
    return int(table.whole.rows * (table.labels == TRAIN).mean())


def _judged(client: Client, problem: Problem, workspace: Workspace, table: Table, plan: Plan) -> None:
    """The third pass: all test rows; what was exactly counted takes the place of the sample's counts."""
    model = cluster.held(client, judged.Portable(plan, train.read(problem, workspace)))
    found = dict(cluster.ran(client, "evaluate", judged.judged, table.listing.partitions, model))
    whole = judged.added([found[number] for number in sorted(found)])
    if sum(whole.splits.values()) != table.whole.rows:
        raise StoreError(f"{table.listing.address} was changed while it was read. Run the same command again.")
    figures = _figures(plan, whole)
    metrics = msgspec.structs.replace(
        report.read(workspace), splits=whole.splits, quarantined=table.whole.bad, refused=whole.refused
    )
    write_json(workspace.metrics, msgspec.to_builtins(metrics))
    write_json(workspace.source, _source(table, figures))
    say("evaluate", "all test rows: " + ", ".join(f"{name} {value:,.6g}" for name, value in figures.items()))


def _figures(plan: Plan, whole: judged.Judged) -> dict[str, float]:
    judge, rows = loss.of(plan.stated), max(whole.answered, 1)
    covered = {} if whole.covered is None else {"covered": whole.covered / rows}
    return {"rows": whole.answered, judge.name: judge.score(whole.loss / rows), **covered}


def _source(table: Table, figures: dict[str, float]) -> dict[str, Any]:
    """What the table is, for the registry."""
    listing = table.listing
    return {
        "origin": listing.address,
        "sha256": listing.digest,
        "cluster": {
            "engine": "dask",
            "files": len(listing.files),
            "partitions": len(listing.partitions),
            "rows": listing.rows,
            "sampled": len(table.sample),
            "all_test_rows": figures,
        },
    }
