"""Answering a table part by part, so that other visitors' requests are answered in between."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ui import explaining, tables
from ui.described import Model, Row
from ui.service import Answers, Service
from ui.summary import Answered, Summary

PART = 2_000
MOST_ERRORS = 10
"""The most errors that are shown."""
EXPLAINED_PART = 250
"""Rows of one request; explanations take a hundred times as long, and other visitors need the service too."""
_NAMED = 100
"""A service reports the errors of at least so many rows of a request."""
PATIENCE = 120.0
"""Seconds for which a part is retried while the service is busy."""


@dataclass
class Progress:
    """The progress: `done` of `rows` rows."""

    done: int
    rows: int


@dataclass
class Outcome:
    """The result of a table.

    Attributes:
        path: the file with the table and its answers.
        name: the name of the uploaded file.
        rows: the number of rows.
        refused: how many of them the service refused.
        warned: how many of them it answered with a warning.
        versions: the versions of the model that answered; two if it was replaced meanwhile.
        ignored: the columns that were not sent.
        summary: what the answers say together.
        errors: the first errors: row (from 1, below the header), column and message.
    """

    path: Path
    name: str
    rows: int
    refused: int = 0
    warned: int = 0
    versions: list[str] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)
    summary: Summary | None = None
    errors: list[tuple[int, str, str]] = field(default_factory=list)


async def answer(
    service: Service, model: Model, upload: Path, folder: Path, *, reasons: bool
) -> AsyncIterator[Progress | Outcome]:
    """Answer the table in a file; yields the progress, and at the end the outcome.

    Args:
        service: the service that answers.
        model: the model as the service describes it.
        upload: a CSV or Parquet file.
        folder: where to write the table with its answers.
        reasons: whether to add explanations.

    Raises:
        TableError: the file is not a table for this model.
        ServiceError: the service stopped answering; nothing is written.
    """
    table = await asyncio.to_thread(tables.read, upload, model)
    sent = set(tables.headers_of(model, table).values())
    outcome = Outcome(folder / f"{upload.stem}-answered{upload.suffix.lower()}", upload.name, len(table))
    outcome.ignored = [str(name) for name in table.columns if name not in sent]
    together = Answered(model)
    added = _AnswerColumns(model, reasons=reasons)
    part = EXPLAINED_PART if reasons else PART
    for first in range(0, len(table), part):
        yield Progress(first, len(table))
        rows = await asyncio.to_thread(tables.rows, model, table.iloc[first : first + part])
        predicted = await _predicted(service, model.place, rows)
        explained = (
            await service.explain(model.place, rows, partial=True, raw=True, patience=PATIENCE) if reasons else None
        )
        why = await asyncio.to_thread(added.take, rows, predicted, explained)
        await asyncio.to_thread(together.take, first, rows, predicted.rows, why)
        _note(outcome, predicted, first)
    yield Progress(len(table), len(table))
    await asyncio.to_thread(tables.write, outcome.path, table, added.columns())
    outcome.summary = await asyncio.to_thread(together.summary)
    yield outcome


async def _predicted(service: Service, place: str, rows: list[Row]) -> Answers:
    """The answers to a part, with the errors of all refused rows: of many, a service reports the first only."""
    answers = await service.predict(place, rows, partial=True, raw=True, patience=PATIENCE)
    errors = list(answers.errors)
    while True:
        with_errors = {error["row"] for error in errors}
        unknown = [at for at, prediction in enumerate(answers.rows) if prediction is None and at not in with_errors]
        unknown = unknown[:_NAMED]
        if not unknown:
            return answers._replace(errors=errors)
        retry = await service.predict(place, [rows[at] for at in unknown], partial=True, raw=True, patience=PATIENCE)
        errors += [{**error, "row": unknown[error["row"]]} for error in retry.errors]
        if not retry.errors:  # refused before and not any more: the model was replaced
            return answers._replace(errors=errors)


def _note(outcome: Outcome, predicted: Answers, first: int) -> None:
    """Add a part to what the preview shows."""
    if predicted.version not in outcome.versions:
        outcome.versions.append(predicted.version)
    outcome.refused += sum(prediction is None for prediction in predicted.rows)
    outcome.warned += sum(bool(prediction and prediction["warnings"]) for prediction in predicted.rows)
    for error in predicted.errors[: MOST_ERRORS - len(outcome.errors)]:
        outcome.errors.append((first + error["row"] + 1, error.get("column") or "", error["message"]))


class _AnswerColumns:
    """The columns that are added to a table."""

    def __init__(self, model: Model, *, reasons: bool) -> None:
        self._model = model
        self._reasons = reasons
        self._rows: list[dict[str, Any]] = []

    def take(self, rows: list[Row], predicted: Answers, explained: Answers | None) -> list[str]:
        """Add the answers to a part; returns the reasons of each row."""
        cells = [_cells(prediction) for prediction in predicted.rows]
        for error in predicted.errors:
            row_cells = cells[error["row"]]
            text = f"{error.get('column') or 'row'}: {error['message']}"
            row_cells["errors"] = f"{row_cells['errors']}; {text}" if "errors" in row_cells else text
        if explained is not None:
            for row_cells, row, explanation in zip(cells, rows, explained.rows, strict=True):
                if explanation is not None:
                    row_cells["reasons"] = explaining.reasons(self._model, row, explanation)
        self._rows += cells
        return [row_cells.get("reasons", "") for row_cells in cells]

    def columns(self) -> dict[str, list[Any]]:
        """All columns by name, errors and warnings last; None where a row has no value."""
        last = ["reasons", "warnings", "errors"] if self._reasons else ["warnings", "errors"]
        names = [name for name in dict.fromkeys(name for row in self._rows for name in row) if name not in last]
        return {name: [row.get(name) for row in self._rows] for name in (*names, *last)}


def _cells(prediction: dict[str, Any] | None) -> dict[str, Any]:
    """An answer as cells of a table."""
    if prediction is None:
        return {}
    cells: dict[str, Any] = {"prediction": prediction["prediction"]}
    if "interval" in prediction:
        cells |= {"prediction_low": prediction["interval"]["low"], "prediction_high": prediction["interval"]["high"]}
    cells |= {f"probability_{name}": share for name, share in prediction.get("probabilities", {}).items()}
    if "prediction_set" in prediction:  # as the models in MLflow write it
        labels = prediction["prediction_set"]["labels"]
        cells["prediction_set"] = json.dumps(labels, ensure_ascii=False, separators=(",", ":"))
    return cells | ({"warnings": "; ".join(prediction["warnings"])} if prediction["warnings"] else {})
