"""The last verdict on a model as the service has it, as far as the page shows it; other members are ignored."""

from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict, Field


class _Document(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Figure(_Document):
    """A number with its interval, where it has one."""

    value: float
    low: float | None = None
    high: float | None = None


class Finding(_Document):
    """One thing that is not as it was."""

    sentence: str
    harmful: bool = False
    advice: str | None = None


class ColumnDrift(_Document):
    """How a column differs from before."""

    name: str
    importance: float = 0.0
    psi: float = 0.0
    missing: float = 0.0
    new_names: tuple[str, ...] = ()
    new_share: float = 0.0
    outside: float | None = None
    drifted: bool = False


class Performance(_Document):
    """A measure of the answers before, as estimated, and in truth."""

    metric: str
    before: Figure
    estimated: Figure | None = None
    true: Figure | None = None
    labelled: int = 0
    off: float | None = None


class Coverage(_Document):
    """The share of intervals or sets that should have the truth, and the share that has."""

    stated: float
    live: Figure
    rows: int


class Rival(_Document):
    """A version that answers beside the champion."""

    version: str
    role: str
    rows: int
    labelled: int
    sentence: str = ""


class Day(_Document):
    """One day of answers."""

    day: str
    rows: int
    versions: Mapping[str, int] = Field(default_factory=dict)
    status: str = ""
    psi: Mapping[str, float] = Field(default_factory=dict)
    estimated: Figure | None = None
    true: Figure | None = None


class Verdict(_Document):
    """What is to be said of a model's latest answers."""

    version: str
    made: str
    first: str
    last: str
    rows: int
    status: str
    sentence: str
    reference: str = ""
    psi_threshold: float = 0.25
    findings: tuple[Finding, ...] = ()
    columns: tuple[ColumnDrift, ...] = ()
    performance: tuple[Performance, ...] = ()
    coverage: Coverage | None = None
    rivals: tuple[Rival, ...] = ()
    days: tuple[Day, ...] = ()
