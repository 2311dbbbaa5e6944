"""The MLflow flavour of a bundle, logged as code: `mlflow models serve` and Spark UDFs get the same Predictor.

MLflow runs this file; nothing else imports it.
"""

from pathlib import Path
from typing import Any

import msgspec
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
        """The answers to a table of inputs: predictions, with interval or probabilities beside them.

        With `params={"partial": True}` a refused row gets missing values instead of failing the call.
        """
        table = model_input.astype(object).where(model_input.notna(), None)
        decoded = self.predictor.decode(table.to_dict("records"))
        if decoded.refused and not (params or {}).get("partial"):
            first = decoded.errors[0]
            raise ValueError(f"{decoded.refused} errors, first: row {first.row}, {first.column}: {first.message}")
        scores = self.predictor.scores(decoded.records)
        answers = [msgspec.to_builtins(self.predictor.outcome.answer(score)) for score in scores.tolist()]
        frame = pd.json_normalize(answers) if answers else pd.DataFrame({"prediction": []})
        return frame.set_axis(model_input.index[decoded.positions]).reindex(model_input.index)


set_model(BundleModel())
