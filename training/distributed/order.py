"""Which split a row is in, told by the row alone: of any partition the same as of the whole table.

Rows in time lie between borders that come of the exact counts of all times. Others are drawn: a 64-bit number made of
the row lies between borders at the wanted shares of all such numbers; so classes are spread by chance.
"""

from collections.abc import Mapping

import msgspec
import numpy as np
import pandas as pd

from problems.base import Problem
from training.data import copies
from training.data.split import SPLITS, SplitParams, cut, demand_fine, labels_of
from validation.contract import Kind

_ALL = 2.0**64
_COMMON = 0.05
"""Rows with inputs that so large a share of the table has are no copies of each other, as in `copies.together`."""
FILE, ROW = "_file", "_row"
"""The columns by which a row is known: a hash of the name of its file, and its place in there from 0."""


class Alone(msgspec.Struct, frozen=True):
    """Which rows with equal inputs need not be in one split: all, or those with inputs of these hashes."""

    all: bool = False
    inputs: tuple[int, ...] = ()


def alone(problem: Problem, sample: pd.DataFrame, rows: int) -> Alone:
    """Find it out from a sample of a table that has so many rows; as `copies.together` says it of a whole one."""
    inputs = [column.name for column in problem.contract.inputs]
    possible = 1
    for name in inputs:
        possible *= sample[name].nunique(dropna=False)
        if possible > rows:
            counts = copies.of_inputs(sample, inputs).value_counts()
            common = counts[counts > max(_COMMON * len(sample), 5)].index
            return Alone(inputs=tuple(int(number) for number in sorted(common)))
    return Alone(all=True)


def places(silver: pd.DataFrame, seed: int) -> pd.Series:
    """A pseudorandom 64-bit number of each row by where it stands, by `FILE` and `ROW`."""
    return _drawn(copies.of_inputs(silver, [FILE, ROW]), seed)


def likenesses(problem: Problem, silver: pd.DataFrame, seed: int) -> pd.Series:
    """A pseudorandom 64-bit number of each row by its inputs: copies have the same one."""
    return _drawn(copies.of_inputs(silver, [column.name for column in problem.contract.inputs]), seed)


def _drawn(hashes: pd.Series, seed: int) -> pd.Series:
    return pd.util.hash_pandas_object(pd.DataFrame({"row": hashes, "seed": seed}), index=False).set_axis(hashes.index)


def times(problem: Problem, silver: pd.DataFrame) -> np.ndarray:
    """Days, or minutes of a timestamp, since 1970, shape (rows,).

    There are fewer of them than rows, so they can be counted. Rows of one minute are in one split.
    """
    time = problem.contract.time
    if time is None:
        raise ValueError("the contract has no time")
    unit = "datetime64[D]" if time.kind is Kind.DATE else "datetime64[m]"
    found: np.ndarray = silver[time.name].to_numpy().astype("datetime64[us]").astype(unit).astype(np.int64)
    return found


class Order(msgspec.Struct, frozen=True):
    """How rows come to their split.

    Attributes:
        borders: from which on rows are for validation, for calibration and for the test.
        seed: of what is drawn.
        alone: which rows need not stay together with equal ones.
    """

    borders: tuple[int, int, int]
    seed: int
    alone: Alone = Alone()

    def drawn(self, problem: Problem, silver: pd.DataFrame) -> np.ndarray:
        """A pseudorandom 64-bit number of each row, shape (rows,); copies that stay together have the same one."""
        by_place = places(silver, self.seed).to_numpy()
        if self.alone.all:
            return by_place
        by_inputs = likenesses(problem, silver, self.seed).to_numpy()
        if not self.alone.inputs:
            return by_inputs
        inputs = [column.name for column in problem.contract.inputs]
        common = copies.of_inputs(silver, inputs).isin(self.alone.inputs).to_numpy()
        return np.where(common, by_place, by_inputs)

    def labels(self, problem: Problem, silver: pd.DataFrame) -> np.ndarray:
        """The split of each row, objects of shape (rows,); silver rows with `FILE` and `ROW`."""
        if problem.contract.time is not None:
            return labels_of(times(problem, silver), self.borders)
        return labels_of(self.drawn(problem, silver), np.array(self.borders, dtype=np.uint64))


def in_time(problem: Problem, counts: Mapping[int, int], params: SplitParams) -> Order:
    """The order of rows in time, from how many rows each of the `times` has; raises TableError if those are too few."""
    time = problem.contract.time
    values = sorted(counts)
    rows = np.array([counts[value] for value in values])
    places_ = cut(rows, params)
    ends = (0, *places_, len(values))
    shares = {name: float(rows[ends[i] : ends[i + 1]].sum() / rows.sum()) for i, name in enumerate(SPLITS)}
    if time is not None:
        demand_fine(time.name, len(values), int(rows.sum()), shares, params)
    first, second, third = (values[place] for place in places_)
    return Order((first, second, third), params.seed)


def by_chance(params: SplitParams, alone: Alone) -> Order:
    """The order of rows that have no time."""
    calibration, test = 1 - params.test - params.calibration, 1 - params.test
    shares = (calibration - params.validation, calibration, test)
    first, second, third = (int(share * _ALL) for share in shares)
    return Order((first, second, third), params.seed, alone)
