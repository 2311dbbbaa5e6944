"""Views of what would change an answer."""

from collections.abc import Sequence

from ui import changes, goals, lines, texts, ties
from ui.described import Model, Row
from ui.views.base import filled

_NUMBERS = ("no", "one column", "two columns", "three columns")


def heading(model: Model) -> str:
    """What is looked for."""
    return filled("change_heading", model=model)


def already(model: Model, now: goals.Answer) -> str:
    """The goal is reached as it is."""
    return filled("change", model=model, said=now, wanted="", ways=[], asked=0)


def summary(model: Model, now: goals.Answer, goal: goals.Goal, ways: Sequence[changes.Change], asked: int) -> str:
    """What was found, of what, and how."""
    return filled("change", model=model, said=now, wanted=_in_words(model, goal), ways=ways, asked=asked)


def way(model: Model, row: Row, change: changes.Change, number: int) -> str:
    """One change: which columns get which values, how far that is, and the answer to it."""
    moves = []
    for move in change.moves:
        column, now = model.input(move.column), row.get(move.column)
        before, after = (texts.of_column(column, value) for value in (now, move.value))
        between = texts.percent(move.cost) if lines.curved(column) and now is not None and move.cost < 1 else ""
        moves.append((column.title, before, after, between))
    tied, columns = ties.sentences(model, change.columns), _NUMBERS[len(moves)]
    return filled("way", model=model, said=change.answer, moves=moves, number=number, columns=columns, ties=tied)


def _in_words(model: Model, goal: goals.Goal) -> str:
    if isinstance(goal, goals.Other):
        return f"another answer than “{goal.now}”" if goal.wanted is None else f"the answer “{goal.wanted}”"
    assert isinstance(goal, goals.Bound)  # noqa: S101 there are no others
    return f"{'at least' if goal.above else 'at most'} {texts.with_unit(goal.value, model.target.unit)}"
