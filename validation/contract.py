"""The contract: one frozen object that says what a row of a problem is.

Everything else is rendered from it: the pandera gates, request decoding and its messages, the MLflow
signature, the column table in docs/reference. Nothing repeats a column name that the contract knows.
"""

import enum
import hashlib
import json
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import msgspec

from validation.classes import Bins, demand_classes
from validation.errors import ContractError
from validation.names import apart, normal, snake

NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")


class Kind(enum.StrEnum):
    """What values a column holds."""

    INTEGER = "integer"
    REAL = "real"
    FLAG = "flag"
    CATEGORY = "category"
    DATE = "date"
    TIMESTAMP = "timestamp"


class Role(enum.StrEnum):
    """What a column is for."""

    FEATURE = "feature"
    TARGET = "target"
    KEY = "key"
    """Identifies a row; echoed in answers, never a feature."""
    TIME = "time"
    """Orders the split, and is an input like any feature."""
    FORBIDDEN = "forbidden"
    """Leaks the target: refused in requests, dropped before features."""


class Unseen(enum.StrEnum):
    """What becomes of a category's value that is none of its choices."""

    REJECT = "reject"
    WARN = "warn"
    """Treated as missing, with a warning in the answer."""


MOST_LISTED = 1_000
"""Descriptions of a model list the names of a category that has no more. Of others callers cannot know every name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column of a contract.

    Args:
        name: our name for it, in requests and everywhere behind ingest.
        kind: what values it holds.
        role: what it is for.
        help: one line for people.
        source: its header in raw files; `name` where left out. A header without a name is called as pandas calls it:
            "Unnamed: 0" for the first column.
        parse: how one raw text becomes the value (raises ValueError); `validation.parsing` has some. Requests carry
            clean values, unless they say not; of names that `parse` joins by case they may have any.
        unit: of its numbers, as published ("USD", "h", "km").
        ge, le: inclusive bounds of a number.
        choices: the values of a category, see `validation.names`; None means that they are learned in training.
        nullable: whether it may be missing or null.
        unseen: what a category's unknown value gets; see `when_unseen` where left out.
        bins: the classes of a target that is a number in the table.
        example: a valid value as requests carry it.
    """

    name: str
    kind: Kind
    role: Role = Role.FEATURE
    help: str = ""
    source: str = ""
    parse: Callable[[str], object] | None = field(default=None, compare=False)
    unit: str | None = None
    ge: float | None = None
    le: float | None = None
    choices: tuple[str, ...] | None = None
    nullable: bool = False
    unseen: Unseen | None = None
    bins: Bins | None = None
    example: object = None

    def __post_init__(self) -> None:
        if not NAME.fullmatch(self.name):
            raise ContractError(
                f"Column name {self.name!r} must be lower snake case in the letters a to z, like 'floor_area'; the "
                "header in the table is its `source`."
            )
        if (self.ge is not None or self.le is not None) and not self.numeric:
            raise ContractError(f"Column '{self.name}' is of kind {self.kind}: only numbers have bounds.")
        if self.ge is not None and self.le is not None and self.ge > self.le:
            raise ContractError(f"Column '{self.name}' has bounds that no value satisfies: {self.ge} to {self.le}.")
        if self.kind is not Kind.CATEGORY and (self.choices is not None or self.unseen is not None):
            raise ContractError(f"Column '{self.name}' is of kind {self.kind}: only categories have choices.")
        if self.bins is not None and (not self.numeric or self.role is not Role.TARGET):
            raise ContractError(f"Column '{self.name}' has bins: only a target that is a number has.")
        if self.choices is not None:
            object.__setattr__(self, "choices", self._distinct(self.choices))
        if self.role is Role.TIME and (self.kind not in (Kind.DATE, Kind.TIMESTAMP) or self.nullable):
            raise ContractError(f"Column '{self.name}' orders the split: it must be a date or timestamp, never null.")
        if self.kind is Kind.CATEGORY and isinstance(self.example, str):
            object.__setattr__(self, "example", normal(self.example))
        object.__setattr__(self, "source", normal(self.source) or self.name)

    @property
    def title(self) -> str:
        """What people call it: its header's words where the name is these in small letters a to z, else the name."""
        if snake(self.source.lower(), "") == self.name:
            return self.source.replace("_", " ")
        return apart(self.source if snake(self.source, "") == self.name else self.name)

    def _distinct(self, choices: tuple[str, ...]) -> tuple[str, ...]:
        """The choices in the form in which values are compared with them."""
        written: dict[str, str] = {}
        for choice in choices:
            if not isinstance(choice, str):
                raise ContractError(
                    f"Column '{self.name}' has the choice {choice!r}; choices are texts: {str(choice)!r}."
                )
            name = normal(choice)
            if name in written:
                raise ContractError(
                    f"Column '{self.name}' lists a choice twice: {written[name]!a} and {choice!a} are one name."
                )
            written[name] = choice
        return tuple(written)

    @property
    def numeric(self) -> bool:
        """Whether its values are numbers, and neither names nor times."""
        return self.kind in (Kind.INTEGER, Kind.REAL)

    @property
    def continuous(self) -> bool:
        """Whether a model of this target predicts a number, and not a class."""
        return self.numeric and self.bins is None

    @property
    def labels(self) -> tuple[str, ...] | None:
        """The classes of this target, in order; None where training learns them, and where it is `continuous`."""
        if self.bins is not None:
            return tuple(self.bins.labels)
        return ("false", "true") if self.kind is Kind.FLAG else self.choices

    @property
    def answer_unit(self) -> str | None:
        """The unit of predictions of this target; labels have none."""
        return self.unit if self.continuous else None

    def semantics(self) -> dict[str, Any]:
        """What a caller depends on: everything but texts, examples and the raw file's habits."""
        bins = self.bins
        cut = {} if bins is None else {"bins": {"labels": list(bins.labels), "quantiles": list(bins.quantiles)}}
        return {
            "name": self.name,
            "kind": self.kind.value,
            "role": self.role.value,
            "unit": self.unit,
            "ge": self.ge,
            "le": self.le,
            "choices": list(self.choices) if self.choices is not None else None,
            "nullable": self.nullable,
            "unseen": self.unseen.value if self.unseen is not None else None,
            **cut,
        }

    def when_unseen(self, names: int) -> Unseen:
        """What happens to a name that is none of a category's known ones, of which there are `names`.

        Where `unseen` is left out, such a name is refused if the contract or a description lists all names, since then
        it is a mistake. Where thousands were learned new ones are normal, and no reason to refuse a row.
        """
        if self.unseen is not None:
            return self.unseen
        return Unseen.WARN if self.choices is None and names > MOST_LISTED else Unseen.REJECT

    def describe(self, names: int = 0) -> dict[str, Any]:
        """`semantics`, `when_unseen` for that many names, and the texts; as JSON holds them, without empty entries."""
        unseen = self.when_unseen(names).value if self.kind is Kind.CATEGORY else None
        entries = {**self.semantics(), "unseen": unseen, "help": self.help or None, "example": self.example}
        return {name: value for name, value in entries.items() if value is not None}


@dataclass(frozen=True)
class Contract:
    """What a row of one problem is: its columns, in the order of their protobuf field numbers (append only)."""

    columns: tuple[Column, ...]

    def __post_init__(self) -> None:
        for attribute in ("name", "source"):
            times = Counter(getattr(column, attribute) for column in self.columns)
            doubled = sorted(value for value, count in times.items() if count > 1)
            if doubled:
                raise ContractError(f"Two columns share the {attribute} {doubled[0]!r}.")
        targets = self._with(Role.TARGET)
        if len(targets) != 1:
            raise ContractError(f"A contract has one target; this one has {len(targets)}.")
        if targets[0].nullable:
            raise ContractError(f"The target '{targets[0].name}' cannot be nullable.")
        if targets[0].kind in (Kind.DATE, Kind.TIMESTAMP):
            raise ContractError(
                f"The target '{targets[0].name}' is of kind {targets[0].kind}; a model learns numbers or classes. "
                "Predict a number of days or seconds instead."
            )
        if targets[0].labels is not None:
            demand_classes(targets[0].name, targets[0].labels)
        if len(self._with(Role.TIME)) > 1:
            raise ContractError("At most one column orders the split (role time).")
        if not self.inputs:
            raise ContractError("A contract needs at least one feature.")

    def _with(self, *roles: Role) -> tuple[Column, ...]:
        return tuple(column for column in self.columns if column.role in roles)

    @cached_property
    def target(self) -> Column:
        """What the model predicts."""
        return self._with(Role.TARGET)[0]

    @cached_property
    def inputs(self) -> tuple[Column, ...]:
        """What a request carries and features are made of: features and the time column."""
        return self._with(Role.FEATURE, Role.TIME)

    @cached_property
    def keys(self) -> tuple[Column, ...]:
        """What identifies a row; optional in requests."""
        return self._with(Role.KEY)

    @cached_property
    def forbidden(self) -> tuple[Column, ...]:
        """What must not reach a model: columns that leak the target."""
        return self._with(Role.FORBIDDEN)

    @cached_property
    def time(self) -> Column | None:
        """What orders the split, if anything does."""
        return next(iter(self._with(Role.TIME)), None)

    @cached_property
    def categories(self) -> tuple[Column, ...]:
        """The inputs whose values are names."""
        return tuple(column for column in self.inputs if column.kind is Kind.CATEGORY)

    @cached_property
    def hash(self) -> str:
        """sha256 of what callers depend on; a help text or an example does not change it."""
        document = json.dumps([column.semantics() for column in self.columns], sort_keys=True)
        return hashlib.sha256(document.encode()).hexdigest()

    def example(self) -> dict[str, Any]:
        """A row that requests may carry, made of the columns' examples."""
        return {column.name: column.example for column in self.inputs}

    def read_as(self, other: "Contract") -> "Contract":
        """These columns, from raw tables as `other` reads its columns of the same names and kinds.

        What callers send stays what this contract says. Where a header would be that of two columns, all stay as they
        are.
        """
        raw = {(column.name, column.kind): column for column in other.columns}
        alike = [raw.get((column.name, column.kind), column) for column in self.columns]
        if len({column.source for column in alike}) < len(alike):
            return self
        read = zip(self.columns, alike, strict=True)
        return Contract(tuple(replace(column, source=seen.source, parse=seen.parse) for column, seen in read))


class DescribedColumn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A column as `Column.describe` writes it: what callers and drift need, and nothing of raw files."""

    name: str
    kind: Kind
    role: Role
    nullable: bool
    unit: str | None = None
    ge: float | None = None
    le: float | None = None
    choices: list[str] | None = None
    unseen: Unseen | None = None
    bins: Bins | None = None
    help: str = ""
    example: Any = None


def described(columns: Sequence[Mapping[str, Any]]) -> Contract:
    """The contract that `Column.describe` wrote, column by column.

    Raises:
        ContractError: these are no such columns, or contradict each other.
    """
    try:
        read = msgspec.convert([*columns], list[DescribedColumn])
    except msgspec.ValidationError as error:
        raise ContractError(f"This is no description of columns: {error}.") from error
    return Contract(tuple(_column(column) for column in read))


def _column(described_column: DescribedColumn) -> Column:
    fields = msgspec.structs.asdict(described_column)
    choices = described_column.choices
    return Column(**{**fields, "choices": None if choices is None else tuple(choices)})
