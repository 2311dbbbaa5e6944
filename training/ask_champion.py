"""Asks a registered model for its answers; a program of its own, because the model brings its own code along.

python -P training/ask_champion.py MODEL-URI ROWS.json ANSWERS.parquet
"""

import json
import sys
from pathlib import Path

import mlflow
import pandas as pd


def main(uri: str, asked: str, answered: str) -> None:
    """Answer the rows; columns that the model does not know are left out, those it lacks are missing."""
    model = mlflow.pyfunc.load_model(uri).unwrap_python_model()
    rows = json.loads(Path(asked).read_text())
    columns = [column.name for column in model.predictor.contract.inputs]
    table = pd.DataFrame({name: pd.Series([row.get(name) for row in rows], dtype=object) for name in columns})
    model.predict(None, table, {"partial": True}).to_parquet(answered)


if __name__ == "__main__":
    main(*sys.argv[1:])
