"""Explanations for people who do not know SHAP: where a prediction starts, and how far each column moves it."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ui import classes, texts
from ui.described import Model, Row

MOST_STEPS = 12
"""Beyond so many steps, the least important columns are shown as one."""
_LOGIT, _LOGARITHM = "logit", "log-value"
"""The spaces of explanations of several classes, and of numbers whose logarithm is learned."""
_MOST_NAMED = 3
"""The most columns that the sentence names."""


@dataclass(frozen=True)
class Step:
    """The step of one column.

    Attributes:
        title: the column's title, or the number of columns in this step.
        value: the row's value, as text.
        contribution: the SHAP value from the service, in its `space`.
        before: the prediction before this step.
        after: the prediction after it.
        same: between two rows, whether both have that value.
    """

    title: str
    value: str
    contribution: float
    before: float
    after: float
    same: bool = False

    @property
    def effect(self) -> float:
        """How far it moves the prediction as shown."""
        return self.after - self.before


@dataclass(frozen=True)
class Scale:
    """How scores are shown: numbers and logits as they are, logarithms as numbers, log-odds as a probability.

    Attributes:
        unit: of numbers.
        of: the class, or None for numbers.
        logit: whether it is the logit of the class. No probability follows from one: it takes those of all classes.
        log: whether scores are logarithms of numbers.
    """

    unit: str | None = None
    of: str | None = None
    logit: bool = False
    log: bool = False

    @property
    def share(self) -> bool:
        """Whether probabilities are shown."""
        return self.of is not None and not self.logit

    def at(self, score: float) -> float:
        """The number to show for a score."""
        if self.share:
            return 1 / (1 + math.exp(-max(-700.0, min(700.0, score))))
        return math.exp(min(700.0, score)) if self.log else score

    def text(self, shown: float) -> str:
        """A number to show, as text."""
        return texts.percent(shown) if self.share else texts.with_unit(shown, self.unit)

    def effect(self, moved: float) -> str:
        """A difference of numbers to show, as text."""
        if self.share:
            return f"{texts.points(moved)} points"
        return texts.signed(moved) + texts.after(self.unit)


@dataclass(frozen=True)
class Story:
    """The steps from a start to an end, the largest first."""

    scale: Scale
    start: float
    steps: list[Step]
    end: float

    @property
    def interacts(self) -> bool:
        """Whether a column has an effect that is the same in both rows: it depends on others, which are not."""
        return any(step.same for step in self.steps)


def scale(model: Model, answer: Mapping[str, Any]) -> Scale:
    """How the scores of an explanation or a prediction are shown."""
    of = classes.subject(answer)
    if of is None:
        return Scale(unit=model.target.unit, log=answer.get("space") == _LOGARITHM)
    return Scale(of=of, logit=answer.get("space") == _LOGIT)


def of_class(explanation: Mapping[str, Any], label: str | None) -> Mapping[str, Any]:
    """The explanation of a class that was asked for; what the service explained by itself if it has none of that."""
    found = next((each for each in explanation.get("classes") or () if each["label"] == label), None)
    return explanation if found is None else {**explanation, **found, "explained_class": label}


def why(model: Model, row: Row, explanation: Mapping[str, Any]) -> Story:
    """How an explanation leads from the base value to the prediction."""
    values = {column.name: (texts.of_column(column, row.get(column.name)), False) for column in model.inputs}
    start, moves = explanation["base_value"], explanation["contributions"]
    return _story(model, scale(model, explanation), start, moves, values)


def between(model: Model, rows: tuple[Row, Row], explanations: tuple[Mapping[str, Any], Mapping[str, Any]]) -> Story:
    """How the differences of two rows lead from the prediction of the first to that of the second.

    Equal contributions have no step. Both explanations are of one request, so of one model with one base value.
    """
    first, second = (explanation["contributions"] for explanation in explanations)
    moves = {name: second[name] - first[name] for name in second if second[name] != first[name]}

    told = {column.name: [texts.of_column(column, row.get(column.name)) for row in rows] for column in model.inputs}
    values = {
        name: (before, True) if before == after else (f"{before} → {after}", False)
        for name, (before, after) in told.items()
    }
    start = explanations[0]["base_value"] + math.fsum(first.values())
    return _story(model, scale(model, explanations[1]), start, moves, values)


def sentence(model: Model, story: Story) -> str:
    """A story in one or two sentences."""
    title, shown = model.target.title, story.scale
    what = f"The probability that {title} is {shown.of}" if shown.share else f"The predicted {title}"
    what = f"The logit of {shown.of}" if shown.logit else what
    start = f"Before it looks at the row, the model says {story.scale.text(story.start)}"
    text = f"{what} is {story.scale.text(story.end)}. {start}"
    movers = _top_columns(story)
    if not movers:
        return f"{text}, and nothing in the row moves it."
    if len(movers) == 1:
        return f"{text}; the column that moves it most is {movers[0]}."
    return f"{text}; the columns that move it most are {', '.join(movers[:-1])} and {movers[-1]}."


def reasons(model: Model, row: Row, explanation: Mapping[str, Any]) -> str:
    """The columns that move a prediction most, for a cell of a table."""
    return "; ".join(_top_columns(why(model, row, explanation)))


def _story(
    model: Model, shown: Scale, start: float, moves: Mapping[str, float], values: Mapping[str, tuple[str, bool]]
) -> Story:
    """The steps of moves; `values` are those of the columns as text, and whether both rows have them."""
    names = sorted(moves, key=lambda name: -abs(moves[name]))
    top, rest = (names, []) if len(names) <= MOST_STEPS else (names[: MOST_STEPS - 1], names[MOST_STEPS - 1 :])
    parts = [(model.title_of(name), *values.get(name, ("", False)), moves[name]) for name in top]
    if rest:
        parts.append((f"{len(rest)} other columns", "", False, math.fsum(moves[name] for name in rest)))
    steps, score = [], start
    for title, value, same, move in parts:
        steps.append(Step(title, value, move, shown.at(score), shown.at(score + move), same))
        score += move
    return Story(shown, shown.at(start), steps, shown.at(score))


def _top_columns(story: Story) -> list[str]:
    """The columns that move a prediction most, each with its value and its effect."""
    steps = (step for step in story.steps[:_MOST_NAMED] if step.effect)
    return [f"{step.title} {step.value} ({story.scale.effect(step.effect)})".replace("  ", " ") for step in steps]
