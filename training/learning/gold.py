"""Model matrices that satisfy the gold gate."""

import pandas as pd
from pandera.errors import SchemaErrors

from model.features import FeatureMatrix, Fitted, only_known
from problems.base import Problem, owners
from training.data import gates
from validation.decode import Columns
from validation.errors import ContractError


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


def _nullable(problem: Problem, features: list[str]) -> set[str]:
    """The features in which the contract allows NaN: from nullable columns, and names that training did not see."""
    lenient = {column.name for column in problem.contract.inputs if column.nullable}
    lenient |= {column.name for column in problem.contract.categories}
    return {feature for feature in features if lenient.intersection(owners(feature))}
