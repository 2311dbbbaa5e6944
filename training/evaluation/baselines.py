"""What a model has to beat: predictors that need less."""

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from model.features import FeatureMatrix, only_known
from model.loss import Loss
from training.data import tables
from training.digits import exactly, rounded
from training.learning.tasks import Task
from validation.contract import Contract

_FOREST_ROWS = 20_000
_PAIRED = 6
_NAMES = 50
_BITS = 16  # of the linear model's answers: five digits
_FAR_LOG = 70.0
_FAR = 1e30
"""Larger numbers are clipped to this: scikit-learn squares them, and its trees hold them in 32 bits."""


class Baselines:
    """Predictors of the same rows as the model's, fitted to all rows outside the test split."""

    def __init__(
        self,
        matrix: FeatureMatrix,
        vocabularies: dict[str, list[str]],
        task: Task[Any],
        loss: Loss,
    ) -> None:
        """Use the model's features, what scikit-learn has for the task, and the loss that the model was trained on."""
        self._matrix = matrix
        self._vocabularies = vocabularies
        self._contract = task.problem.contract
        self._task = task
        self._loss = loss

    def predict(self, known: pd.DataFrame, rows: pd.DataFrame) -> dict[str, np.ndarray]:
        """For each baseline what it predicts, learned from known rows: shape (rows,), or (rows, classes) of several."""
        actual = self._task.encode(known)
        targets = self._task.targets(actual)
        inputs = [
            self._matrix(only_known(tables.inputs(self._contract, part), self._vocabularies)).clip(-_FAR, _FAR)
            for part in (known, rows)
        ]
        return {
            "lookup": lookup(self._contract, known, actual, rows, self._loss, self._task.prior_rows, targets),
            "linear": self._unscaled(self._linear(inputs[0], self._scaled(actual), inputs[1])),
            "forest": self._unscaled(self._forest(inputs[0], self._scaled(actual), inputs[1])),
            self._task.baseline: np.full((len(rows), *targets.shape[1:]), targets.mean(axis=0)),
        }

    def _scaled(self, actual: np.ndarray) -> np.ndarray:
        """Encoded targets as the loss compares them."""
        return np.log(actual) if self._loss.log else actual

    def _unscaled(self, predicted: np.ndarray) -> np.ndarray:
        values: np.ndarray = rounded(np.exp(np.minimum(predicted, _FAR_LOG)), _BITS) if self._loss.log else predicted
        return values

    def _linear(self, train: np.ndarray, targets: np.ndarray, rows: np.ndarray) -> np.ndarray:
        codes = [self._matrix.names.index(name) for name in self._matrix.categorical]
        numbers = [place for place in range(train.shape[1]) if place not in set(codes)]
        names = make_pipeline(
            SimpleImputer(strategy="constant", fill_value=-1, keep_empty_features=True),
            OneHotEncoder(max_categories=_NAMES, handle_unknown="infrequent_if_exist"),
        )
        scaled = make_pipeline(SimpleImputer(strategy="median", keep_empty_features=True), StandardScaler())
        pipeline = make_pipeline(make_column_transformer((names, codes), (scaled, numbers)), self._task.linear())
        with exactly():
            pipeline.fit(train, targets)
        return rounded(self._task.predicted(pipeline, rows), _BITS)

    def _forest(self, train: np.ndarray, targets: np.ndarray, rows: np.ndarray) -> np.ndarray:
        size = min(len(train), _FOREST_ROWS)
        forest = self._task.forest(n_estimators=50, min_samples_leaf=3, max_samples=size, n_jobs=2, random_state=1)
        forest.fit(train, targets).n_jobs = 1  # more threads sum the trees in any order, which changes the last digits
        return self._task.predicted(forest, rows)


def lookup(
    contract: Contract,
    known: pd.DataFrame,
    actual: np.ndarray,
    rows: pd.DataFrame,
    loss: Loss,
    prior_rows: int = 0,
    targets: np.ndarray | None = None,
) -> np.ndarray:
    """The mean, or a quantile, of the targets of known rows with the same names in one, two, all or no categories.

    Which categories is decided on the known rows: three quarters of them predict the last quarter. Only the `_PAIRED`
    best categories are tried in pairs.

    Args:
        contract: which columns are categories.
        known: the rows that are looked up.
        actual: their encoded targets, shape (known rows,).
        rows: the rows to predict.
        loss: whose mean is to be small; it decides between the mean and a quantile of a group.
        prior_rows: how many rows of the overall mean are mixed into the mean of a group.
        targets: what is averaged, as `Task.targets` has it: shape (known rows,) or (known rows, classes); the encoded
            targets where left out.

    Returns:
        Values or probabilities; shape (rows,), or (rows, classes).
    """
    targets = actual if targets is None else targets
    held_out = _held_out(contract, known)
    train, test = known[~held_out], known[held_out]

    def mean_loss(names: Sequence[str]) -> float:
        answers = _group_values(names, train, targets[~held_out], test, loss.rank, prior_rows)
        return float(loss.rows(actual[held_out], answers).mean()) if len(test) else 0.0

    single = sorted(([column.name] for column in contract.categories), key=mean_loss)
    pairs = [[*first, *second] for first, second in itertools.combinations(single[:_PAIRED], 2)]
    best = min([list(itertools.chain(*single)), [], *single, *pairs], key=mean_loss)
    return _group_values(best, known, targets, rows, loss.rank, prior_rows)


def _held_out(contract: Contract, known: pd.DataFrame) -> np.ndarray:
    """A quarter of the rows, shape (rows,): the newest, or by chance with copies of a row together."""
    if contract.time is not None:
        newest: np.ndarray = (known[contract.time.name].rank(method="min", pct=True) > 0.75).to_numpy()
        return newest
    inputs = known[[column.name for column in contract.inputs]]
    drawn: np.ndarray = (pd.util.hash_pandas_object(inputs, index=False) % 4 == 0).to_numpy()
    return drawn


def _group_values(
    names: Sequence[str],
    train: pd.DataFrame,
    targets: np.ndarray,
    rows: pd.DataFrame,
    rank: float | None,
    prior_rows: int,
) -> np.ndarray:
    """The mean, or the quantile `rank`, of the targets of training rows with the same names; of the shape of targets.

    Where there are no such rows, the last name is left out; without any name it is that of all targets.
    """
    overall = targets.mean(axis=0) if rank is None else np.quantile(targets, rank)
    if not names:
        return np.full((len(rows), *targets.shape[1:]), overall)
    averaged = pd.DataFrame(targets.reshape(len(train), -1), index=train.index).add_prefix("_target")
    groups = pd.concat([train[[*names]], averaged], axis=1).groupby([*names], dropna=False)[[*averaged]]
    if rank is None:
        size = groups.size().to_numpy()[:, None]
        by_names = (groups.sum() + prior_rows * overall) / (size + prior_rows)
    else:
        by_names = groups.quantile(rank)
    merged = rows[[*names]].merge(by_names.reset_index(), on=[*names], how="left")
    values = merged[[*averaged]].to_numpy().reshape(len(rows), *targets.shape[1:])
    missing = np.isnan(merged[averaged.columns[0]].to_numpy())
    if missing.any():
        values = values.copy()
        values[missing] = _group_values(names[:-1], train, targets, rows[missing], rank, prior_rows)
    return values
