"""Whether window and reference can be told apart by all columns together: a classifier tries."""

import lightgbm as lgb
import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score

from monitoring.params import MonitorParams
from monitoring.verdict import Figure, Finding
from validation.contract import Column, Kind

_MOST = 3_000
_ROUNDS = 40
_BOOSTER = {
    "objective": "binary",
    "num_leaves": 15,
    "learning_rate": 0.1,
    "min_data_in_leaf": 40,
    "lambda_l2": 10.0,
    "num_threads": 1,
    "verbosity": -1,
    "deterministic": True,
    "seed": 1,
}
_MOST_DEVIATIONS = 4.0
_NAMES = 50


def tell_apart(
    columns: list[Column], before: pd.DataFrame, after: pd.DataFrame, params: MonitorParams
) -> tuple[Figure, list[Finding]]:
    """The ROC AUC of a classifier of reference against window, on rows that it did not learn from.

    A test of several columns at once (Lopez-Paz and Oquab, "Revisiting classifier two-sample tests", 2017). Its
    interval is by the standard error of Hanley and McNeil (1982).

    Args:
        columns: what it may look at.
        before: reference rows.
        after: rows of the window.
        params: the AUC that counts.
    """
    chosen = np.random.default_rng(1)
    size = min(len(before), len(after), _MOST)
    tables = [table.iloc[np.sort(chosen.permutation(len(table))[:size])] for table in (before, after)]
    matrix = np.concatenate([_matrix(columns, before, table) for table in tables])
    labels = np.repeat([0, 1], size)
    fold = np.concatenate([chosen.permutation(size) % 2 for _ in tables])
    said, importance = np.empty(2 * size), np.zeros(len(columns))
    for held_out in (0, 1):
        learning = fold != held_out
        booster = lgb.train(_BOOSTER, lgb.Dataset(matrix[learning], labels[learning]), _ROUNDS)
        said[~learning] = booster.predict(matrix[~learning], num_threads=1)
        importance += booster.feature_importance("gain")
    areas = [float(roc_auc_score(labels[fold == part], said[fold == part])) for part in (0, 1)]
    area = sum(areas) / 2
    error = _error(area, size)
    figure = Figure(area, max(area - 1.96 * error, 0.0), min(area + 1.96 * error, 1.0))
    if area <= params.separable or area - _MOST_DEVIATIONS * error <= 0.5:
        return figure, []
    first = " and ".join(columns[place].name for place in np.argsort(-importance)[:2])
    sentence = f"All columns together tell these rows from earlier ones (ROC AUC {area:.2f}), most of all {first}."
    return figure, [
        Finding(kind="multivariate", harmful=False, sentence=sentence, value=area, threshold=params.separable)
    ]


def _matrix(columns: list[Column], before: pd.DataFrame, table: pd.DataFrame) -> np.ndarray:
    """Numbers as they are, names by their rank among the most common ones of the reference, shape (rows, columns)."""
    parts = []
    for column in columns:
        values = table[column.name]
        if column.kind in (Kind.INTEGER, Kind.REAL):
            parts.append(values.to_numpy(dtype=float, na_value=np.nan))
            continue
        common = before[column.name].astype("str").value_counts().index[:_NAMES]
        places = common.get_indexer(pd.Index(values.astype("str"))).astype(float)
        parts.append(np.where(values.isna(), np.nan, np.where(places < 0, len(common), places)))
    return np.column_stack(parts)


def _error(area: float, size: int) -> float:
    """The standard error of the area under the curve, of so many rows on each side."""
    first, second = area / (2 - area), 2 * area**2 / (1 + area)
    variance = area * (1 - area) + (size - 1) * (first + second - 2 * area**2)
    return float(np.sqrt(max(variance, 0.0)) / size)
