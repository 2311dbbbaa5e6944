"""Numbers and times far from all that training saw. They are answered, with a warning: nothing was learned there."""

from typing import NamedTuple

from validation.contract import Column, Role
from validation.values import written

_BEYOND = 0.1
"""How far beyond the range of training a value is far from it, in widths of that range.

Of n rows like those of training, one lies beyond their range by chance: a margin is for what moves on.
"""
_AHEAD = 1.0
"""The same of what is later than training, in the contract's time column, which always moves on.

Rows may be later by as long again as training was, which is also how long `Trend` lets growth go on.
"""


class Range(NamedTuple):
    """What training saw of a column, and the bounds beyond which a value is far from it, as its reader gives them."""

    column: Column
    seen: tuple[float, float]
    low: float
    high: float

    @classmethod
    def of(cls, column: Column, least: float, greatest: float) -> "Range":
        """The range of a column of numbers or times in which training saw values from `least` to `greatest`."""
        width = greatest - least
        ahead = _AHEAD if column.role is Role.TIME else _BEYOND
        return cls(column, (least, greatest), least - _BEYOND * width, greatest + ahead * width)

    def warning(self, value: float) -> str:
        """What the answer to a row says of a value that is far from training, after the column's name."""
        column, (least, greatest) = self.column, (written(self.column.kind, end) for end in self.seen)
        unit = f" {column.unit}" if column.unit else ""
        number = written(column.kind, value)
        return f"{number} is far outside of what training saw, {least} to {greatest}{unit}"
