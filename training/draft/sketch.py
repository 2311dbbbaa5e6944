"""A column of a draft, while its table is being looked at."""

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from training.draft.evidence import Evidence
from training.draft.found import Doubt, Found
from validation.contract import Column, Kind, Role, Unseen

FEWEST_ROWS = 5
"""A name that fewer rows have may be of single persons: no draft shows it as an example."""


@dataclass
class Sketch:
    """What is decided of a column, and may be decided anew.

    Attributes:
        name: in the contract.
        evidence: its cells.
        found: what they are; None for a column that is left out at once.
        role: what it is for.
        choices: of a category of few names.
        unseen: what another name gets.
        ge: the least value that it may have.
        left_out: why it is no column of the contract; empty for one that is.
        reasons: comments beside it.
        doubts: what may be wrong, besides those of `found`.
    """

    name: str
    evidence: Evidence
    found: Found | None
    role: Role = Role.FEATURE
    choices: tuple[str, ...] | None = None
    unseen: Unseen | None = None
    ge: int | None = None
    left_out: str = ""
    reasons: list[str] = field(default_factory=list)
    doubts: list[Doubt] = field(default_factory=list)

    @property
    def known(self) -> Found:
        """What its cells are."""
        if self.found is None:
            raise ValueError(self.name)
        return self.found

    @property
    def all_doubts(self) -> list[Doubt]:
        """Everything that may be wrong with it."""
        return [*(self.found.doubts if self.found is not None else ()), *self.doubts]

    def missing(self) -> np.ndarray:
        """Which rows have no value, shape (rows,)."""
        gone = np.append(self.known.missing, True)
        result: np.ndarray = gone[self.evidence.codes]
        return result

    def by_row(self) -> np.ndarray:
        """The value of each row, or the missing one of its type, shape (rows,)."""
        values = self.known.values
        if values.dtype == object:
            nothing: Any = np.array([None], dtype=object)
        else:
            nothing = np.array(["NaT"], dtype=values.dtype) if values.dtype.kind == "M" else np.array([np.nan])
        result: np.ndarray = np.concatenate([values, nothing])[self.evidence.codes]
        return result

    def column(self) -> Column:
        """The column of the contract; one that is forbidden is a feature once that word is taken away."""
        found = self.known
        could_be_input = self.role in (Role.FEATURE, Role.TIME, Role.FORBIDDEN)
        may_be_missing = self.role in (Role.FEATURE, Role.FORBIDDEN) and bool(self.missing().any())
        return Column(
            name=self.name,
            kind=found.kind,
            role=self.role,
            source=self.evidence.header,
            parse=found.parse.function if found.parse else None,
            unit=found.unit,
            choices=self.choices,
            unseen=self.unseen,
            ge=self.ge,
            nullable=self.role is Role.KEY or may_be_missing,
            example=self._example() if could_be_input else None,
        )

    def _example(self) -> object:
        """A value in the middle, rounded; of names the commonest."""
        found, counts = self.known, self.evidence.counts
        there = ~found.missing
        if found.kind in (Kind.CATEGORY, Kind.FLAG):
            commonest = found.values[there][int(np.argmax(counts[there]))]
            return bool(commonest) if found.kind is Kind.FLAG else str(commonest)
        values = np.repeat(found.values[there], np.minimum(counts[there], 1_000))
        if found.kind in (Kind.DATE, Kind.TIMESTAMP):
            day = np.sort(values)[len(values) // 2].astype("datetime64[D]")
            return str(day) if found.kind is Kind.DATE else f"{day}T12:00:00"
        middle = float(np.median(values))
        return round(middle) if found.kind is Kind.INTEGER else float(f"{middle:.3g}")

    def leave_out(self, reason: str) -> None:
        """Take the column out of the contract."""
        self.left_out = reason

    def change(self, **changes: Any) -> None:
        """Change what was found out about its cells."""
        self.found = replace(self.known, **changes)
