"""The MLflow flavour of a bundle, logged as code: `mlflow models serve` and Spark UDFs get the same Predictor.

MLflow runs this file; nothing else imports it.
"""

from pathlib import Path
from typing import Any

import pandas as pd
from mlflow.models import set_model
from mlflow.pyfunc import PythonModel, PythonModelContext

from model import tabular
from model.predictor import open_predictor


class BundleModel(PythonModel):  # type: ignore[misc]
    """Answers raw columns. A row that does not satisfy the contract fails the call with its reason."""

    def load_context(self, context: PythonModelContext) -> None:
        """Open the bundle among the model's artifacts."""
        self.predictor = open_predictor(Path(context.artifacts["bundle"]))

    def predict(
        self, context: PythonModelContext, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> pd.DataFrame:
        """The answers to a table of inputs, one row each, with the columns that the signature names.

        With `params={"partial": True}` a refused row gets missing values instead of failing the call.
        """
        decoded = self.predictor.decode(tabular.table(model_input))
        if decoded.error_count and not (params or {}).get("partial"):
            first = decoded.errors[0]
            raise ValueError(f"{decoded.error_count} errors, first: row {first.row}, {first.column}: {first.message}")
        outcome, contract = self.predictor.outcome, self.predictor.contract
        answered = model_input.iloc[decoded.positions]
        cells: dict[str, Any] = {**tabular.answers(outcome, self.predictor.scores(decoded.inputs))}
        cells["warnings"] = ["; ".join(decoded.warnings.get(place, ())) for place in range(len(answered))]
        cells |= {f"key_{column.name}": answered.get(column.name) for column in contract.keys}
        frame = pd.DataFrame(cells, index=answered.index, columns=tabular.columns(outcome, contract))
        return frame.reindex(model_input.index)


set_model(BundleModel())
