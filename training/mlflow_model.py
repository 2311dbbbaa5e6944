"""The MLflow flavour of a bundle, logged as code: `mlflow models serve` and Spark UDFs get the same Predictor.

MLflow runs this file; nothing else imports it.
"""

from pathlib import Path
from typing import Any

import pandas as pd
from mlflow.models import set_model
from mlflow.pyfunc import PythonModel, PythonModelContext

from model.predictor import open_predictor


class BundleModel(PythonModel):  # type: ignore[misc]
    """Answers raw columns. A row that does not satisfy the contract fails the call with its reason."""

    def load_context(self, context: PythonModelContext) -> None:
        """Open the bundle among the model's artifacts."""
        self.predictor = open_predictor(Path(context.artifacts["bundle"]))

    def predict(
        self, context: PythonModelContext, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> pd.DataFrame:
        """The predictions of a table of inputs."""
        table = model_input.astype(object).where(model_input.notna(), None)
        decoded = self.predictor.decode(table.to_dict("records"))
        if decoded.refused:
            first = decoded.errors[0]
            raise ValueError(f"{decoded.refused} errors, first: row {first.row}, {first.column}: {first.message}")
        return pd.DataFrame({"prediction": self.predictor.scores(decoded.records)}, index=model_input.index)


set_model(BundleModel())
