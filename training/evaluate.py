"""Bundle → metrics: the untouched test split, asked through the Predictor as a caller would, beside the baselines."""

from collections.abc import Mapping
from typing import Annotated

import msgspec
import numpy as np
import pandas as pd

from model.predictor import Predictor, open_predictor
from problems.base import Problem
from training import baselines, metrics, tables
from training.split import TEST
from training.workspace import Workspace, say, write_json
from validation.errors import TableError


class EvaluateParams(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Bootstrap resamples and their seed."""

    resamples: Annotated[int, msgspec.Meta(ge=1)]
    seed: int


def main(problem: Problem) -> None:
    """Judge the bundle; every predictor answers the same rows."""
    workspace = Workspace(problem.name)
    params = workspace.params("evaluate", EvaluateParams)
    silver, split = tables.read(workspace.silver), tables.read(workspace.split)["split"]
    test, known = silver[split == TEST], silver[split != TEST]
    predictor = open_predictor(workspace.bundle)
    answered, predicted = _answers(predictor, problem, test)
    test = test.iloc[answered]
    actual = tables.target(problem.contract, test)
    candidates = {
        "model": predicted,
        "lookup": baselines.lookup(problem.contract, known, test),
        "mean": baselines.mean(problem.contract, known, test),
    }
    scores = {
        name: metrics.regression(actual, values, params.resamples, params.seed) for name, values in candidates.items()
    }
    document = {
        "version": predictor.version,
        "rows": len(test),
        "refused": int((split == TEST).sum()) - len(test),
        "unit": problem.contract.target.unit,
        "scores": scores,
        "beats_lookup": _rmse(scores["model"]) < _rmse(scores["lookup"]),
    }
    write_json(workspace.metrics, document)
    say("evaluate", f"{len(test):,} test rows through the Predictor, {document['refused']} refused by the contract")


def _answers(predictor: Predictor, problem: Problem, test: pd.DataFrame) -> tuple[list[int], np.ndarray]:
    """The places of the rows that got an answer, and the answers."""
    decoded = predictor.decode(tables.rows(problem.contract, test))
    if not decoded.records:
        raise TableError(
            "The model refuses every row of the test split, "
            f"the first because {decoded.errors[0].column}: {decoded.errors[0].message}."
        )
    return decoded.positions, predictor.scores(decoded.records)


def _rmse(scores: Mapping[str, Mapping[str, float | None]]) -> float:
    value = scores["rmse"]["value"]
    return float("inf") if value is None else value
