"""What is found out about a column, and how sure that is."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from validation.contract import Kind

MISSING = (
    "NA", "N/A", "n/a", "na", "NaN", "nan", "NULL", "null", "<NA>", "#N/A", "#NV", "k.A.", "k. A.", "?", "-", "--", ".",
)  # fmt: skip
"""Texts of a table's own that stand for a missing value."""


@dataclass(frozen=True, order=True)
class Doubt:
    """Something that may be wrong: `weight` says how much it matters, from 0 to 10; `sentence` how to change it."""

    weight: int
    sentence: str


@dataclass(frozen=True)
class Parser:
    """A `parse` of a column: what it is, its source, and what that imports from `validation.parsing`."""

    function: Callable[[str], object]
    code: str
    imports: tuple[str, ...]


@dataclass(frozen=True)
class Found:
    """What a column's cells are.

    Attributes:
        kind: of all of them.
        values: of the distinct cells: float64 for numbers and flags, datetime64, or objects (names); shape (cells,).
        missing: which of the distinct cells stand for a missing value or are unreadable, shape (cells,).
        parse: how texts become values, where the contract has to say it.
        unit: of its numbers.
        doubts: what may be wrong.
        undecided: whether nothing in the column says if its days or its months come first, or what its points part.
    """

    kind: Kind
    values: np.ndarray
    missing: np.ndarray
    parse: Parser | None = None
    unit: str | None = None
    doubts: tuple[Doubt, ...] = ()
    undecided: bool = False
