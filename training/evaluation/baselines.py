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
from training.data import tables
from training.digits import exactly, rounded
from training.learning.loss import Loss
from training.learning.tasks import Task
from validation.contract import Contract

_FOREST_ROWS = 20_000
_PAIRED = 6
_NAMES = 50
_BITS = 16  # of the linear model's answers: five digits
_FAR = 1e30
"""Numbers beyond are taken for this one: scikit-learn squares them, and its trees hold them in 32 bits."""


class Baselines:
    """Predictors of the same rows that the model is asked for, taught with all rows that are not for the test."""

    def __init__(
        self,
        matrix: FeatureMatrix,
        vocabularies: dict[str, list[str]],
        contract: Contract,
        task: type[Task[Any]],
        loss: Loss,
    ) -> None:
        """Use the model's features, what scikit-learn has for the task, and the loss that the model was trained on."""
        self._matrix = matrix
        self._vocabularies = vocabularies
        self._contract = contract
        self._task = task
        self._loss = loss

    def predict(self, known: pd.DataFrame, targets: np.ndarray, rows: pd.DataFrame) -> dict[str, np.ndarray]:
        """For each baseline its values, or probabilities of the positive class; shape (rows,) each."""
        inputs = [
            self._matrix(only_known(tables.inputs(self._contract, part), self._vocabularies)).clip(-_FAR, _FAR)
            for part in (known, rows)
        ]
        return {
            "lookup": lookup(self._contract, known, targets, rows, self._loss, self._task.prior_rows),
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
    contract: Contract, known: pd.DataFrame, targets: np.ndarray, rows: pd.DataFrame, loss: Loss, prior_rows: int = 0
) -> np.ndarray:
    """What rows with the same names had before: those of one category, of two or of all, or whatever they have.

    Which of them is told by the known rows: three of four are looked up to judge the fourth. Of many categories only
    the `_PAIRED` best are joined.

    Args:
        contract: which columns are categories.
        known: the rows that are looked up.
        targets: what they had, shape (known rows,).
        rows: the rows to tell something of.
        loss: whose mean is to be small; it says whether a group is told by its mean or by a quantile.
        prior_rows: so many rows of the overall mean are mixed into each mean.

    Returns:
        Values, or probabilities of the positive class; shape (rows,).
    """
    judged = np.arange(len(known)) % 4 == 3
    told, asked = known[~judged], known[judged]

    def mean_loss(names: Sequence[str]) -> float:
        answers = _told(names, told, targets[~judged], asked, loss.rank, prior_rows)
        return float(loss.rows(targets[judged], answers).mean()) if len(asked) else 0.0

    single = sorted(([column.name] for column in contract.categories), key=mean_loss)
    pairs = [[*one, *other] for one, other in itertools.combinations(single[:_PAIRED], 2)]
    best = min([list(itertools.chain(*single)), [], *single, *pairs], key=mean_loss)
    return _told(best, known, targets, rows, loss.rank, prior_rows)


def _told(
    names: Sequence[str],
    known: pd.DataFrame,
    targets: np.ndarray,
    rows: pd.DataFrame,
    rank: float | None,
    prior_rows: int,
) -> np.ndarray:
    """The mean, or the quantile `rank`, of known targets among rows with the same names; shape (rows,).

    Where there are none, that among rows with the same names but the last, and at the end of all.
    """
    overall = targets.mean() if rank is None else np.quantile(targets, rank)
    if not names:
        return np.full(len(rows), overall)
    groups = known[[*names]].assign(_target=targets).groupby([*names], dropna=False)["_target"]
    if rank is None:
        found = (groups.sum() + prior_rows * overall) / (groups.size() + prior_rows)
    else:
        found = groups.quantile(rank)
    told = rows[[*names]].merge(found.rename("_told").reset_index(), on=[*names], how="left")["_told"].to_numpy()
    strange = np.isnan(told)
    if strange.any():
        told = told.copy()
        told[strange] = _told(names[:-1], known, targets, rows[strange], rank, prior_rows)
    return told
