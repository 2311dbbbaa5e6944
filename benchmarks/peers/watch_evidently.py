"""What Evidently says of each day: `python watch_evidently.py FOLDER`, in an environment that has it.

The folder holds reference.parquet; days.parquet, whose column `_day` names days; seasons.parquet, the places of the
reference rows of each day's season; and columns.json. It writes evidently.json.
"""

import json
import sys
from pathlib import Path

import pandas as pd
from evidently import DataDefinition, Dataset, Report
from evidently.metrics import DriftedColumnsCount

_DATASET_DRIFT = 0.5  # the documented share of drifted columns from which a dataset has drifted


def main(folder: Path) -> None:
    """Compare each day with the reference by the tests of `DataDriftPreset`, without its plots, and its defaults."""
    columns = json.loads((folder / "columns.json").read_text())
    numbers = [*columns["numbers"], "prediction"]
    definition = DataDefinition(numerical_columns=numbers, categorical_columns=columns["names"])
    report, said = Report([DriftedColumnsCount()]), {}
    reference = pd.read_parquet(folder / "reference.parquet")
    seasons = dict(iter(pd.read_parquet(folder / "seasons.parquet").groupby("_day")["place"]))

    def dataset(table: pd.DataFrame) -> Dataset:
        return Dataset.from_pandas(table[[*numbers, *columns["names"]]], data_definition=definition)

    everything = dataset(reference)
    for day, rows in pd.read_parquet(folder / "days.parquet").groupby("_day"):
        current, of_season = dataset(rows), dataset(reference.loc[seasons[day]])
        said[day] = {}
        for name, compared in (("", everything), (", season", of_season)):
            [found] = report.run(current, compared).dict()["metrics"]
            said[day][f"Evidently, a column{name}"] = found["value"]["count"] > 0
            said[day][f"Evidently, dataset{name}"] = found["value"]["share"] >= _DATASET_DRIFT
    (folder / "evidently.json").write_text(json.dumps(said))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
