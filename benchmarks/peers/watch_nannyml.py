"""What NannyML says of each day: `python watch_nannyml.py FOLDER`, in an environment that has it.

The folder holds reference.parquet; days.parquet, whose column `_day` names days; and columns.json. It writes
nannyml.json. A day is a chunk: all days have as many rows. The reference is the rows that the model did not learn
from, as its documentation asks.
"""

import json
import os
import sys
import warnings
from pathlib import Path

os.environ["NML_DISABLE_USAGE_LOGGING"] = "1"
warnings.simplefilter("ignore")

import nannyml  # noqa: E402 it reads the variable
import pandas as pd  # noqa: E402


def main(folder: Path) -> None:
    """Ask its drift, its estimate of the error and its realized error, with their defaults."""
    columns = json.loads((folder / "columns.json").read_text())
    reference, days = (pd.read_parquet(folder / f"{name}.parquet") for name in ("reference", "days"))
    reference = reference[reference["split"] == "test"]
    names = list(dict.fromkeys(days["_day"]))
    size = len(days) // len(names)
    inputs = [*columns["numbers"], *columns["names"]]
    target = {"y_pred": "prediction", "y_true": "actual", "metrics": ["mae"], "chunk_size": size}
    drift = nannyml.UnivariateDriftCalculator(
        column_names=[*inputs, "prediction"], treat_as_categorical=columns["names"], chunk_size=size
    )
    estimate = nannyml.DLE(feature_column_names=inputs, **target)
    realized = nannyml.PerformanceCalculator(problem_type="regression", **target)
    drifted = _results(drift.fit(reference).calculate(days))
    estimated = _results(estimate.fit(reference).estimate(days.drop(columns="actual")))
    true = _results(realized.fit(reference).calculate(days))
    alerts = drifted.xs("alert", axis=1, level=-1).any(axis=1)
    said = {
        name: {
            "alarms": {
                "NannyML, a column": bool(alerts.iloc[place]),
                "NannyML, estimated error": bool(estimated[("mae", "alert")].iloc[place]),
                "NannyML, labels": bool(true[("mae", "alert")].iloc[place]),
            },
            "estimate": float(estimated[("mae", "value")].iloc[place]),
        }
        for place, name in enumerate(names)
    }
    (folder / "nannyml.json").write_text(json.dumps(said))


def _results(result: object) -> pd.DataFrame:
    return result.filter(period="analysis").to_df()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
