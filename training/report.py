"""Metrics for a person: the table at the end of a run."""

from typing import Any

from problems.base import Problem
from training.workspace import Workspace, read_json

_HEADS = {
    "rmse": "RMSE",
    "mae": "MAE",
    "r2": "R²",
    "mape": "MAPE",
    "wmape": "wMAPE",
    "within_10_percent": "within 10 %",
}


def main(problem: Problem) -> None:
    """Print what the last evaluation found."""
    print(table(read_json(Workspace(problem.name).metrics)))


def table(document: dict[str, Any]) -> str:
    """The document that the evaluation wrote, a predictor a line."""
    unit = f" in {document['unit']}" if document["unit"] else ""
    rows = [["", *_HEADS.values()]]
    for predictor, scores in document["scores"].items():
        rows.append([predictor, *(_cell(scores[name]) for name in _HEADS)])
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    lines = ["  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    title = f"{document['rows']:,} test rows, errors{unit}, 95 % bootstrap intervals"
    verdict = [] if document["beats_lookup"] else ["The model does not beat a lookup of group means: use the lookup."]
    return "\n".join([title, *lines, *verdict])


def _cell(score: dict[str, float | None]) -> str:
    value, low, high = ("-" if number is None else f"{number:.4g}" for number in score.values())
    return f"{value} [{low}, {high}]"
