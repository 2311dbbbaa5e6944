"""How a model's answers depend on each column, over all values of the others: partial dependence.

Friedman, "Greedy Function Approximation: A Gradient Boosting Machine", 2001, section 8.2: the mean answer for a value
of a column, over rows that are the same but for it. Friedman takes training rows, which no service gives away; here the
rows are made up, see `ui.backgrounds`. The band is of Goldstein, Kapelner, Bleich and Pitkin, "Peeking Inside the Black
Box", 2015: the curve of each row, moved to the same mean, and where eight of ten of them lie. How far two columns do
together what neither does alone is the H of Friedman and Popescu, "Predictive Learning via Rule Ensembles", 2008.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from ui import backgrounds, lines
from ui.described import Column, Model, Row

MOST_COLUMNS = 8
"""The most columns that are shown, those that matter most."""
MOST_NAMES = 10
MOST_ROWS = 2_000
"""The most rows of the one request: a part of a table is as large."""
_OF_PAIRS = 800
"""So many of them at most are for pairs of columns."""
_MOST_BEHIND = 40
_PAIRED, _LEVELS = 4, 4
"""The columns that are looked at in pairs, and how many values of each."""
_WITHIN = 0.1
"""The share of rows on either side of the band."""

Value = float | None


@dataclass(frozen=True)
class Grid:
    """Values of a column and the shares of training rows that they stand for, which add up to 1."""

    column: Column
    values: Sequence[Any]
    shares: Sequence[float]


@dataclass(frozen=True)
class Point:
    """A value, the share of training rows it stands for, the mean answer for it, and the band around it."""

    value: Any
    share: float
    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class Curve:
    """The dependence on one column."""

    column: Column
    points: Sequence[Point]

    @property
    def range(self) -> float:
        """How far the greatest mean answer is from the least."""
        means = [point.mean for point in self.points]
        return max(means) - min(means)


@dataclass(frozen=True)
class Pair:
    """What two columns do together beyond the sum of what each does.

    Attributes:
        columns: the two.
        size: the root of its mean square, in the unit of the answers.
        share: its share of the variance of what both do, H² from 0 to 1.
    """

    columns: tuple[Column, Column]
    size: float
    share: float


@dataclass(frozen=True)
class _Block:
    """Rows that are the same but for the columns of its grids: for each cell of these all rows behind it."""

    grids: Sequence[Grid]
    behind: Sequence[Row]

    @property
    def cells(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = [{}]
        for grid in self.grids:
            found = [{**cell, grid.column.name: value} for cell in found for value in grid.values]
        return found

    @property
    def rows(self) -> list[Row]:
        return [{**row, **cell} for cell in self.cells for row in self.behind]


@dataclass(frozen=True)
class Plan:
    """What is asked of the service, in one request."""

    single: Sequence[_Block]
    paired: Sequence[_Block]

    @property
    def rows(self) -> list[Row]:
        """The rows to ask, at most `MOST_ROWS`."""
        return [row for block in (*self.single, *self.paired) for row in block.rows]

    @property
    def behind(self) -> int:
        """How many made-up rows each mean answer is over."""
        return len(self.single[0].behind) if self.single else 0

    def read(self, answers: Sequence[Value]) -> tuple[list[Curve], list[Pair]]:
        """The curves, those that go farthest first, and the pairs, those that do most together first.

        Args:
            answers: a number for each row; None for a row that was not answered.
        """
        at, tables = 0, []
        for block in (*self.single, *self.paired):
            width = len(block.behind)
            tables.append([answers[at + place * width :][:width] for place in range(len(block.cells))])
            at += width * len(block.cells)
        curves = [curve(b.grids[0], table) for b, table in zip(self.single, tables, strict=False)]
        pairs = [pair(b.grids, table) for b, table in zip(self.paired, tables[len(self.single) :], strict=True)]
        return (
            sorted((each for each in curves if each is not None), key=lambda each: -each.range),
            sorted((each for each in pairs if each is not None), key=lambda each: -each.size),
        )


def plan(model: Model) -> Plan:
    """What to ask to see the dependence on the columns that matter most."""
    chosen = sorted(model.inputs, key=lambda column: -model.importance.get(column.name, 0.0))
    grids = [found for column in chosen if len((found := grid(model, column)).values) > 1][:MOST_COLUMNS]
    few = [_few(model, each) for each in grids[:_PAIRED]]
    cells = sum(len(one.values) * len(other.values) for one, other in combinations(few, 2))
    behind_pairs = backgrounds.rows(model, min(_MOST_BEHIND, _OF_PAIRS // max(cells, 1)))
    paired = [_Block(both, behind_pairs) for both in combinations(few, 2)]
    left = MOST_ROWS - sum(len(block.rows) for block in paired)
    values = sum(len(each.values) for each in grids)
    behind = backgrounds.rows(model, min(_MOST_BEHIND, left // max(values, 1)))
    return Plan([_Block([each], behind) for each in grids], paired)


def grid(model: Model, column: Column) -> Grid:
    """The values of a column to look at: its training deciles, or its most common names; none of what is unknown."""
    if not lines.curved(column):
        return _common(column, backgrounds.names_of(model, column), MOST_NAMES)
    deciles = lines.deciles(model, column)
    shares: dict[Any, float] = {}
    for place, at in enumerate(deciles):
        value = lines.value_at(column, at)
        # the ends stand for half of what the others do
        shares[value] = shares.get(value, 0.0) + (0.5 if place in (0, len(deciles) - 1) else 1) / (len(deciles) - 1)
    return Grid(column, list(shares), list(shares.values()))


def _few(model: Model, wide: Grid) -> Grid:
    """Fewer values of the same column: the middles of equal parts of the training rows, or the most common names."""
    if not lines.curved(wide.column):
        return _common(wide.column, list(zip(wide.values, wide.shares, strict=True)), _LEVELS)
    shares: dict[Any, float] = {}
    for place in range(_LEVELS):
        at = lines.quantile((place + 0.5) / _LEVELS, lines.deciles(model, wide.column))
        value = lines.value_at(wide.column, at)
        shares[value] = shares.get(value, 0.0) + 1 / _LEVELS
    return Grid(wide.column, list(shares), list(shares.values()))


def _common(column: Column, names: Sequence[tuple[Any, float]], most: int) -> Grid:
    kept = names[:most]
    total = sum(share for _, share in kept) or 1.0
    return Grid(column, [name for name, _ in kept], [share / total for _, share in kept])


def curve(grid: Grid, answers: Sequence[Sequence[Value]]) -> Curve | None:
    """The dependence on a column.

    Args:
        grid: its values.
        answers: of each value the answers to the rows behind it.
    """
    means = [_mean(said) for said in answers]
    known = [place for place, mean in enumerate(means) if mean is not None]
    if len(known) < 2:
        return None
    level = _weighted({place: means[place] for place in known}, grid.shares)
    moved = [_levelled([said[row] for said in answers], grid.shares, level) for row in range(len(answers[0]))]
    points = []
    for place in known:
        near = sorted(at for each in moved if (at := each[place]) is not None)
        mean = means[place] or 0.0
        low, high = lines.quantile(_WITHIN, near), lines.quantile(1 - _WITHIN, near)
        points.append(Point(grid.values[place], grid.shares[place], mean, min(low, mean), max(high, mean)))
    return Curve(grid.column, points)


def _levelled(said: Sequence[Value], shares: Sequence[float], level: float) -> list[Value]:
    """The answers to one row over the values of a column, moved so that their mean is `level`."""
    known = {place: value for place, value in enumerate(said) if value is not None}
    own = _weighted(known, shares) if known else 0.0
    return [None if value is None else value - own + level for value in said]


def pair(grids: Sequence[Grid], answers: Sequence[Sequence[Value]]) -> Pair | None:
    """What two columns do together; None if some of their values have no answer, or nothing moves.

    Args:
        grids: their values.
        answers: of each cell, the values of the second column within those of the first, the answers behind it.
    """
    one, other = grids
    means = [_mean(said) for said in answers]
    if any(mean is None for mean in means):
        return None
    width = len(other.values)
    table = [[mean or 0.0 for mean in means[row * width :][:width]] for row in range(len(one.values))]
    of_rows = [_product(row, other.shares) for row in table]
    of_columns = [_product([row[place] for row in table], one.shares) for place in range(width)]
    level = _product(of_rows, one.shares)
    together = both = 0.0
    for row, first, here in zip(table, one.shares, of_rows, strict=True):
        for mean, second, there in zip(row, other.shares, of_columns, strict=True):
            together += first * second * (mean - here - there + level) ** 2
            both += first * second * (mean - level) ** 2
    return Pair((one.column, other.column), math.sqrt(together), together / both) if both else None


def _product(values: Sequence[float], shares: Sequence[float]) -> float:
    return math.fsum(value * share for value, share in zip(values, shares, strict=True))


def _mean(values: Sequence[Value]) -> Value:
    known = [value for value in values if value is not None]
    return math.fsum(known) / len(known) if known else None


def _weighted(values: Mapping[int, Value], shares: Sequence[float]) -> float:
    """The mean of values by the shares at their places."""
    total = math.fsum(shares[place] for place in values)
    return math.fsum((value or 0.0) * shares[place] for place, value in values.items()) / total
