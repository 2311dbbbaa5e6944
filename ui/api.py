"""What the tabs do, by name, for programs: a notebook asks the page with `gradio_client`, and gets plain JSON.

Each function asks the service as its tab does, and adds what the tab adds to the service's answer. What goes wrong is
a `gr.Error` with the sentence that a visitor would read. Who must log in to the page must do so for these too.

Nothing that is returned has a text under "path": Gradio's clients take an object with one for a file. That is why
values of columns are in lists of "column" and "value".
"""

import dataclasses
import functools
import tempfile
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import gradio as gr
from gradio.events import api as endpoint

from ui import blocks, changes, explaining, goals, many, questions, similar, texts, whatif
from ui.described import Model, Row
from ui.explaining import Story
from ui.service import Refused, Service, ServiceError
from ui.tabs import common

AT_ONCE = 4
"""How many calls of programs are answered at a time; others wait in Gradio's queue."""
_QUICK: dict[str, Any] = {"concurrency_limit": AT_ONCE, "concurrency_id": "programs"}
_P = ParamSpec("_P")
_Said = TypeVar("_Said")


def build(service: Service, folder: Path) -> gr.Blocks:
    """The functions as an application of its own: a page with them would be twice as large for whoever opens it.

    Args:
        service: what answers.
        folder: where answered tables are written.
    """
    functions = _Functions(service, folder)
    quick = (
        functions.models,
        functions.predict,
        functions.explain,
        functions.what_if,
        functions.change,
        functions.compare,
        functions.model,
        functions.watch,
    )
    made = blocks.made()
    with made:
        for function in quick:
            endpoint(function, api_name=function.__name__, **_QUICK)
        endpoint(functions.many, api_name="many", **common.TABLES)
    return made


def _told(function: Callable[_P, Awaitable[_Said]]) -> Callable[_P, Awaitable[_Said]]:
    """The function, whose errors are sentences for people."""

    @functools.wraps(function)
    async def told(*values: _P.args, **named: _P.kwargs) -> _Said:
        try:
            return await function(*values, **named)
        except Exception as error:
            raise gr.Error(_sentence(error), print_exception=False) from error

    return told


class _Functions:
    """The functions; of each, the first line is its description in Gradio's list of them.

    `model` is a model's name, and `version` one of its versions; without them, what answers by itself does. A row is an
    object with a value for each column, as the service takes it.
    """

    def __init__(self, service: Service, folder: Path) -> None:
        self._service, self._folder = service, folder

    @_told
    async def models(self) -> dict[str, Any]:
        """The names of the models."""
        return {"models": await self._service.names()}

    @_told
    async def predict(self, row: dict[str, Any], model: str = "", version: str = "") -> dict[str, Any]:
        """The answer to a row, as the service gives it."""
        of = await self._opened(model, version)
        answers = await self._service.predict(of.place, [_row(of, row)])
        return _headed(of, answers.version, answers.rows[0])

    @_told
    async def explain(self, row: dict[str, Any], label: str = "", model: str = "", version: str = "") -> dict[str, Any]:
        """The explanation of a row with its sentence, its steps and similar cases; of several classes, of `label`."""
        of = await self._opened(model, version)
        row = _row(of, row)
        answers = await self._service.explain(of.place, [row], classes=_labels(of, label))
        explanation = explaining.of_class(answers.rows[0] or {}, label or None)
        story = explaining.why(of, row, explanation)
        said = {key: value for key, value in explanation.items() if key != "classes"}
        cases = similar.find(of, row, explanation)
        told = {"sentence": explaining.sentence(of, story), "similar": cases and dataclasses.asdict(cases)}
        return _headed(of, answers.version, said) | _steps(story) | told

    @_told
    async def what_if(self, row: dict[str, Any], column: str, model: str = "", version: str = "") -> dict[str, Any]:
        """The answers to a row with other values in a column: a point for each, whose answer is null if refused."""
        of = await self._opened(model, version)
        row = _row(of, row)
        varied = of.input(_column(of, column))
        tried = whatif.values(of, varied, row.get(column))
        answers = await questions.varied(self._service, of, whatif.rows(row, varied, tried))
        points = whatif.points(varied, tried, answers.rows)
        told = [{"value": point.value, "answer": point.answer} for point in points]
        return _headed(of, answers.version, {"column": column, "points": told})

    @_told
    async def change(
        self,
        row: dict[str, Any],
        label: str = "",
        at_least: float | None = None,
        at_most: float | None = None,
        columns: list[str] | None = None,
        model: str = "",
        version: str = "",
    ) -> dict[str, Any]:
        """The least changes of a row that give another answer: another class, or a number at least or at most so."""
        of = await self._opened(model, version)
        row = _row(of, row)
        now = await questions.answer(self._service, of, row)
        goal = _goal(of, now, label, (at_least, at_most))
        chosen = [column.name for column in of.inputs if column.role != "time"] if columns is None else columns
        found: Sequence[changes.Change] = []
        if not goal.reached(now):
            allowed = [_column(of, each) for each in chosen]
            found, _ = await questions.changed(self._service, of, row, now, goal, allowed)
        ways = [{"changes": [move._asdict() for move in way.moves], "answer": way.answer} for way in found]
        return _headed(of, of.version, {"now": now, "reached": goal.reached(now), "ways": ways})

    @_told
    async def compare(
        self, first: dict[str, Any], second: dict[str, Any], model: str = "", version: str = ""
    ) -> dict[str, Any]:
        """The answers to two rows, and the steps from the first to the second."""
        of = await self._opened(model, version)
        rows = _row(of, first), _row(of, second)
        asked = await questions.compared(self._service, of, rows)
        one, other = (explaining.of_class(each, asked.label) for each in asked.explained)
        story = explaining.between(of, rows, (one, other))
        return _headed(of, asked.predicted.version, {"answers": asked.predicted.rows}) | _steps(story)

    @_told
    async def many(
        self, file: dict[str, Any], reasons: bool = True, model: str = "", version: str = ""
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """The table in a CSV or Parquet file with the answers beside its rows, and what came of it."""
        of, upload = await self._opened(model, version), self._uploaded(file)
        folder = Path(tempfile.mkdtemp(dir=self._folder))
        steps = many.answer(self._service, of, upload, folder, reasons=reasons)
        *_, outcome = [step async for step in steps]
        assert isinstance(outcome, many.Outcome)  # noqa: S101 which it yields at the end
        errors = [{"row": row, "column": column or None, "message": message} for row, column, message in outcome.errors]
        counts = {"rows": outcome.rows, "refused": outcome.refused, "warned": outcome.warned, "errors": errors}
        answered = gr.FileData(path=str(outcome.path), orig_name=outcome.path.name).model_dump()
        return answered, _headed(of, ", ".join(outcome.versions) or of.version, {**counts, "ignored": outcome.ignored})

    @_told
    async def model(self, model: str = "", version: str = "") -> dict[str, Any]:
        """What the service says of a model: its columns, metrics and lineage; and its card as Markdown."""
        of = await self._opened(model, version)
        shown = of.model_dump(mode="json", include={"title", "contract", "versions", "classes", "metrics", "lineage"})
        return _headed(of, of.version, {**shown, "card": await self._service.card(of.place)})

    @_told
    async def watch(self, model: str = "") -> dict[str, Any]:
        """The last verdict on a model's answers; null where there is none, with the sentence that says why."""
        of = await self._opened(model, "")
        said = await self._service.verdict(of.name)
        if isinstance(said, str):
            return {"model_name": of.name, "verdict": None, "sentence": said}
        return {"model_name": of.name, "verdict": said.model_dump(mode="json"), "sentence": said.sentence}

    async def _opened(self, name: str, version: str) -> Model:
        """The model that is asked for. Both are compared, and never part of an address as they come."""
        names = await self._service.names()
        if name and name not in names:
            raise ServiceError(f"There is no model '{name}' here, but {', '.join(names)}.")
        model = await self._service.model(name or names[0])
        if version and version not in (model.version, *model.versions):
            raise ServiceError(f"The model '{model.name}' has no version '{version}' here.")
        if version in ("", model.version):
            return model
        return await self._service.model(f"{model.name}/versions/{version}")

    def _uploaded(self, file: Any) -> Path:
        """Where an uploaded file is; a program may name any, and gets none but those that visitors uploaded."""
        named = file.get("path") if isinstance(file, dict) else None
        path = Path(named).resolve() if isinstance(named, str) and "\0" not in named else None
        if path is None or not path.is_relative_to(self._folder.resolve()) or not path.is_file():
            raise ServiceError("There is no such upload. Send a file: gradio_client.handle_file(path).")
        return path


def _sentence(error: Exception) -> str:
    """A sentence for people about an error; of refused rows, each reason once."""
    if not isinstance(error, Refused):
        return common.sentence(error)
    reasons = [": ".join(filter(None, (each.get("column"), texts.reason(each)))) for each in error.errors]
    return f"The service did not take the row. {'; '.join(dict.fromkeys(reasons))}"


def _headed(model: Model, version: str, said: Mapping[str, Any] | None) -> dict[str, Any]:
    """An answer with the name and the version of the model that gave it, as the service's answers have them."""
    return {"model_name": model.name, "model_version": version, **(said or {})}


def _steps(story: Story) -> dict[str, Any]:
    """The steps of a story. Their numbers are as the page shows them: of two classes, probabilities."""
    told = [
        {
            "title": step.title,
            "value": step.value,
            "contribution": step.contribution,
            "before": step.before,
            "after": step.after,
            "effect": story.scale.effect(step.effect),
        }
        for step in story.steps
    ]
    return {"start": story.start, "steps": told, "end": story.end}


def _row(model: Model, row: Any) -> Row:
    if not isinstance(row, dict):  # Gradio does not compare what it gets with a function's types
        raise ServiceError("A row is an object with a value for each column.")
    return model.read(row)


def _column(model: Model, name: Any) -> str:
    names = [column.name for column in model.inputs]
    if name not in names:
        raise ServiceError(f"There is no column '{name}', but {', '.join(names)}.")
    return str(name)


def _labels(model: Model, label: Any) -> list[str]:
    """The class to explain, if one is wanted."""
    labels = [each.label for each in model.classes]
    if label and label not in labels:
        known = f"but {', '.join(labels)}" if labels else "since the model predicts a number"
        raise ServiceError(f"There is no class '{label}', {known}.")
    return [label] if label else []


def _goal(model: Model, now: goals.Answer, label: Any, bounds: tuple[Any, Any]) -> goals.Goal:
    """What the answer is to become: one of a class, a least and a greatest number."""
    least, most = bounds
    if "probabilities" in now:
        return goals.Other(now["prediction"], next(iter(_labels(model, label)), None))
    if (least is None) == (most is None) or not isinstance(most if least is None else least, int | float):
        raise ServiceError("Say one number that the prediction should reach, as at_least or at_most.")
    return goals.Bound(float(most if least is None else least), above=most is None)
