"""Silver → split: which rows train, which stop the training, and which nobody looks at before the evaluation."""

from typing import Annotated

import msgspec
import numpy as np
import pandas as pd

from problems.base import Problem
from training import tables
from training.workspace import Workspace, say
from validation.errors import TableError

TRAIN, VALIDATION, TEST = "train", "validation", "test"


class SplitParams(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Shares of the table for validation and test, and the seed where no column orders it."""

    validation: Annotated[float, msgspec.Meta(gt=0, lt=0.5)]
    test: Annotated[float, msgspec.Meta(gt=0, lt=0.5)]
    seed: int


def main(problem: Problem) -> None:
    """Split by time where the contract has a time column, else by a seeded shuffle."""
    workspace = Workspace(problem.name)
    params = workspace.params("split", SplitParams)
    silver = tables.read(workspace.silver)
    time = problem.contract.time
    order = silver[time.name] if time else pd.Series(np.random.default_rng(params.seed).permutation(len(silver)))
    labels = assign(order, params.validation, params.test)
    counts = labels.value_counts()
    tables.write(workspace.split, labels.to_frame("split"))
    by = f"by {time.name}, test from {order[labels == TEST].min().date()}" if time else "at random"
    say("split", ", ".join(f"{counts[name]:,} {name}" for name in (TRAIN, VALIDATION, TEST)) + f", {by}")


def assign(order: pd.Series, validation: float, test: float) -> pd.Series:
    """Label rows by their order; rows that are equal in it stay together, so no day is in two splits.

    Args:
        order: what orders the rows.
        validation: the share of rows before the test.
        test: the share of the last rows.

    Returns:
        Labels by the index of `order`. Each split has a row at least; the shares are met as nearly as ties allow.

    Raises:
        TableError: there are fewer than three different values to split between.
    """
    first_of_ties = order.rank(method="min").to_numpy() - 1
    borders = np.unique(first_of_ties)[1:]
    if len(borders) < 2:
        raise TableError(
            f"The table has {len(order)} rows and {len(borders) + 1} different values of what orders it; "
            "a split into training, validation and test needs three at least."
        )
    first_test = _nearest(borders[1:], len(order) * (1 - test))
    first_validation = _nearest(borders[borders < first_test], len(order) * (1 - test - validation))
    labels = np.where(first_of_ties >= first_test, TEST, np.where(first_of_ties >= first_validation, VALIDATION, TRAIN))
    return pd.Series(labels, index=order.index, dtype="str")


def _nearest(borders: np.ndarray, wanted: float) -> float:
    return float(borders[np.abs(borders - wanted).argmin()])
