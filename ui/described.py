"""The service's description of its models, as far as the page needs it; other members are ignored."""

import unicodedata
from collections.abc import Sequence
from functools import cached_property
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

Row = dict[str, Any]
"""A row as requests carry it."""
_SIMULATED = "simulated"
"""The source of a table that nobody observed, in a lineage."""
_NO_WIDTH = dict.fromkeys(map(ord, "\u200b\u2060\ufeff"))
"""Zero width space, word joiner and byte order mark, which services leave out of names."""


def normal(text: str) -> str:
    """The one form of a name, as services compare names: composed letters (NFC), and single blanks within it."""
    return " ".join(unicodedata.normalize("NFC", text.translate(_NO_WIDTH)).split())


class _Document(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Column(_Document):
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
    title: str = ""
    """What people call it. A service says so where that is not the name with blanks."""
    source: str = ""
    """Its header in raw tables, where that is another than its name."""
    parsed: bool = False
    """Whether its texts in raw tables have a form of their own."""
    texts: dict[str, bool | None] = Field(default_factory=dict)
    """What its texts in raw tables mean, case folded; of a flag whose texts have a form of their own."""
    decimal: str = "."
    """The mark of decimals in its texts in raw tables."""
    any_case: bool = False
    """Whether its names, which are in small letters, may be written in any case."""

    @model_validator(mode="before")
    @classmethod
    def _titled(cls, said: dict[str, Any]) -> dict[str, Any]:
        return {"title": str(said.get("name", "")).replace("_", " "), **said}

    @property
    def header(self) -> str:
        """Its header in raw tables."""
        return self.source or self.name


class Spread(_Document):
    """The training distribution of a column: eleven deciles from the minimum to the maximum, or the share of each name.

    If there are very many `names`, it has the shares of the most common ones only; the service finds the others.
    """

    missing: float = 0.0
    deciles: tuple[Any, ...] = ()
    shares: dict[str, float] = Field(default_factory=dict)
    names: int = 0


class Reference(_Document):
    """The training distributions of all columns."""

    rows: int = 0
    columns: dict[str, Spread] = Field(default_factory=dict)


class Class(_Document):
    """A class of the target; where that is a number cut into bins, numbers from `low` on and below `high` are of it."""

    label: str
    low: float | None = None
    high: float | None = None


class Model(_Document):
    """One model of a service."""

    name: str
    version: str
    versions: tuple[str, ...] = ()
    """All that the service has of it, the first being the one that answers where no version is asked for."""
    title: str
    contract: tuple[Column, ...]
    classes: tuple[Class, ...] = ()
    costs: dict[str, dict[str, float]] = Field(default_factory=dict)
    missing_texts: frozenset[str] = frozenset({""})
    """The texts, in lower case, by which a table marks a missing number, flag or time."""
    reference: Reference = Field(default_factory=Reference)
    metrics: dict[str, Any] | None = None
    lineage: dict[str, Any] = Field(default_factory=dict)
    verdict: dict[str, Any] | None = None

    @property
    def place(self) -> str:
        """Where the service answers as this model, below the models' path.

        Where there is one version, it is whichever that is when asked: a page that is open goes on with its successor.
        """
        return f"{self.name}/versions/{self.version}" if len(self.versions) > 1 else self.name

    @property
    def label(self) -> str:
        """Its version for display, with the registry's number, and whether it answers where no version is asked for."""
        number = self.lineage.get("registry_version")
        parts = [self.version, *([f"number {number} in the registry"] if number else [])]
        return ", ".join([*parts, *(["the default"] if self.versions[:1] == (self.version,) else [])])

    @property
    def simulated(self) -> bool:
        """Whether it was trained on a table that a program made up."""
        return self.lineage.get("data_source") == _SIMULATED

    @cached_property
    def inputs(self) -> tuple[Column, ...]:
        """The columns of a row."""
        return tuple(column for column in self.contract if column.role in ("feature", "time"))

    @cached_property
    def target(self) -> Column:
        """The column that is predicted."""
        return next(column for column in self.contract if column.role == "target")

    @property
    def importance(self) -> dict[str, float]:
        """The importance of each column; empty if the service does not report it."""
        return ((self.metrics or {}).get("importance") or {}).get("columns") or {}

    @property
    def examples(self) -> list[Row]:
        """Rows whose values go together; none if the service does not publish any."""
        return (self.metrics or {}).get("examples") or []

    @property
    def similar(self) -> dict[str, Any]:
        """Forks and groups of training rows, see `ui.similar`; empty if the service does not publish any."""
        return (self.metrics or {}).get("similar") or {}

    @property
    def ties(self) -> list[dict[str, Any]]:
        """Pairs of columns that nearly say the same, see `ui.ties`."""
        return (self.metrics or {}).get("ties") or []

    @property
    def threshold(self) -> float | None:
        """The probability from which the last of two classes is predicted; None if there are no two."""
        threshold = ((self.metrics or {}).get("decision") or {}).get("threshold")
        return float(threshold) if threshold is not None else None

    @property
    def held(self) -> float | None:
        """The share of test rows of which intervals or sets held, where it is surely below what answers state."""
        metrics = self.metrics or {}
        stated = metrics.get("interval") or metrics.get("sets") or {}
        covered = stated.get("covered") or {}
        value, high = covered.get("value"), covered.get("high")
        return None if value is None or high is None or high >= stated["coverage"] else float(value)

    def title_of(self, name: str) -> str:
        """The title of a column; its name if this model does not know it, since the service has a newer model."""
        return next((column.title for column in self.contract if column.name == name), name)

    def input(self, name: str) -> Column:
        """The input of that name."""
        return next(column for column in self.inputs if column.name == name)

    def spread(self, column: Column) -> Spread:
        """The training distribution of a column; empty if the service does not report it."""
        return self.reference.columns.get(column.name, Spread())

    def names(self, column: Column) -> tuple[str, ...]:
        """The known names of a category, in the order of its choices, or the most common first."""
        shares = self.spread(column).shares
        return column.choices or tuple(sorted(shares, key=lambda name: -shares[name]))

    def read(self, row: Row) -> Row:
        """A row with the names that the service knows as it knows them, as it reads them; all else as it came."""
        return {name: self._name(name, value) if isinstance(value, str) else value for name, value in row.items()}

    @cached_property
    def _known(self) -> dict[str, tuple[frozenset[str], bool]]:
        """The known names of each category, and whether they may be written in any case."""
        categories = [column for column in self.inputs if column.kind == "category"]
        return {column.name: (frozenset(self.names(column)), column.any_case) for column in categories}

    def _name(self, column: str, written: str) -> str:
        """The known name that a text is to the service; the text itself if it is none that is published."""
        known, any_case = self._known.get(column, (frozenset(), False))
        if written in known or not known:
            return written
        text = normal(written)
        folded = text.casefold() if any_case else text
        return next((name for name in (text, folded) if name in known), written)

    def row(self, values: Sequence[Any]) -> Row:
        """A row from the values of all inputs, in their order."""
        return {column.name: value for column, value in zip(self.inputs, values, strict=True)}
