"""Compares LightGBM's own categories with target means, on real tables that have columns of many names.

    python -m tests.target_means [--list FILE] [--only PACKAGE-ITEM …] [--most ROWS]

Each model learns by the default numbers, and is judged on the test rows. docs/explanation/any-table.md quotes it.
"""

import argparse
import contextlib
import dataclasses
import io
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from model import loss
from model.predictor import Predictor
from problems.base import Problem, State, calendar_features
from problems.features import target_mean, target_means
from tests import tables as drafted
from training.data import tables
from training.data.split import CALIBRATION, TEST, TRAIN, VALIDATION
from training.learning import tasks
from training.learning.params import TrainParams
from training.learning.train import learn
from training.workspace import Workspace
from validation.decode import Columns
from validation.errors import BoxwoodError

MANY = 30
"""Names of a column from which on it is tried."""


def variants(problem: Problem, names: list[str]) -> Iterator[Problem]:
    """The problem with LightGBM's own categories, with target means beside them, and with these instead."""

    def cross_fit(columns: Columns) -> State:
        return target_means(columns, problem.contract.target.name, names)

    def beside(columns: Columns, state: State) -> Columns:
        return {**calendar_features(columns, state), **target_mean(columns, state)}

    def instead(columns: Columns, state: State) -> Columns:
        return {name: values for name, values in beside(columns, state).items() if name not in names}

    yield problem
    for features in (beside, instead):
        yield dataclasses.replace(problem, cross_fit=cross_fit, features=features)


def tested(problem: Problem, params: TrainParams, parts: dict[str, pd.DataFrame]) -> float:
    """The mean loss on the test rows of a model of the others."""
    test, task = parts.pop(TEST), tasks.of(problem, pd.concat(parts.values()))
    answered, scores = tables.ask(Predictor(learn(problem, params, parts).model), test)
    by = loss.of({"objective": task.objective})
    return float(by.score(by.rows(task.encode(test.iloc[answered]), scores[:, 0]).mean()))


def compared(entry: dict[str, Any], most: int) -> str | None:
    """A line of the Markdown table, None of a table that has no such column."""
    with drafted.project() as folder, contextlib.redirect_stdout(io.StringIO()):
        drafted.use_one_thread()
        problem = drafted.tried(drafted.written(entry, folder), entry["target"]).problem
        if problem is None or problem.task == "multiclass":
            return None
        workspace = Workspace(problem.name)
        silver, split = tables.read(workspace.silver), tables.read(workspace.split)["split"]
        counts = {column.name: silver[column.name].nunique() for column in problem.contract.categories}
        names = [name for name, count in counts.items() if count >= MANY]
        if not names or len(silver) > most:
            return None
        parts = {part: silver[split == part] for part in (TRAIN, VALIDATION, CALIBRATION, TEST)}
        params = workspace.params("train", TrainParams)
        losses = [tested(variant, params, dict(parts)) for variant in variants(problem, names)]
    columns = ", ".join(f"{name} ({counts[name]})" for name in names)
    ratios = " | ".join(f"{losses[0] / value:.3f}" for value in losses[1:])
    return f"| {entry['package']}-{entry['item']} | {len(silver):,} | {columns} | {losses[0]:.5g} | {ratios} |"


def main() -> None:
    """Print a Markdown table of the tables that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--list", type=Path, default=drafted.LIST)
    parser.add_argument("--only", nargs="*")
    parser.add_argument("--most", type=int, default=15_000, help="tables of at most so many rows")
    asked = parser.parse_args()
    warnings.simplefilter("ignore")
    print(
        "| table | rows | columns (names) | loss by LightGBM's categories | over that with means | over means alone |"
    )
    print("|---|---|---|---|---|---|")
    for entry in sorted(drafted.listed(asked.list), key=lambda one: int(one["rows"])):
        if asked.only and f"{entry['package']}-{entry['item']}" not in asked.only:
            continue
        with contextlib.suppress(BoxwoodError):
            line = compared(entry, asked.most) if entry["rows"] <= asked.most else None
            if line:
                print(line, flush=True)


if __name__ == "__main__":
    main()
