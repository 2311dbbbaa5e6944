"""Answers as rows of a table, for tools that hold tables: MLflow and Spark.

Names have letters, digits and underscores only, which Spark takes without backticks.
"""

import re
from collections.abc import Iterable

from model.outcome import Binary, Outcome
from validation.contract import Contract
from validation.wire import Prediction


def columns(outcome: Outcome, contract: Contract) -> list[str]:
    """The names of the answers' columns, in order."""
    if isinstance(outcome, Binary):
        more = list(probabilities(outcome.classes).values())
    else:
        more = ["interval_low", "interval_high", "interval_coverage"]
    return ["prediction", *more, "warnings", *(f"key_{column.name}" for column in contract.keys)]


def row(answer: Prediction) -> dict[str, object]:
    """An answer as a row of these columns; warnings are one text, empty where there are none."""
    told: dict[str, object] = {"prediction": answer.prediction, "warnings": "; ".join(answer.warnings)}
    if answer.interval:
        told |= {f"interval_{name}": getattr(answer.interval, name) for name in ("low", "high", "coverage")}
    if answer.probabilities:
        names = probabilities(answer.probabilities)
        told |= {names[label]: share for label, share in answer.probabilities.items()}
    return told | {f"key_{name}": value for name, value in (answer.keys or {}).items()}


def probabilities(labels: Iterable[str]) -> dict[str, str]:
    """The column of each label, by its place where labels differ in other signs only."""
    plain = {label: re.sub(r"[^0-9A-Za-z]", "_", label) for label in labels}
    if len(set(plain.values())) < len(plain):
        plain = {label: str(place) for place, label in enumerate(plain)}
    return {label: f"probability_{name}" for label, name in plain.items()}
