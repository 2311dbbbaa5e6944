"""Model matrices that satisfy the gold gate."""

from collections.abc import Mapping

import msgspec
import numpy as np
import pandas as pd
from pandera.errors import SchemaErrors

from model.features import FeatureMatrix, Fitted, crossed, only_known
from problems.base import Problem, owners
from training.data import gates
from training.data.split import drawn_folds
from validation.decode import Columns
from validation.errors import ContractError

_FOLDS = 5


def gold_of(problem: Problem, fitted: Fitted, inputs: Columns) -> pd.DataFrame:
    """The model matrix of rows, a column a feature; raises ContractError if the problem's features break the gate."""
    matrix = FeatureMatrix(problem, fitted)
    gold = pd.DataFrame(matrix(only_known(inputs, fitted.vocabularies)), columns=matrix.names)
    try:
        gates.gold(matrix.names, _nullable(problem, matrix.names)).validate(gold, lazy=True)
    except SchemaErrors as error:
        failure = error.failure_cases.iloc[0]
        raise ContractError(
            f"The features of '{problem.name}' break the gold gate: '{failure['column']}' {failure['check']}, "
            f"for example {failure['failure_case']} in row {failure['index']}. Mend its `features`."
        ) from error
    return gold


def cross_folds(problem: Problem, silver: pd.DataFrame, seed: int) -> np.ndarray | None:
    """The fold of each row for `learned_gold`, shape (rows,); None for a problem without `cross_fit`.

    At random for rows in time too: nothing is judged by these folds, and where targets drift the other stretches of
    time would tell a row how far its own is from the mean.
    """
    return None if problem.cross_fit is None else drawn_folds(problem, silver, _FOLDS, seed)


def learned_gold(problem: Problem, fitted: Fitted, columns: Columns, folds: np.ndarray | None) -> pd.DataFrame:
    """The model matrix of the rows that `fitted` was fitted to, and that a booster learns from.

    What the problem's `cross_fit` says of a row is learned from the rows of other folds.

    Args:
        problem: whose rows they are.
        fitted: what was fitted to all of them.
        columns: their inputs and their target.
        folds: the fold of each row, shape (rows,); None for a problem without `cross_fit`.

    Raises:
        ContractError: as `gold_of`.
    """
    inputs = {column.name: columns[column.name] for column in problem.contract.inputs}
    if problem.cross_fit is None or folds is None:
        return gold_of(problem, fitted, inputs)
    return crossed_gold(problem, fitted, fitted_to_others(problem, fitted, columns, folds), inputs, folds)


def fitted_to_others(problem: Problem, fitted: Fitted, columns: Columns, folds: np.ndarray) -> dict[int, Fitted]:
    """For each fold what was fitted, with what `cross_fit` learns from the rows of all the others.

    Args:
        problem: whose rows they are.
        fitted: to all of them.
        columns: their inputs and their target.
        folds: the fold of each row, shape (rows,).
    """
    inputs = {column.name: columns[column.name] for column in problem.contract.inputs}
    known = {**columns, **only_known(inputs, fitted.vocabularies)}
    found = {}
    for number in np.unique(folds).tolist():
        others = {name: values[folds != number] for name, values in known.items()}
        found[number] = msgspec.structs.replace(fitted, state={**fitted.state, **crossed(problem, others)})
    return found


def crossed_gold(
    problem: Problem, fitted: Fitted, of_others: Mapping[int, Fitted], inputs: Columns, folds: np.ndarray
) -> pd.DataFrame:
    """The model matrix of rows to learn from, each by what was fitted to the other folds than its own.

    Args:
        problem: whose rows they are.
        fitted: what was fitted to all rows.
        of_others: as `fitted_to_others` has it.
        inputs: the rows.
        folds: the fold of each row, shape (rows,).
    """
    gold = gold_of(problem, fitted, inputs)
    for number in np.unique(folds).tolist():
        inside = folds == number
        asked = {name: values[inside] for name, values in inputs.items()}
        gold.loc[inside] = gold_of(problem, of_others[number], asked).to_numpy()
    return gold


def _nullable(problem: Problem, features: list[str]) -> set[str]:
    """The features in which the contract allows NaN: from nullable columns, and names that training did not see."""
    lenient = {column.name for column in problem.contract.inputs if column.nullable}
    lenient |= {column.name for column in problem.contract.categories}
    return {feature for feature in features if lenient.intersection(owners(feature))}
