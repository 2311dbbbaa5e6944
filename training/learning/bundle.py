"""Trained → bundle: the booster with everything it needs to answer, and proof of how it answered."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import msgspec
import numpy as np
import pandas as pd

from model import bundle, golden
from model.outcomes import Outcome
from model.predictor import Predictor
from model.reference import QUANTILES, SEVERAL, Names, Numbers, Reference
from problems.base import Problem
from training import digits
from training.data import tables
from training.data.split import TRAIN
from training.learning import made_up, privacy, tasks, train
from training.learning.privacy import GREATEST, LEAST, PrivacyParams
from training.workspace import Workspace, atomic_folder, say
from validation.contract import MOST_LISTED, Column, Contract, Kind

GOLDEN_ROWS = 20


def main(problem: Problem, workspace: Workspace | None = None) -> None:
    """Write the bundle; its golden rows are made up unless the parameters allow rows of the table in it."""
    workspace = workspace or Workspace(problem.name)
    real = workspace.params("privacy", PrivacyParams).real_rows
    model = train.read(problem, workspace)
    if not real:
        model = replace(model, boosters={name: privacy.without_ranges(text) for name, text in model.boosters.items()})
    silver, split = tables.read(workspace.silver), tables.read(workspace.split)["split"]
    train_rows = silver[split == TRAIN]
    predictor = Predictor(model)
    seen = reference(problem.contract, train_rows, real=real)
    seen = msgspec.structs.replace(
        seen, predictions=_predictions(model.outcome, train.read_scores(workspace), real=real)
    )
    rows = _real_rows(problem.contract, train_rows) if real else made_up.rows(model, seen, GOLDEN_ROWS)
    recorded, base_values = golden.record(predictor, rows)
    scores = digits.rounded(np.array(recorded.scores), digits.ANSWERS).tolist()
    files = {name: text.encode() for name, text in model.boosters.items()}
    files[bundle.REFERENCE] = _encoded(seen)
    files[bundle.GOLDEN] = _encoded(msgspec.structs.replace(recorded, scores=scores))
    manifest = bundle.make_manifest(model, base_values, files)
    with atomic_folder(workspace.bundle) as folder:
        bundle.write(folder, manifest, files)
        golden.replay(Predictor.of(read := bundle.read(folder)), read)
    say("bundle", f"{problem.name} {manifest.version}, {sum(map(len, files.values())) / 1e6:.1f} MB")


def _real_rows(contract: Contract, silver: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows of the training split at even ranks of the target, from the least to the greatest."""
    order = silver[contract.target.name].argsort(kind="stable").to_numpy()
    places = np.unique(np.linspace(0, len(order) - 1, GOLDEN_ROWS).astype(int))
    return tables.rows(contract, silver.iloc[order[places]])


def reference(contract: Contract, silver: pd.DataFrame, *, real: bool) -> Reference:
    """How the inputs and the target are distributed.

    Args:
        contract: which columns there are.
        silver: rows of the training split.
        real: whether the first and the last quantile are the least and the greatest value, or means of a few such.
    """
    columns = {
        column.name: _distribution(column, silver[column.name], real) for column in (*contract.inputs, contract.target)
    }
    return Reference(len(silver), columns)


def _distribution(column: Column, series: pd.Series, real: bool) -> Numbers | Names:
    missing = float(series.isna().mean())
    if column.kind in (Kind.CATEGORY, Kind.FLAG):
        return _shares(missing, series, (lambda name: str(name).lower()) if column.kind is Kind.FLAG else str)
    numbers = series.dropna()
    if column.kind in (Kind.DATE, Kind.TIMESTAMP):
        numbers = numbers.astype("datetime64[s]").astype("int64")
    return Numbers(missing, _quantiles(np.sort(numbers.to_numpy(dtype=float)), real))


def _shares(missing: float, series: pd.Series, written: Callable[[object], str]) -> Names:
    counts = series.value_counts()
    often = counts if len(counts) <= MOST_LISTED else counts[counts >= SEVERAL]
    shares = (often / counts.sum()).items()
    return Names(missing, {written(name): float(share) for name, share in shares}, len(counts))


def _predictions(outcome: Outcome, scores: np.ndarray, *, real: bool) -> Numbers | Names:
    """How the answers to rows that no booster learned from are distributed."""
    values = tasks.of_outcome(outcome).monitored(outcome, scores)
    if values.dtype == object:
        return _shares(0.0, pd.Series(values), str)
    return Numbers(0.0, _quantiles(np.sort(values), real))


def _quantiles(values: np.ndarray, real: bool) -> list[float]:
    """As many quantiles as `QUANTILES`, in ascending order; empty where there are no values."""
    if not len(values):
        return []
    quantiles: list[float] = np.quantile(values, np.linspace(0, 1, QUANTILES)).tolist()
    if not real:
        quantiles[0] = min(privacy.several(values, LEAST), quantiles[1])
        quantiles[-1] = max(privacy.several(values, GREATEST), quantiles[-2])
    return quantiles


def _encoded(document: object) -> bytes:
    return msgspec.json.encode(document, order="deterministic")
