"""What the answers to a table say together: how they are distributed, by groups, and which rows are at either end."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ui import classes
from ui.described import Column, Model, Row

BARS = 20
"""Bars of a histogram, of equal width."""
ENDS = 5
"""Rows that are shown of either end."""
_MOST_GROUPS, _MOST_COLUMNS = 12, 4
_FEWEST = 20
"""Of fewer rows no distribution and no groups are shown: they can be read one by one."""


@dataclass(frozen=True)
class Bar:
    """How many answers are from `low` on and below `high`, or of the class `label`; `share` is of the longest bar."""

    rows: int
    share: float
    low: float = 0.0
    high: float = 0.0
    label: str = ""


@dataclass(frozen=True)
class Group:
    """The rows with one name in a column, and the mean of their answers; `share` is of the largest mean."""

    name: Any
    rows: int
    mean: float
    share: float


@dataclass(frozen=True)
class End:
    """A row at one end: its number, from 1, and what it is."""

    number: int
    row: Row
    answer: dict[str, Any]
    reasons: str


@dataclass(frozen=True)
class Summary:
    """All of it. `of` is the class whose probability means and ends are of; None for numbers, and "" for no one class.

    `ends` are the highest answers and then the lowest, or of several classes the surest and the least sure ones.
    """

    of: str | None
    bars: Sequence[Bar]
    groups: Sequence[tuple[Column, Sequence[Group]]]
    ends: tuple[Sequence[End], Sequence[End]]


class Answered:
    """Takes the answers part by part, and sums them up."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._scores: list[float] = []
        self._labels: Counter[str] = Counter()
        self._cells: dict[str, list[Any]] = {column.name: [] for column in model.inputs if _named(column)}
        self._ends: list[tuple[float, End]] = []
        self._of: str | None = None

    def take(self, first: int, rows: Sequence[Row], answers: Sequence[Any], reasons: Sequence[str]) -> None:
        """Add a part: its first row's number (from 0), the rows, their answers, and reasons if there are any."""
        for place, (row, answer) in enumerate(zip(rows, answers, strict=True)):
            if answer is None:
                continue
            score = self._score(answer)
            self._scores.append(score)
            for name, cells in self._cells.items():
                cells.append(row.get(name))
            why = reasons[place] if place < len(reasons) else ""
            self._ends.append((score, End(first + place + 1, row, answer, why)))
        self._ends.sort(key=lambda each: -each[0])
        del self._ends[ENDS : max(ENDS, len(self._ends) - ENDS)]

    def summary(self) -> Summary:
        """What all of them say."""
        shown = [end for _, end in self._ends]
        ends = shown[:ENDS], shown[ENDS:][::-1]
        if len(self._scores) < _FEWEST:
            return Summary(self._of, (), (), ends)
        return Summary(self._of, self._bars(), () if self._of == "" else self._groups(), ends)

    def _score(self, answer: Mapping[str, Any]) -> float:
        probabilities = answer.get("probabilities")
        if probabilities is None:
            return float(answer["prediction"])
        self._labels[str(answer["prediction"])] += 1
        self._of = classes.subject(answer) if len(probabilities) == 2 else ""
        return float(probabilities[self._of or answer["prediction"]])

    def _bars(self) -> Sequence[Bar]:
        if self._labels:
            most = max(self._labels.values())
            return [Bar(rows, rows / most, label=label) for label, rows in self._labels.most_common()]
        counts, edges = np.histogram(self._scores, bins=BARS)
        most = int(counts.max())
        return [
            Bar(int(rows), int(rows) / most, float(low), float(high))
            for rows, low, high in zip(counts, edges, edges[1:], strict=False)
        ]

    def _groups(self) -> Sequence[tuple[Column, Sequence[Group]]]:
        """The means by columns of few names, first of those whose names differ most."""
        scores = np.asarray(self._scores)
        found = [
            (column, self._means(scores, self._cells[column.name])) for column in self._model.inputs if _named(column)
        ]
        divided = [(column, means) for column, means in found if 1 < len(means) <= _MOST_GROUPS]
        divided.sort(key=lambda each: -_between(each[1]))
        return [(column, _shares(means)) for column, means in divided[:_MOST_COLUMNS]]

    @staticmethod
    def _means(scores: np.ndarray, cells: Sequence[Any]) -> list[tuple[Any, int, float]]:
        places: dict[Any, list[int]] = {}
        for place, cell in enumerate(cells):
            places.setdefault(cell, []).append(place)
            if len(places) > _MOST_GROUPS:
                return []
        return [(name, len(each), float(scores[each].mean())) for name, each in places.items()]


def _named(column: Column) -> bool:
    return column.kind in ("category", "flag")


def _between(means: Sequence[tuple[Any, int, float]]) -> float:
    """The variance between groups."""
    rows = sum(count for _, count, _ in means)
    middle = sum(count * mean for _, count, mean in means) / rows
    return sum(count * (mean - middle) ** 2 for _, count, mean in means) / rows


def _shares(means: Sequence[tuple[Any, int, float]]) -> Sequence[Group]:
    most = max(abs(mean) for _, _, mean in means) or 1.0
    ordered = sorted(means, key=lambda each: -each[2])
    return [Group(name, rows, mean, max(mean, 0.0) / most) for name, rows, mean in ordered]
