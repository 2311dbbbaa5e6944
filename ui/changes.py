"""The smallest changes of a row that change its answer: counterfactual explanations.

What is looked for is what Wachter, Mittelstadt and Russell (2017, "Counterfactual explanations without opening the
black box") ask for: the row nearest to this one that gets another answer. As in DiCE (Mothilal, Sharma and Tan 2020,
"Explaining machine learning classifiers through diverse counterfactual explanations") there are several that differ, in
few columns each, of columns that may change. Trees have no gradients, so values are tried: the quantiles of the
training rows, one column at a time, then two, then three, going on from those that came nearest; then each change is
drawn back towards the row as far as the answer allows, as growing spheres are (Laugel et al. 2018), but by column.

Distance is in training rows: a number is as far from another as the share of training rows between them. A name is as
far from any other as two training rows are on average.
"""

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from ui import lines
from ui.described import Column, Model, Row
from ui.goals import Answer, Goal

MOST_COLUMNS = 3
MOST_FOUND = 3
MOST_ROWS = 3_000
"""No search asks for more rows than these."""
_AT_ONCE = 750
"""How many rows are tried of each number of columns."""
_BEAM = 8
_NAMES = 30
_NAME = 1 / 3
"""How far a name is from another: the mean distance of two shares of rows that are drawn at random."""
_POINTS, _ROUNDS = 8, 3
"""A change is drawn back in so many rounds, in each of which so many places between are tried."""
_FINEST = 1_000
"""Changes end at round values, of which there are about so many in the range of training."""
Ask = Callable[[list[Row]], Awaitable[Sequence[Answer | None]]]
"""Asks a model about rows; None in the place of a row that it refuses."""


class Move(NamedTuple):
    """One column that gets another value, and how far that is in shares of training rows."""

    column: str
    value: Any
    cost: float


@dataclass(frozen=True)
class Change:
    """Columns that get other values, and the answer to that."""

    moves: tuple[Move, ...]
    answer: Answer

    @property
    def columns(self) -> frozenset[str]:
        """The columns that change."""
        return frozenset(move.column for move in self.moves)

    @property
    def cost(self) -> tuple[int, float]:
        """Changes of fewer columns come first, then shorter ones."""
        return len(self.moves), sum(move.cost for move in self.moves)

    def of(self, row: Row) -> Row:
        """A row with this change."""
        return _moved(row, self.moves)


class Asking:
    """A row whose answer is to change, and a model that is asked about others.

    Attributes:
        asked: about how many rows.
    """

    def __init__(self, model: Model, row: Row, answer: Answer, goal: Goal, ask: Ask) -> None:
        self.model, self.row, self.goal, self.asked = model, row, goal, 0
        self._known, self._ask = frozenset(answer.get("warnings") or ()), ask

    async def answers(self, tried: Sequence[tuple[Move, ...]]) -> list[Change]:
        """What the model says to changes, without those that it refuses or warns of."""
        if not tried:
            return []
        self.asked += len(tried)
        said = await self._ask([_moved(self.row, moves) for moves in tried])
        answered = zip(tried, said, strict=True)
        return [Change(moves, answer) for moves, answer in answered if answer is not None and self._usual(answer)]

    async def reaching(self, tried: Sequence[tuple[Move, ...]]) -> list[Change]:
        """Those of the changes that reach the goal."""
        return [change for change in await self.answers(tried) if self.goal.reached(change.answer)]

    def _usual(self, answer: Answer) -> bool:
        return self._known.issuperset(answer.get("warnings") or ())


async def search(asking: Asking, allowed: Collection[str]) -> list[Change]:
    """The least changes of columns that are `allowed` to change, of different ones each, best first.

    Of each, every column is needed: with any one of them as it was, the goal is missed. There are none if nothing was
    found among `MOST_ROWS` rows, which is no proof that there is nothing.
    """
    moves = _moves(asking.model, asking.row, allowed)
    found: list[Change] = []
    missed: list[tuple[Move, ...]] = [()]
    for size in range(1, MOST_COLUMNS + 1):
        tried = await asking.answers(_extended(missed, moves, [change.columns for change in found]))
        found += _best([change for change in tried if asking.goal.reached(change.answer)])
        if len(found) > MOST_FOUND - size:  # the more columns it takes, the fewer ways suffice
            break
        missed = _nearest(asking.goal, [change for change in tried if not asking.goal.reached(change.answer)])
    drawn = await asyncio.gather(*(_drawn_back(asking, change) for change in found[:MOST_FOUND]))
    return _different(sorted(drawn, key=lambda change: change.cost))


def candidates(model: Model, column: Column, now: Any) -> list[Move]:
    """The values that are tried of one column: the deciles of training and what is between, or the common names."""
    if lines.curved(column):
        span = lines.span(model, column, now)
        marks = span.marks or [span.low + (span.high - span.low) * tenth / 10 for tenth in range(11)]
        middles = [(one + other) / 2 for one, other in itertools.pairwise(marks)]
        values: Iterable[Any] = dict.fromkeys(lines.value_at(column, at) for at in sorted([*marks, *middles]))
    else:
        shares = model.spread(column).shares
        names = sorted(model.names(column), key=lambda name: -shares.get(name, 0.0))[:_NAMES]
        values = [False, True] if column.kind == "flag" else names
    return [Move(column.name, value, distance(model, column, now, value)) for value in values if value != now]


def distance(model: Model, column: Column, one: Any, other: Any) -> float:
    """How far two values are, in shares of training rows."""
    if not lines.curved(column) or one is None or other is None:
        return 0.0 if one == other else _NAME
    span = lines.span(model, column, one)
    marks = span.marks or (span.low, span.high)
    return abs(lines.rank(marks, lines.line(column, one)) - lines.rank(marks, lines.line(column, other)))


def _moves(model: Model, row: Row, allowed: Collection[str]) -> list[Move]:
    """All single changes that are tried, of the most important columns if there are too many."""
    columns = sorted(model.inputs, key=lambda column: -model.importance.get(column.name, 0.0))
    moves = [
        move for column in columns if column.name in allowed for move in candidates(model, column, row.get(column.name))
    ]
    return moves[:_AT_ONCE]


def _extended(
    missed: Sequence[tuple[Move, ...]], moves: Sequence[Move], found: Sequence[frozenset[str]]
) -> list[tuple[Move, ...]]:
    """Changes by one column more, without columns that suffice already; the nearest ones first, and not too many."""
    extended: dict[frozenset[tuple[str, str]], tuple[Move, ...]] = {}
    for before in missed:
        there = frozenset(move.column for move in before)
        for move in moves:
            columns = there | {move.column}
            if move.column not in there and not any(columns >= enough for enough in found):
                after = (*before, move)
                extended.setdefault(frozenset((each.column, repr(each.value)) for each in after), after)
    return list(extended.values())[:_AT_ONCE]


def _best(reached: Iterable[Change]) -> list[Change]:
    """The least change of each set of columns, the least first."""
    by_columns: dict[frozenset[str], Change] = {}
    for change in sorted(reached, key=lambda change: change.cost):
        by_columns.setdefault(change.columns, change)
    return list(by_columns.values())


def _nearest(goal: Goal, missed: Sequence[Change]) -> list[tuple[Move, ...]]:
    """The changes that came nearest to the goal, one of each set of columns."""
    by_columns: dict[frozenset[str], Change] = {}
    for change in sorted(missed, key=lambda change: -goal.nearness(change.answer)):
        by_columns.setdefault(change.columns, change)
    return [change.moves for change in by_columns.values()][:_BEAM]


async def _drawn_back(asking: Asking, change: Change) -> Change:
    """A change without columns that it does not need, and the others as near to the row as the goal allows."""
    while True:
        for place in range(len(change.moves)):
            change = await _shorter(asking, change, place)
        fewer = [change.moves[:place] + change.moves[place + 1 :] for place in range(len(change.moves))]
        reaching = await asking.reaching([moves for moves in fewer if moves])
        if not reaching:
            return change
        change = min(reaching, key=lambda each: each.cost)


async def _shorter(asking: Asking, change: Change, place: int) -> Change:
    """A change whose move at a place is drawn back towards the row's value, by trying places between."""
    move = change.moves[place]
    column, now = asking.model.input(move.column), asking.row.get(move.column)
    near = lines.place(column, now) if lines.curved(column) else None
    if near is None:
        return change
    far = lines.line(column, move.value)
    for _ in range(_ROUNDS):
        between = _between(asking.model, column, near, far)
        tried = {
            at: Move(column.name, value, distance(asking.model, column, now, value))
            for at in between
            if (value := lines.value_at(column, at)) != now
        }
        moved = {at: (*change.moves[:place], step, *change.moves[place + 1 :]) for at, step in tried.items()}
        reaching = {each.moves[place].value: each for each in await asking.reaching(list(moved.values()))}
        first = next((at for at in between if at in tried and tried[at].value in reaching), None)
        if first is not None:
            change, far = reaching[tried[first].value], first
        missed = [at for at in between if first is None or abs(at - near) < abs(first - near)]
        near = missed[-1] if missed else near
    return change


def _between(model: Model, column: Column, near: float, far: float) -> list[float]:
    """Round places between two, from the nearer one on; a few of them, spread evenly."""
    low, high = min(near, far), max(near, far)
    span = lines.span(model, column, None)
    step = lines.step(column, (span.high - span.low) / _FINEST)
    first, last = int(low // step) + 1, -int(-high // step) - 1
    count = last - first + 1
    if count <= 0:
        return []
    chosen = min(count, _POINTS)
    numbers = sorted({first + (2 * each + 1) * count // (2 * chosen) for each in range(chosen)})
    places = [at for number in numbers if low < (at := number * step) < high]
    return places if near <= far else places[::-1]


def _different(changes: Iterable[Change]) -> list[Change]:
    """Changes without those that do more than one before them."""
    kept: list[Change] = []
    for change in changes:
        if not any(change.columns >= before.columns for before in kept):
            kept.append(change)
    return kept


def _moved(row: Row, moves: Iterable[Move]) -> Row:
    return {**row, **{move.column: move.value for move in moves}}
