"""Silver → split: what each row is for.

`train` teaches, `validation` says when to stop, `calibration` sets intervals and probabilities, and nobody looks at
`test` before the evaluation.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated

import msgspec
import numpy as np
import pandas as pd

from problems.base import Problem
from training.data import classes, copies, labelled, tables
from training.workspace import Seed, Workspace, counted, say
from validation.errors import TableError

TRAIN, VALIDATION, CALIBRATION, TEST = SPLITS = "train", "validation", "calibration", "test"


Share = Annotated[float, msgspec.Meta(gt=0, lt=0.3)]


class LabelledShares(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Shares of the labelled rows, where there are some beside the table: see `newest`."""

    validation: Share = 0.1
    calibration: Share = 0.2
    test: Share = 0.25


class SplitParams(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Shares of the table, and the seed where no column orders it; of labelled rows, if there are some."""

    validation: Share
    calibration: Share
    test: Share
    seed: Seed
    labelled: LabelledShares = LabelledShares()


def main(problem: Problem) -> None:
    """Split by time where the contract has a time column, else at random."""
    workspace = Workspace(problem.name)
    params = workspace.params("split", SplitParams)
    silver = tables.read(workspace.silver)
    if labelled.of(silver).any():
        _keep(workspace, problem, silver, newest(problem, silver, params.labelled), "the latest labelled rows")
        return
    time = problem.contract.time
    order = ordered(problem, silver, params.seed)
    labels = assign(order, params)
    if time:
        demand_fine(time.name, order.nunique(), len(order), shares_of(labels), params)
    by = f"by {time.name}, test from {order[labels == TEST].min().date()}" if time else "at random"
    _keep(workspace, problem, silver, labels, by)


def _keep(workspace: Workspace, problem: Problem, silver: pd.DataFrame, labels: pd.Series, by: str) -> None:
    """Write the split of each row, unless it leaves a class without rows to learn from."""
    if not problem.contract.target.continuous:
        classes.demand_each(problem, silver[labels == TRAIN], silver)  # here, where every row is seen
    counts = labels.value_counts()
    tables.write(workspace.split, labels.to_frame("split"))
    say("split", ", ".join(f"{counts[name]:,} {name}" for name in SPLITS) + f", {by}")
    repeated = copies.summary(silver, [column.name for column in problem.contract.inputs])
    if repeated.rows:
        say("split", copies.told(repeated))


def newest(problem: Problem, silver: pd.DataFrame, shares: LabelledShares) -> pd.Series:
    """The split of each row where there are labelled ones, which are newer than the table: the latest are the test.

    A table's own latest rows cannot judge a model of a world that has changed since; and the champion learned from none
    of the rows that came after it, so it can be asked for the same test.

    The shares are of the labelled rows in the order in which they were answered. The contract's time does not order
    them: callers may ask about any day, and rows of the table are older knowledge of it, of which all is learned.

    Args:
        problem: whose rows they are.
        silver: rows, some of which are labelled ones.
        shares: of the labelled rows.

    Raises:
        TableError: there are too few of them.
    """
    new = labelled.of(silver)
    try:
        labels = assign(labelled.arrival(problem, silver)[new], shares)
    except TableError as error:
        raise TableError(f"The labelled rows do not come to a split. {error}") from error
    return labels.reindex(silver.index, fill_value=TRAIN)


def ordered(problem: Problem, silver: pd.DataFrame, seed: int) -> pd.Series:
    """The key that orders the rows: their time, or a random order where the contract has no time column."""
    time = problem.contract.time
    return silver[time.name] if time else shuffled(problem, silver, seed)


def shuffled(problem: Problem, silver: pd.DataFrame, seed: int) -> pd.Series:
    """A random order; in a classification each stretch of it has about the same share of each class.

    A row's place depends on its own cells, so when the table grows all rows but a few at the borders keep their split:
    the next model is not judged by rows that the champion learned from. Copies have one place, see `copies`.
    """
    chance = _drawn(problem, silver, seed)
    if problem.contract.target.continuous:
        return chance
    labels = classes.strata(problem, silver)
    ranks = chance.groupby(labels).rank()
    within_class = (ranks - 0.5) / labels.map(labels.value_counts())
    within_class = within_class.groupby(chance).transform("mean")  # of copies, which may be of both classes
    order = np.lexsort((chance, within_class))
    places = np.empty(len(silver), dtype=np.int64)
    places[order] = np.cumsum(np.diff(chance.to_numpy()[order], prepend=chance.iloc[order[0]]) != 0)
    return pd.Series(places, index=silver.index)


def _drawn(problem: Problem, silver: pd.DataFrame, seed: int) -> pd.Series:
    """A pseudorandom number per row, made of the seed and the row's hashes; copies have the same one."""
    inputs = [column.name for column in problem.contract.inputs]
    row_hashes = copies.hashes(silver, inputs, problem.contract.target.name)
    rows = copies.identities(row_hashes, copies.together(silver, inputs))
    return pd.util.hash_pandas_object(pd.DataFrame({"row": rows, "seed": seed}), index=False)


def drawn_folds(problem: Problem, silver: pd.DataFrame, count: int, seed: int) -> np.ndarray:
    """A fold at random for each row, whatever orders them, from 0; shape (rows,). Copies of a row are in one."""
    folds: np.ndarray = (_drawn(problem, silver, seed) % count).to_numpy().astype(int)
    return folds


def assign(order: pd.Series, params: SplitParams | LabelledShares) -> pd.Series:
    """Label rows by their order; rows that are equal in it stay together, so no day is in two splits.

    Args:
        order: what orders the rows.
        params: the shares of the last rows for the test, of those before them for calibration and for validation.

    Returns:
        Labels by the index of `order`. Each split has at least one row; the shares are met as nearly as ties allow.

    Raises:
        TableError: there are too few different values to split between.
    """
    _, places, rows = np.unique(order.to_numpy(), return_inverse=True, return_counts=True)
    return pd.Series(labels_of(places, cut(rows, params)), index=order.index, dtype="str")


def cut(rows: np.ndarray, params: SplitParams | LabelledShares) -> tuple[int, int, int]:
    """Where the splits meet, from how many rows have each value of what orders them.

    Args:
        rows: how many there are of each different value, in the order of the values; shape (values,).
        params: as `assign` takes them.

    Returns:
        The places among the values at which validation, calibration and the test begin. Raises as `assign`.
    """
    before = np.cumsum(rows) - rows
    borders, total = before[1:], int(rows.sum())
    if len(borders) < 3:
        raise TableError(
            f"The table has {counted(total, 'row')} and {counted(len(rows), 'different value')} of what "
            "orders it; a split into training, validation, calibration and test needs four at least. Bring more rows."
        )
    places = []
    for left, share in zip((2, 1, 0), np.cumsum([params.test, params.calibration, params.validation]), strict=True):
        chosen = _nearest(borders[left:], total * (1 - share))
        places.append(int(np.searchsorted(before, chosen)))
        borders = borders[borders < chosen]
    return places[2], places[1], places[0]


def labels_of(values: np.ndarray, borders: Sequence[int] | np.ndarray) -> np.ndarray:
    """The split of each row as an object array of shape (rows,).

    Args:
        values: what orders the rows, shape (rows,).
        borders: the values from which on rows are for validation, for calibration, and for the test.
    """
    labels: np.ndarray = np.array(SPLITS, dtype=object)[np.searchsorted(borders, values, side="right")]
    return labels


def stretches(problem: Problem, silver: pd.DataFrame, count: int, seed: int) -> np.ndarray:
    """The stretch of each row in the order of `ordered`, from 0; shape (rows,). Raises TableError if one has no rows.

    They are of the same size as far as possible: rows of one time, or copies of one row, stay together.
    """
    earlier = ordered(problem, silver, seed).rank(method="min").to_numpy() - 1
    stretch: np.ndarray = (earlier * count // len(silver)).astype(int)
    if len(set(stretch)) < count:
        time = problem.contract.time
        few = "The table has too few different rows" if time is None else f"'{time.name}' has too few different times"
        raise TableError(f"{few} for {count} stretches of them.")
    return stretch


def demand_fine(time: str, values: int, rows: int, shares: Mapping[str, float], params: SplitParams) -> None:
    """Raise TableError if rows of one time, which stay together, leave too few to learn from.

    Args:
        time: the name of the column that orders the rows.
        values: how many different times there are.
        rows: how many rows.
        shares: of the rows by split, as it came out.
        params: the shares that are wanted.
    """
    if values < rows / 2 and TRAIN in missed(shares, params):
        raise TableError(
            f"'{time}' has {counted(values, 'different value')}, and rows of one time stay together: only "
            f"{shares[TRAIN]:.0%} of the rows would be left to learn from. Bring a finer time (days instead "
            "of years), or take `role=Role.TIME` from the column, so that rows are split at random."
        )


def shares_of(labels: pd.Series) -> dict[str, float]:
    """The share of the rows that each split has."""
    return {name: float((labels == name).mean()) for name in SPLITS}


def missed(shares: Mapping[str, float], params: SplitParams) -> list[str]:
    """The splits whose share of the rows is off by more than half of the requested share and by more than 0.02."""
    wanted = {TEST: params.test, CALIBRATION: params.calibration, VALIDATION: params.validation}
    wanted[TRAIN] = 1 - sum(wanted.values())
    off = {name: abs(shares[name] - share) for name, share in wanted.items()}
    return [name for name in SPLITS if off[name] > max(wanted[name] / 2, 0.02)]


def _nearest(borders: np.ndarray, wanted: float) -> float:
    return float(borders[np.abs(borders - wanted).argmin()])
