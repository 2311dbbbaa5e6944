"""Explains few rows with LightGBM, and many with tables."""

import threading

import lightgbm as lgb
import numpy as np

from model.contributions.bulk import ROWS, BulkContributions
from model.contributions.trees import NotTabulated
from model.trees import TreeContributions

MANY = 1000
"""Rows that are explained from tables, which are made for them: LightGBM takes longer. Measured: from 430 to 2,100."""
FEW = 8
"""Rows from which on tables are faster that are there already. Measured: 2 to 5."""

_FASTER = 20
"""How many times as fast tables are as LightGBM, at least. Measured: 24 to 105 for three models, tables included."""


def effort(rows: int) -> int:
    """How many rows take LightGBM as long as these take at most: fewer where tables pay, which may have to be made."""
    return rows if rows <= MANY else MANY + (rows - MANY) // _FASTER


class Explainer:
    """The contributions of a booster, summed to columns. It may be called from several threads.

    By which way a row is explained depends on how many come with it, and on whether as many as make the tables came
    before; unless a caller always wants tables. The two ways agree to about 14 digits.
    """

    def __init__(self, booster: lgb.Booster, text: str, owners: np.ndarray) -> None:
        """Make nothing yet.

        Args:
            booster: what is explained.
            text: the same, as LightGBM writes it.
            owners: which column a feature's contribution belongs to, shape (features, columns).
        """
        self._text, self._owners = text, owners
        self._each = TreeContributions(booster)
        self._making = threading.Lock()
        self._tables: BulkContributions | None = None
        self.refusal = ""
        """Why the model has no tables; empty as long as they were not refused."""

    def __call__(self, matrix: np.ndarray, threads: int = 1, *, always: bool = False) -> np.ndarray:
        """SHAP values of raw scores, summed to columns.

        Args:
            matrix: the model matrix of float64, shape (rows, features).
            threads: at most so many at once.
            always: whether tables explain however few rows there are, so that what these get depends on nothing that
                came before. A model that has no tables is LightGBM's always.

        Returns:
            Shape (rows, outputs, columns + 1), the base value last; they add up to the raw scores.
        """
        tables = self._made() if always else self._ready(len(matrix))
        return self._slowly(matrix, threads) if tables is None else tables(matrix, threads)

    def prepare(self) -> int:
        """Make the tables if they are not there yet, which takes as long as LightGBM takes for 1,000 rows or so.

        Returns:
            How many rows are best explained in one call, so that the tables pay: 0 where the model has none.
        """
        tables = self._made()
        if tables is None:
            return 0
        return 2 * MANY if tables.whole else ROWS

    def _ready(self, rows: int) -> BulkContributions | None:
        """The tables, if so many rows are to be explained with them."""
        if rows < MANY:
            there = self._tables
            return there if there is not None and there.whole and rows >= FEW else None
        return self._made()

    def _made(self) -> BulkContributions | None:
        """The tables, which are made where they are not there yet; None if the model has none."""
        with self._making:
            if self._tables is None and not self.refusal:
                try:
                    self._tables = BulkContributions(self._text, self._owners)
                except NotTabulated as error:
                    self.refusal = str(error)
        return self._tables

    def _slowly(self, matrix: np.ndarray, threads: int) -> np.ndarray:
        """TreeSHAP as LightGBM computes it, row by row."""
        each = self._each(matrix, threads)
        values = each.reshape(-1, each.shape[-1])
        summed = np.column_stack([values[:, :-1] @ self._owners, values[:, -1]])
        return summed.reshape(*each.shape[:2], summed.shape[-1])
