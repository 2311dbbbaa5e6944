"""Answers as rows of a table, for tools that hold tables: MLflow and Spark."""

from model.outcomes import Outcome
from validation.contract import Contract
from validation.wire import Prediction


def columns(outcome: Outcome, contract: Contract) -> list[str]:
    """The names of the answers' columns, in order."""
    return ["prediction", *outcome.columns, "warnings", *(f"key_{column.name}" for column in contract.keys)]


def row(outcome: Outcome, answer: Prediction) -> dict[str, object]:
    """An answer as a row of these columns; warnings are one text, empty where there are none."""
    told = {"prediction": answer.prediction, **dict(zip(outcome.columns, outcome.cells(answer), strict=True))}
    told["warnings"] = "; ".join(answer.warnings)
    return told | {f"key_{name}": value for name, value in (answer.keys or {}).items()}
