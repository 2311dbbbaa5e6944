"""A table answered part by part, beside what everybody else asks."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ui import explaining, tables
from ui.described import Model, Row
from ui.service import Answers, Service

PART = 2_000
EXPLAINED_PART = 250
"""Rows of one request; explanations take the service a hundred times as long, and others want some too."""
SHOWN = 10
_NAMED = 100
"""A service names the errors of so many rows of a request at least."""
PATIENCE = 120.0
"""Seconds for which a busy service is asked again for a part."""


@dataclass
class Progress:
    """How far it is."""

    done: int
    rows: int


@dataclass
class Outcome:
    """What became of a table.

    Attributes:
        path: the table with its answers.
        rows: how many there were.
        refused: how many of them the service refused.
        warned: how many of them it answered with a warning.
        name: of the file.
        versions: of the model that answered; two, if another took its place meanwhile.
        ignored: columns that were not sent.
        first: the first rows with their answers.
        errors: the first errors: row (from 1, below the header), column and message.
    """

    path: Path
    name: str
    rows: int
    refused: int = 0
    warned: int = 0
    versions: list[str] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)
    first: list[tuple[Row, dict[str, Any] | None]] = field(default_factory=list)
    errors: list[tuple[int, str, str]] = field(default_factory=list)


async def answer(
    service: Service, model: Model, upload: Path, folder: Path, *, reasons: bool
) -> AsyncIterator[Progress | Outcome]:
    """Answer the table in a file; yields how far it is, and in the end what became of it.

    Args:
        service: who answers.
        model: the model as the service describes it.
        upload: a CSV or Parquet file.
        folder: where to write the table with its answers.
        reasons: whether to have explanations too.

    Raises:
        TableError: the file is no table for this model.
        ServiceError: the service stopped answering; nothing is written.
    """
    table = await asyncio.to_thread(tables.read, upload, model)
    inputs = {column.name for column in model.inputs}
    outcome = Outcome(folder / f"{upload.stem}-answered{upload.suffix.lower()}", upload.name, len(table))
    outcome.ignored = [str(name) for name in table.columns if name not in inputs]
    added = _Added(model, reasons=reasons)
    part = EXPLAINED_PART if reasons else PART
    for first in range(0, len(table), part):
        yield Progress(first, len(table))
        asked = await asyncio.to_thread(tables.rows, model, table.iloc[first : first + part])
        predicted = await _predicted(service, model.name, asked)
        explained = await service.explain(model.name, asked, partial=True, patience=PATIENCE) if reasons else None
        await asyncio.to_thread(added.take, asked, predicted, explained)
        _note(outcome, asked, predicted, first)
    yield Progress(len(table), len(table))
    await asyncio.to_thread(tables.write, outcome.path, table, added.columns())
    yield outcome


async def _predicted(service: Service, name: str, asked: list[Row]) -> Answers:
    """The answers to a part, with the reasons of all rows that are refused: a service names the first of many."""
    answers = await service.predict(name, asked, partial=True, patience=PATIENCE)
    errors = list(answers.errors)
    while True:
        named = {error["row"] for error in errors}
        places = [place for place, said in enumerate(answers.rows) if said is None and place not in named][:_NAMED]
        if not places:
            return answers._replace(errors=errors)
        again = await service.predict(name, [asked[place] for place in places], partial=True, patience=PATIENCE)
        errors += [{**error, "row": places[error["row"]]} for error in again.errors]
        if not again.errors:  # what was refused before is not any more: another model is there
            return answers._replace(errors=errors)


def _note(outcome: Outcome, asked: list[Row], predicted: Answers, first: int) -> None:
    """What the preview will show of a part."""
    if predicted.version not in outcome.versions:
        outcome.versions.append(predicted.version)
    outcome.refused += sum(said is None for said in predicted.rows)
    outcome.warned += sum(bool(said and said["warnings"]) for said in predicted.rows)
    outcome.first += list(zip(asked, predicted.rows, strict=True))[: SHOWN - len(outcome.first)]
    for error in predicted.errors[: SHOWN - len(outcome.errors)]:
        outcome.errors.append((first + error["row"] + 1, error.get("column") or "", error["message"]))


class _Added:
    """The columns that a table gets."""

    def __init__(self, model: Model, *, reasons: bool) -> None:
        self._model = model
        self._reasons = reasons
        self._rows: list[dict[str, Any]] = []

    def take(self, asked: list[Row], predicted: Answers, explained: Answers | None) -> None:
        """Add the answers to a part."""
        made = [_columns(said) for said in predicted.rows]
        for error in predicted.errors:
            cell = made[error["row"]]
            text = f"{error.get('column') or 'row'}: {error['message']}"
            cell["errors"] = f"{cell['errors']}; {text}" if "errors" in cell else text
        if explained is not None:
            for cell, row, said in zip(made, asked, explained.rows, strict=True):
                if said is not None:
                    cell["reasons"] = explaining.reasons(self._model, row, said)
        self._rows += made

    def columns(self) -> dict[str, list[Any]]:
        """All of them, errors and warnings last; None where a row has nothing."""
        last = ["reasons", "warnings", "errors"] if self._reasons else ["warnings", "errors"]
        names = [name for name in dict.fromkeys(name for row in self._rows for name in row) if name not in last]
        return {name: [row.get(name) for row in self._rows] for name in (*names, *last)}


def _columns(said: dict[str, Any] | None) -> dict[str, Any]:
    """An answer as cells of a table."""
    if said is None:
        return {}
    cells: dict[str, Any] = {"prediction": said["prediction"]}
    if "interval" in said:
        cells |= {"prediction_low": said["interval"]["low"], "prediction_high": said["interval"]["high"]}
    cells |= {f"probability_{name}": share for name, share in said.get("probabilities", {}).items()}
    return cells | ({"warnings": "; ".join(said["warnings"])} if said["warnings"] else {})
