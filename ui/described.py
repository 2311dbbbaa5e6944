"""What a service says of its models, as far as the page needs it. What it says besides is passed over."""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

Row = dict[str, Any]
"""A row as requests carry it."""


class _Said(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Column(_Said):
    """One column of the contract, see `GET /v1/models/{model}`."""

    name: str
    kind: str
    role: str = "feature"
    help: str = ""
    unit: str | None = None
    ge: float | None = None
    le: float | None = None
    choices: tuple[str, ...] | None = None
    nullable: bool = False
    unseen: str | None = None
    example: Any = None

    @property
    def title(self) -> str:
        """Its name as people write it."""
        return self.name.replace("_", " ")


class Spread(_Said):
    """What training saw in one column: eleven deciles from the least to the greatest, or the share of each name.

    Of very many `names` there are only the shares of the most common ones; the service knows how the others are called.
    """

    missing: float = 0.0
    deciles: tuple[Any, ...] = ()
    shares: dict[str, float] = Field(default_factory=dict)
    names: int = 0


class Reference(_Said):
    """What training saw."""

    rows: int = 0
    columns: dict[str, Spread] = Field(default_factory=dict)


class Model(_Said):
    """One model of a service."""

    name: str
    version: str
    title: str
    contract: tuple[Column, ...]
    missing_texts: frozenset[str] = frozenset({""})
    """What a table's text says where a number, flag or time is missing, in lower case."""
    reference: Reference = Field(default_factory=Reference)
    metrics: dict[str, Any] | None = None
    lineage: dict[str, Any] = Field(default_factory=dict)
    drift: dict[str, Any] | None = None

    @cached_property
    def inputs(self) -> tuple[Column, ...]:
        """What a row consists of."""
        return tuple(column for column in self.contract if column.role in ("feature", "time"))

    @cached_property
    def target(self) -> Column:
        """What is predicted."""
        return next(column for column in self.contract if column.role == "target")

    @property
    def importance(self) -> dict[str, float]:
        """How far each column moves answers, where the service says it."""
        return ((self.metrics or {}).get("importance") or {}).get("columns") or {}

    @property
    def threshold(self) -> float | None:
        """The probability of the last class from which it is the answer; None where there are no classes."""
        threshold = ((self.metrics or {}).get("decision") or {}).get("threshold")
        return float(threshold) if threshold is not None else None

    def title_of(self, name: str) -> str:
        """What people call a column; its name where the service has got one since that this model has not."""
        return next((column.title for column in self.contract if column.name == name), name)

    def input(self, name: str) -> Column:
        """The input of that name."""
        return next(column for column in self.inputs if column.name == name)

    def spread(self, column: Column) -> Spread:
        """What training saw in a column; nothing, where the service does not say."""
        return self.reference.columns.get(column.name, Spread())

    def names(self, column: Column) -> tuple[str, ...]:
        """The names of a category that are known here, in the order of a list, or the most common first."""
        shares = self.spread(column).shares
        return column.choices or tuple(sorted(shares, key=lambda name: -shares[name]))

    def row(self, values: Sequence[Any]) -> Row:
        """A row, of the values of all inputs in their order."""
        return {column.name: value for column, value in zip(self.inputs, values, strict=True)}
