"""What a model has to beat: predictors that need no model."""

import numpy as np
import pandas as pd

from validation.contract import Contract


def mean(contract: Contract, train: pd.DataFrame, rows: pd.DataFrame) -> np.ndarray:
    """The mean of the training targets, shape (rows,)."""
    return np.full(len(rows), train[contract.target.name].mean())


def lookup(contract: Contract, train: pd.DataFrame, rows: pd.DataFrame) -> np.ndarray:
    """The mean of the training targets among rows with the same categories, else over all; shape (rows,)."""
    overall = mean(contract, train, rows)
    names = [column.name for column in contract.categories]
    if not names:
        return overall
    target = contract.target.name
    means = train.groupby(names, dropna=False)[target].mean().rename("_mean").reset_index()
    found = rows[names].merge(means, on=names, how="left")["_mean"].to_numpy()
    return np.where(np.isnan(found), overall, found)
