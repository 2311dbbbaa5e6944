"""Trained → bundle: the booster with everything it needs to answer, and proof of how it answered."""

from typing import Any

import msgspec
import numpy as np
import pandas as pd

from model import bundle, golden
from model.predictor import Predictor
from problems.base import Problem
from training import digits
from training.data import tables
from training.data.split import TRAIN
from training.learning import made_up, privacy, train
from training.learning.privacy import GREATEST, LEAST, PrivacyParams
from training.workspace import Workspace, atomic_folder, say
from validation.contract import Contract, Kind

GOLDEN_ROWS = 20
_DECILES = np.linspace(0, 1, 11)


def main(problem: Problem) -> None:
    """Write the bundle, with golden rows that are made up unless the parameters let rows of the table leave."""
    workspace = Workspace(problem.name)
    real = workspace.params("privacy", PrivacyParams).real_rows
    learned = train.read(workspace)
    if not real:
        hidden = {name: privacy.without_ranges(text) for name, text in learned.boosters.items()}
        learned = msgspec.structs.replace(learned, boosters=hidden)
    silver = tables.read(workspace.silver)
    silver = silver[tables.read(workspace.split)["split"] == TRAIN]
    files = {name: text.encode() for name, text in learned.boosters.items()}
    seen = reference(problem.contract, silver, real=real)
    files[bundle.REFERENCE] = _encoded(seen)
    rows = _real_rows(problem.contract, silver) if real else made_up.rows(problem, learned, seen, GOLDEN_ROWS)
    recorded, base_value = golden.record(learned.predictor(problem), rows)
    scores = digits.rounded(np.array(recorded.scores), digits.ANSWERS).tolist()
    files[bundle.GOLDEN] = _encoded(msgspec.structs.replace(recorded, scores=scores))
    manifest = bundle.make_manifest(problem, learned.fitted, learned.outcome, base_value, files)
    with atomic_folder(workspace.bundle) as folder:
        bundle.write(folder, manifest, files)
        golden.replay(Predictor(read := bundle.read(folder)), read.golden)
    say("bundle", f"{problem.name} {manifest.version}, {sum(map(len, files.values())) / 1e6:.1f} MB")


def _real_rows(contract: Contract, silver: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows from all over the training split: the cheapest, the dearest and those between."""
    order = silver[contract.target.name].argsort(kind="stable").to_numpy()
    places = np.unique(np.linspace(0, len(order) - 1, GOLDEN_ROWS).astype(int))
    return tables.rows(contract, silver.iloc[order[places]])


def reference(contract: Contract, silver: pd.DataFrame, *, real: bool) -> bundle.Reference:
    """For each input and the target: the share of missing values, and deciles or the share of each name.

    Args:
        contract: which columns there are.
        silver: rows of the training split.
        real: whether the first and the last decile are the least and the greatest value, or means of a few such.
    """
    columns: dict[str, dict[str, Any]] = {}
    for column in (*contract.inputs, contract.target):
        series = silver[column.name]
        entry: dict[str, Any] = {"missing": float(series.isna().mean())}
        if column.kind in (Kind.CATEGORY, Kind.FLAG):
            entry["shares"] = {str(name): float(share) for name, share in series.value_counts(normalize=True).items()}
        else:
            numbers = series.dropna()
            if column.kind in (Kind.DATE, Kind.TIMESTAMP):
                numbers = numbers.astype("datetime64[s]").astype("int64")
            entry["deciles"] = _deciles(np.sort(numbers.to_numpy(dtype=float)), real)
        columns[column.name] = entry
    return bundle.Reference(columns, len(silver))


def _deciles(values: np.ndarray, real: bool) -> list[float]:
    """Eleven numbers that never fall; none where there are no values."""
    if not len(values):
        return []
    deciles: list[float] = np.quantile(values, _DECILES).tolist()
    if not real:
        deciles[0] = min(privacy.end(values, LEAST), deciles[1])
        deciles[-1] = max(privacy.end(values, GREATEST), deciles[-2])
    return deciles


def _encoded(document: object) -> bytes:
    return msgspec.json.encode(document, order="deterministic")
