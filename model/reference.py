"""How the training split is distributed, for those who describe it and those who look for drift."""

from collections.abc import Mapping, Sequence

import msgspec

from validation.contract import MOST_LISTED, Column, Kind, Unseen

QUANTILES = 21
"""How many quantiles of a number are kept, at even ranks from the least value to the greatest."""
SEVERAL = 5
"""A name with at least this many training rows hardly belongs to one person."""
_A_SECOND: Mapping[Kind, float] = {Kind.DATE: 1 / 86_400, Kind.TIMESTAMP: 1e6}
"""What `Numbers` keeps times in, as their readers give it."""


class Numbers(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="numbers", tag_field="of"):
    """A column of numbers or times.

    Attributes:
        missing: the share of rows without a value.
        quantiles: values at even distances of rank, which never fall; times in seconds since 1970. None where training
            saw no value.
    """

    missing: float
    quantiles: list[float]


class Names(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="names", tag_field="of"):
    """A column of names, or of flags as "true" and "false".

    Attributes:
        missing: the share of rows without a value.
        shares: of the rows with one, the share of each name; of very many names, of those with `SEVERAL` rows.
        distinct: how many names there are.
    """

    missing: float
    shares: dict[str, float]
    distinct: int

    @property
    def others(self) -> float:
        """The share of the names that have none in `shares`."""
        return max(1 - sum(self.shares.values()), 0.0) if self.distinct > len(self.shares) else 0.0


class Reference(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The distributions of a training split.

    Attributes:
        rows: how many it has.
        columns: that of each input and of the target.
        predictions: of what the model says to rows that it did not learn from: values, probabilities of the positive
            one of two classes, or labels of several. None in bundles of format 2.
    """

    rows: int = 0
    columns: dict[str, Numbers | Names] = {}
    predictions: Numbers | Names | None = None

    def deciles(self, column: Column) -> list[float]:
        """Eleven values of a number or time, from the least to the greatest, as its reader gives them.

        Empty for other columns, and where training saw no value.
        """
        seen = self.columns.get(column.name)
        if not isinstance(seen, Numbers):
            return []
        a_second = _A_SECOND.get(column.kind, 1.0)
        return [value * a_second for value in seen.quantiles[:: max(len(seen.quantiles) // 10, 1)]]

    def counts(self, column: Column) -> dict[str, int]:
        """In how many rows training saw each name of a category."""
        seen = self.columns.get(column.name)
        if not isinstance(seen, Names):
            return {}
        there = self.rows * (1 - seen.missing)
        return {name: round(share * there) for name, share in seen.shares.items()}

    def names(self, column: Column, learned: Sequence[str]) -> list[str]:
        """The names of a category that may be published, the most common in training first.

        These are all names where callers must know them. Where there are many, and unknown ones are answered too, only
        those with `SEVERAL` training rows: a rarer name may identify a person.

        Args:
            column: the category.
            learned: its names, as `Fitted.vocabularies` has them.
        """
        rows = self.counts(column)
        public = learned
        if len(learned) > MOST_LISTED and column.when_unseen(len(learned)) is Unseen.WARN:
            public = [name for name in learned if rows.get(name, 0) >= SEVERAL]
        return sorted(public, key=lambda name: (-rows.get(name, 0), name))
