"""The MLflow flavour of a bundle, logged as code: `mlflow models serve` and Spark UDFs get the same Predictor.

MLflow runs this file; nothing else imports it.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from mlflow.models import set_model
from mlflow.pyfunc import PythonModel, PythonModelContext

from model import tabular
from model.predictor import open_predictor
from validation.contract import Column, Kind
from validation.table import Table
from validation.values import reader, written


class BundleModel(PythonModel):  # type: ignore[misc]
    """Answers raw columns. A row that does not satisfy the contract fails the call with its reason."""

    def load_context(self, context: PythonModelContext) -> None:
        """Open the bundle among the model's artifacts."""
        self.predictor = open_predictor(Path(context.artifacts["bundle"]))

    def predict(
        self, context: PythonModelContext, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> pd.DataFrame:
        """The answers to a table of inputs, one row each, with the columns that the signature names.

        With `params={"partial": True}` a refused row gets missing numbers and empty texts instead of failing the call.
        No text is missing, because of a batch that has others MLflow's UDFs would make "nan" of it.
        """
        table = tabular.table(model_input)
        decoded = self.predictor.decode(table)
        if decoded.error_count and not (params or {}).get("partial"):
            first = decoded.errors[0]
            raise ValueError(f"{decoded.error_count} errors, first: row {first.row}, {first.column}: {first.message}")
        outcome, contract = self.predictor.outcome, self.predictor.contract
        answered = model_input.iloc[decoded.positions]
        cells: dict[str, np.ndarray] = {**tabular.answers(outcome, self.predictor.scores(decoded.inputs))}
        cells["warnings"] = _texts("; ".join(decoded.warnings.get(place, ())) for place in range(len(answered)))
        cells |= {f"key_{key.name}": _key(key, table, decoded.positions) for key in contract.keys}
        frame = pd.DataFrame(cells, index=answered.index, columns=tabular.columns(outcome, contract))
        texts = {name: "" for name, found in cells.items() if found.dtype == object}
        return frame.reindex(model_input.index).fillna(texts)


def _key(column: Column, table: Table, positions: Sequence[int]) -> np.ndarray:
    """A key of the good rows in the type that the signature has: numbers as numbers, others as requests write them.

    Spark's UDFs answer with numbers and texts only, and take a missing integer in no other type than a double.
    """
    if column.name not in table.columns:
        return np.full(len(positions), np.nan) if column.numeric else _texts("" for _ in positions)
    found = table.columns[column.name]
    if isinstance(found, np.ndarray) and column.numeric:
        return found[list(positions)].astype(np.float64)
    cells = Table({column.name: found}, len(table)).rows(np.array(positions, dtype=np.intp))
    values = [cell[column.name] for cell in cells]
    if column.numeric:
        return np.array([np.nan if value is None else value for value in values], dtype=np.float64)
    return _texts("" if value is None else _written(column, value) for value in values)


def _texts(texts: Iterable[str]) -> np.ndarray:
    """Texts as answers have them: an array of objects, even of none."""
    return np.array([*texts], dtype=object)


def _written(column: Column, value: object) -> str:
    number = reader(column)(value)
    if not isinstance(number, int | float):  # a name, which is echoed as it came
        return str(value)
    return ("false", "true")[bool(number)] if column.kind is Kind.FLAG else written(column.kind, number)


set_model(BundleModel())
