"""Scores and contributions of a booster's trees, to the bit those of `Booster.predict`, without what that leaves.

Each call of `Booster.predict` leaves reference cycles that hold its matrix and its answer until Python collects
garbage, and a worker collects seldom: under explanations it held tens of megabytes (`ctypes.cast` makes the cycles).
"""

import ctypes
import weakref
from typing import Any

import lightgbm as lgb
import numpy as np

_FLOAT64 = 1
"""C_API_DTYPE_FLOAT64"""
_CONTRIBUTIONS = 3
"""C_API_PREDICT_CONTRIB"""
_AT, _INT, _TEXT = ctypes.c_void_p, ctypes.c_int, ctypes.c_char_p
_MANY = 4_096
"""From how many rows on it pays to bring them into an order."""
_ORDERED_BY = 4
"""So many features bring most of the order that there is to have: beyond them sorting takes what it gives."""


class TreeScorer:
    """What `Booster.predict` returns, to the bit, without its 0.05 ms of preparations.

    LightGBM's C API has a call that prepares once and scores single rows, but its Python package wraps none; so this
    borrows the package's library and handle, the two names with underscores. LightGBM locks what was prepared: several
    threads may call this.
    """

    def __init__(self, booster: lgb.Booster, *, raw_score: bool) -> None:
        self._booster = booster  # what is prepared points into it
        self._features, self._outputs = booster.num_feature(), booster.num_model_per_iteration()
        # 0 and 1 are C_API_PREDICT_NORMAL and C_API_PREDICT_RAW_SCORE; from the first tree on, as many as are best
        self._what = int(raw_score), 0, booster.best_iteration
        # one thread: with two, batches wait for the second far longer than they gain
        self._how = b"num_threads=1"
        gains = booster.feature_importance("gain")
        # of lexsort's keys the last one is the first to sort by
        self._deciding = np.argsort(-gains, kind="stable")[:_ORDERED_BY][::-1].tolist()
        self._prepared, self._length = ctypes.c_void_p(), ctypes.byref(ctypes.c_int64())
        prepare = _prototype("LGBM_BoosterPredictForMatSingleRowFastInit", _AT, *(_INT,) * 5, _TEXT, _AT)
        self._score_row = _prototype("LGBM_BoosterPredictForMatSingleRowFast", _AT, _AT, _AT, _AT)
        self._score_rows = _predicting()
        into = ctypes.byref(self._prepared)
        _check(prepare(booster._handle, *self._what, _FLOAT64, self._features, self._how, into))
        weakref.finalize(self, lgb.basic._LIB.LGBM_FastConfigFree, self._prepared).atexit = False

    def __call__(self, matrix: np.ndarray) -> np.ndarray:
        """Scores of a model matrix of float64, shape (rows, features): shape (rows,), or (rows, outputs) if several.

        Rows that take the same way through the trees cost half as much when they come one after the other, because the
        processor guesses the branches right. So many rows are scored in the order of what decides most.
        """
        if len(matrix) < _MANY:
            return self._scored(matrix)
        order = np.lexsort(tuple(matrix[:, place] for place in self._deciding))
        ordered = self._scored(matrix[order])
        scores = np.empty_like(ordered)
        scores[order] = ordered
        return scores

    def _scored(self, matrix: np.ndarray) -> np.ndarray:
        rows = np.ascontiguousarray(matrix)
        scores = np.empty(len(matrix) if self._outputs == 1 else (len(matrix), self._outputs))
        data, into = rows.ctypes.data, scores.ctypes.data
        if len(rows) == 1:
            _check(self._score_row(self._prepared, data, self._length, into))
        elif len(rows):  # LightGBM refuses a matrix without rows
            shape = len(rows), self._features, 1  # row-major
            handle = self._booster._handle
            _check(self._score_rows(handle, data, _FLOAT64, *shape, *self._what, self._how, self._length, into))
        return scores


class TreeContributions:
    """What `Booster.predict(pred_contrib=True)` returns, to the bit. Several threads may call it."""

    def __init__(self, booster: lgb.Booster) -> None:
        self._booster = booster
        self._features, self._outputs = booster.num_feature(), booster.num_model_per_iteration()
        self._what = _CONTRIBUTIONS, 0, booster.best_iteration
        self._explain = _predicting()

    def __call__(self, matrix: np.ndarray, threads: int) -> np.ndarray:
        """SHAP values of a model matrix of float64, shape (rows, features): shape (rows, outputs, features + 1).

        The base value is last. Raises LightGBMError for boosters that LightGBM does not explain (linear trees).
        """
        rows = np.ascontiguousarray(matrix)
        values = np.empty((len(rows), self._outputs, self._features + 1))
        if len(rows):  # LightGBM refuses a matrix without rows
            shape, how = (len(rows), self._features, 1), b"num_threads=%d" % threads
            data, into, length = rows.ctypes.data, values.ctypes.data, ctypes.byref(ctypes.c_int64())
            _check(self._explain(self._booster._handle, data, _FLOAT64, *shape, *self._what, how, length, into))
        return values


def _check(status: int) -> None:
    if status != 0:
        raise lgb.basic.LightGBMError(lgb.basic._LIB.LGBM_GetLastError().decode())


def _predicting() -> Any:
    return _prototype("LGBM_BoosterPredictForMat", _AT, _AT, *(_INT,) * 7, _TEXT, _AT, _AT)


def _prototype(name: str, *arguments: Any) -> Any:
    """A function of LightGBM's library with a prototype of our own, which nobody else sees or changes."""
    function = lgb.basic._LIB[name]
    function.argtypes = arguments
    return function
