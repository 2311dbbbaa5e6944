"""Learns each of many real tables from its draft, beside LightGBM's defaults on the same rows.

    python -m tests.learned [--list FILE] [--only PACKAGE-ITEM …] [--least ROWS] [--most ROWS] [--out FILE.jsonl]

A line a table, and at the end what docs/explanation/any-table.md quotes. The plain model has 100 rounds of LightGBM's
defaults, the draft's columns, and all rows that are not the test; losses are RMSE or log loss on the test.
"""

import argparse
import contextlib
import dataclasses
import io
import json
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import lightgbm as lgb
import numpy as np
import pandas as pd

from model import bundle as bundles
from model import loss
from model.features import FeatureMatrix, fit, only_known
from problems import base
from problems.base import Problem, calendar_features, no_state
from tests import tables as drafted
from training.data import tables
from training.data.split import TEST
from training.evaluation import evaluate, report
from training.learning import bundle, metrics, tasks, train
from training.workspace import Workspace
from validation.errors import BoxwoodError

FAR, MANY = 1.05, 2_000
"""From what ratio on the plain model is called better, and from how many rows on coverage is judged."""


def learned(entry: dict[str, Any]) -> dict[str, Any]:
    """What came of a table: the losses of both models and the coverage, or the sentence of what went wrong."""
    with drafted.project() as folder, contextlib.redirect_stdout(io.StringIO()):
        drafted.use_one_thread()
        started = time.perf_counter()
        found = drafted.tried(drafted.written(entry, folder), entry["target"])
        problem = found.problem
        if problem is None or found.sentence:
            return {"sentence": found.sentence}
        load, base.load = base.load, lambda name: problem
        try:
            for stage in (train, bundle, evaluate):
                stage.main(problem)
        except BoxwoodError as error:
            return {"sentence": str(error)}
        finally:
            base.load = load
        return {**judged(problem), "seconds": round(time.perf_counter() - started, 1)}


def judged(problem: Problem) -> dict[str, Any]:
    """The losses of the model and of the plain one on the test rows, and what intervals or sets cover."""
    workspace = Workspace(problem.name)
    silver, split = tables.read(workspace.silver), tables.read(workspace.split)["split"]
    answers, found = tables.read(workspace.evaluation), report.read(workspace)
    task = tasks.of(problem, silver, bundles.read_manifest(workspace.bundle).fitted.bounds)
    by = loss.of({"objective": task.objective})
    actual = answers[metrics.ACTUAL].to_numpy()
    plain, ours = (
        by.score(by.rows(actual, predicted).mean())
        for predicted in (
            _plain(task, silver[split != TEST], silver.loc[answers.index]),
            metrics.predicted(answers, metrics.MODEL),
        )
    )
    stated = found.interval or found.sets
    return {
        "task": problem.task,
        "rows": len(silver),
        "plain": plain,
        "ours": ours,
        "ratio": plain / ours if ours else float(plain == ours),
        "stated": stated.coverage if stated else None,
        "covered": stated.covered.value if stated else None,
    }


def _plain(task: tasks.Task[Any], known: pd.DataFrame, asked: pd.DataFrame) -> np.ndarray:
    problem = dataclasses.replace(task.problem, features=calendar_features, fit=no_state)
    contract, actual = problem.contract, task.encode(known)
    columns = tables.inputs(contract, known)
    fitted = fit(problem, {**columns, contract.target.name: actual})
    matrix = FeatureMatrix(problem, fitted)
    settings = {"objective": task.objective, "verbosity": -1, "num_threads": 1, **task.settings}
    data = lgb.Dataset(matrix(columns), actual, feature_name=matrix.names, categorical_feature=matrix.categorical)
    booster = lgb.train(settings, data, 100)
    return np.asarray(booster.predict(matrix(only_known(tables.inputs(contract, asked), fitted.vocabularies))))


def summary(results: Sequence[dict[str, Any]]) -> str:
    """What many tables say together."""
    good = [result for result in results if "ratio" in result]
    ratios = np.array([result["ratio"] for result in good])
    worse = [f"{result['name']} ({result['ratio']:.2f})" for result in good if result["ratio"] < 1 / FAR]
    large = [result for result in good if result["rows"] >= MANY and result["covered"] is not None]
    near = sum(abs(result["covered"] - result["stated"]) <= 0.03 for result in large)
    return "\n".join(
        [
            f"{len(good)} of {len(results)} tables come from file to evaluation with no edit",
            f"loss of LightGBM's defaults divided by ours: median {np.median(ratios):.3f}, "
            f"geometric mean {np.exp(np.log(np.maximum(ratios, 1e-9)).mean()):.3f}",
            f"worse by more than 5 %: {len(worse)}: {', '.join(worse) or 'none'}",
            f"coverage within 3 points of what is stated: {near} of {len(large)} tables with {MANY:,} rows or more",
        ]
    )


def main() -> None:
    """Learn the tables that are asked for, and print what came of them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--list", type=Path, default=drafted.LIST)
    parser.add_argument("--only", nargs="*")
    parser.add_argument("--least", type=int, default=0, help="tables of at least so many rows")
    parser.add_argument("--most", type=int, default=10**9, help="tables of at most so many rows")
    parser.add_argument("--out", type=Path, help="a file that a line a table is appended to")
    asked = parser.parse_args()
    warnings.simplefilter("ignore")
    results = []
    for entry in sorted(drafted.listed(asked.list), key=lambda one: int(one["rows"])):
        name = f"{entry['package']}-{entry['item']}"
        if not asked.least <= entry["rows"] <= asked.most or (asked.only and name not in asked.only):
            continue
        results.append({"name": name, **learned(entry)})
        print(json.dumps(results[-1]), flush=True)
        if asked.out:
            with asked.out.open("a") as file:
                file.write(json.dumps(results[-1]) + "\n")
    print(summary(results))


if __name__ == "__main__":
    main()
