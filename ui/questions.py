"""What the tabs and programs ask of the service alike, where one question takes more than one request.

All of it explores what a model answers: the rows are no cases of somebody, and the service is told so.
"""

from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

from ui import changes, classes, goals
from ui.described import Model, Row
from ui.service import Answers, Refused, Service


class Compared(NamedTuple):
    """Two rows.

    Attributes:
        predicted: their answers.
        explained: their explanations, of the class that a number of the second answer speaks of; in the order of rows.
        label: that class; None of numbers.
    """

    predicted: Answers
    explained: tuple[dict[str, Any], dict[str, Any]]
    label: str | None


async def compared(service: Service, model: Model, rows: tuple[Row, Row]) -> Compared:
    """Ask for two rows and why their answers differ; raises ServiceError."""
    predicted = await service.predict(model.place, list(rows), exploring=True)
    label = classes.subject(predicted.rows[1] or {})
    wanted = [] if label is None else [label]
    first, second = (await service.explain(model.place, list(rows), classes=wanted)).rows
    return Compared(predicted, (first or {}, second or {}), label)


async def varied(service: Service, model: Model, rows: list[Row]) -> Answers:
    """The answers to variants of a row, of which some may be refused; raises Refused if all are, and ServiceError."""
    answers = await service.predict(model.place, rows, partial=True, exploring=True)
    if not any(answers.rows):
        raise Refused("None of the rows was taken.", answers.errors)
    return answers


async def answer(service: Service, model: Model, row: Row) -> dict[str, Any]:
    """The answer to one row; raises ServiceError."""
    [said] = (await service.predict(model.place, [row], exploring=True)).rows
    return said or {}


async def changed(
    service: Service, model: Model, row: Row, now: goals.Answer, goal: goals.Goal, allowed: Collection[str]
) -> tuple[Sequence[changes.Change], int]:
    """The least changes that reach a goal, and about how many rows the service was asked; raises ServiceError.

    Args:
        service: what answers.
        model: the model.
        row: what is to change.
        now: the answer to it.
        goal: what the answer is to become.
        allowed: the columns that may change.
    """

    async def ask(rows: list[Row]) -> Sequence[dict[str, Any] | None]:
        return (await service.predict(model.place, rows, partial=True, exploring=True)).rows

    asking = changes.Asking(model, row, now, goal, ask)
    return await changes.search(asking, allowed), asking.asked
