"""What a model has to beat: predictors that need less."""

from typing import Any

import numpy as np
import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from model.features import FeatureMatrix, only_known
from training.data import tables
from training.digits import exactly, rounded
from training.learning.tasks import Task
from validation.contract import Contract

_FOREST_ROWS = 20_000
_NAMES = 50
_BITS = 16  # of the linear model's answers: five digits
_FAR = 1e30
"""Numbers beyond are taken for this one: scikit-learn squares them, and its trees hold them in 32 bits."""


class Baselines:
    """Predictors of the same rows that the model is asked for, taught with all rows that are not for the test."""

    def __init__(
        self, matrix: FeatureMatrix, vocabularies: dict[str, list[str]], contract: Contract, task: type[Task[Any]]
    ) -> None:
        """Use the model's features, and what scikit-learn has for the task."""
        self._matrix = matrix
        self._vocabularies = vocabularies
        self._contract = contract
        self._task = task

    def predict(self, known: pd.DataFrame, targets: np.ndarray, rows: pd.DataFrame) -> dict[str, np.ndarray]:
        """For each baseline its values, or probabilities of the positive class; shape (rows,) each."""
        inputs = [
            self._matrix(only_known(tables.inputs(self._contract, part), self._vocabularies)).clip(-_FAR, _FAR)
            for part in (known, rows)
        ]
        return {
            "lookup": lookup(self._contract, known, targets, rows, self._task.prior_rows),
            "linear": self._linear(inputs[0], targets, inputs[1]),
            "forest": self._forest(inputs[0], targets, inputs[1]),
            self._task.baseline: np.full(len(rows), targets.mean()),
        }

    def _linear(self, known: np.ndarray, targets: np.ndarray, rows: np.ndarray) -> np.ndarray:
        codes = [self._matrix.names.index(name) for name in self._matrix.categorical]
        numbers = [place for place in range(known.shape[1]) if place not in set(codes)]
        names = make_pipeline(
            SimpleImputer(strategy="constant", fill_value=-1, keep_empty_features=True),
            OneHotEncoder(max_categories=_NAMES, handle_unknown="infrequent_if_exist"),
        )
        scaled = make_pipeline(SimpleImputer(strategy="median", keep_empty_features=True), StandardScaler())
        pipeline = make_pipeline(make_column_transformer((names, codes), (scaled, numbers)), self._task.linear())
        with exactly():
            pipeline.fit(known, targets)
        return rounded(self._task.predicted(pipeline, rows), _BITS)

    def _forest(self, known: np.ndarray, targets: np.ndarray, rows: np.ndarray) -> np.ndarray:
        size = min(len(known), _FOREST_ROWS)
        forest = self._task.forest(n_estimators=50, min_samples_leaf=3, max_samples=size, n_jobs=2, random_state=1)
        forest.fit(known, targets).n_jobs = 1  # threads would add its trees up in any order, to other last digits
        return self._task.predicted(forest, rows)


def lookup(
    contract: Contract, known: pd.DataFrame, targets: np.ndarray, rows: pd.DataFrame, prior_rows: int = 0
) -> np.ndarray:
    """The mean of known targets among rows with the same categories, else over all; shape (rows,).

    Each group is mixed with `prior_rows` rows of the overall mean.
    """
    names = [column.name for column in contract.categories]
    overall = np.full(len(rows), targets.mean())
    if not names:
        return overall
    groups = known[names].assign(_target=targets).groupby(names, dropna=False)["_target"].agg(["sum", "size"])
    means = (groups["sum"] + prior_rows * targets.mean()) / (groups["size"] + prior_rows)
    found = rows[names].merge(means.rename("_mean").reset_index(), on=names, how="left")["_mean"].to_numpy()
    return np.where(np.isnan(found), overall, found)
