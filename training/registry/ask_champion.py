"""Asks a registered model for its answers; a program of its own, because the model brings its own code along.

python -P training/registry/ask_champion.py MODEL ROWS.jsonl ANSWERS.parquet
"""

import json
import sys
from pathlib import Path

import mlflow
import pandas as pd


def main(folder: str, asked: str, answered: str) -> None:
    """Answer the rows; columns that the model does not know are left out, those it lacks are missing."""
    model = mlflow.pyfunc.load_model(folder).unwrap_python_model()
    columns: dict[str, list[object]] = {column.name: [] for column in model.predictor.contract.inputs}
    with Path(asked).open() as lines:
        for row in map(json.loads, lines):
            for name, values in columns.items():
                values.append(row.get(name))
    table = pd.DataFrame({name: pd.Series(values, dtype=object) for name, values in columns.items()})
    model.predict(None, table, {"partial": True}).to_parquet(answered)


if __name__ == "__main__":
    main(*sys.argv[1:])
