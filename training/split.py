"""Silver → split: which rows train, which stop the training, and which nobody looks at before the evaluation."""

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

    validation: float
    test: float
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
    absent = [name for name in (TRAIN, VALIDATION, TEST) if name not in counts]
    if absent:
        raise TableError(f"{len(silver)} rows are too few to split: nothing is left for {' and '.join(absent)}.")
    tables.write(workspace.split, labels.to_frame("split"))
    by = f"by {time.name}, test from {order[labels == TEST].min().date()}" if time else "at random"
    say("split", ", ".join(f"{counts[name]:,} {name}" for name in (TRAIN, VALIDATION, TEST)) + f", {by}")


def assign(order: pd.Series, validation: float, test: float) -> pd.Series:
    """Label rows by their order; rows that are equal in it stay together, so no day is in two splits.

    Args:
        order: what orders the rows.
        validation: the share of rows before the test.
        test: the share of the last rows.
    """
    ranks = order.rank(method="min", pct=False).to_numpy() - 1
    first_test = round(len(order) * (1 - test))
    first_validation = round(len(order) * (1 - test - validation))
    labels = np.where(ranks >= first_test, TEST, np.where(ranks >= first_validation, VALIDATION, TRAIN))
    return pd.Series(labels, index=order.index, dtype="str")
