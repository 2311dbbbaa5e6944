"""The verdict on a window of answers, as verdict.json has it; the service, the page and schedulers read it."""

from typing import Literal

import msgspec

from model import psi

Status = Literal["ok", "changed", "alarm", "too_few_rows"]
"""As before; changed in ways that the model knows; worse, or beyond what the model knows; not enough rows to say."""
Kind = Literal[
    "distribution",
    "shift",
    "missing",
    "new_names",
    "cardinality",
    "out_of_range",
    "stuck",
    "predictions",
    "multivariate",
    "estimate",
    "performance",
    "bias",
    "coverage",
]


class Figure(msgspec.Struct, frozen=True):
    """A number with its 95 % interval; ends are None where there is none."""

    value: float
    low: float | None = None
    high: float | None = None


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is not as it was.

    Attributes:
        kind: which test found it.
        harmful: whether it is a reason for an alarm; others are notes.
        sentence: what it is and what it means, for people.
        column: whose it is; None of the answers as a whole.
        value, threshold: the figure, and what it is compared with.
        since: the first day of those in a row on which it was found, ISO 8601.
        advice: what to do about it, for people.
    """

    kind: Kind
    harmful: bool
    sentence: str
    column: str | None = None
    value: float | None = None
    threshold: float | None = None
    since: str | None = None
    advice: str = ""


class ColumnDrift(msgspec.Struct, frozen=True, kw_only=True):
    """How one input differs from the reference.

    Attributes:
        name: the column.
        importance: its share of what moves answers, from 0 to 1.
        psi: the population stability index.
        missing, missing_before: shares of rows without a value.
        cardinality: how many names there are for each one in as many rows of the reference; None of numbers.
        new_names: names that training did not see, the most common first; those in at least five rows.
        new_share: the share of rows that have such a name.
        outside: the share of rows beyond what training saw; None of names.
        mean, spread, skew: differences from the reference, in its standard deviations (skew: in units of skewness);
            None of names.
        drifted: whether any of it is above its threshold, and not by chance.
    """

    name: str
    importance: float
    psi: float
    missing: float
    missing_before: float
    cardinality: float | None = None
    new_names: list[str] = []
    new_share: float = 0.0
    outside: float | None = None
    mean: float | None = None
    spread: float | None = None
    skew: float | None = None
    drifted: bool = False


class Performance(msgspec.Struct, frozen=True, kw_only=True):
    """How good the answers are: before, as estimated without labels, and in truth where labels have come.

    Attributes:
        metric: what `before`, `estimated` and `true` are; "mae", "accuracy", "log_loss", "roc_auc", …
        better: whether "lower" or "higher" is better.
        before: on the held-out reference rows.
        estimated: on the rows of the window, from the answers alone.
        true: on those rows of it whose true values have come; None before.
        labelled: how many these are.
        estimated_labelled: the estimate for these same rows, to compare with `true`; None before.
        off: how far the estimate was off on them, relative to the truth; None before.
    """

    metric: str
    better: Literal["lower", "higher"]
    before: Figure
    estimated: Figure | None = None
    true: Figure | None = None
    labelled: int = 0
    estimated_labelled: Figure | None = None
    off: float | None = None


class Coverage(msgspec.Struct, frozen=True):
    """Intervals or prediction sets: the share that they should cover, and the share that they do."""

    stated: float
    live: Figure
    rows: int


class LiveSlice(msgspec.Struct, frozen=True):
    """The labelled rows of one name of a column, judged by themselves."""

    column: str
    value: str
    rows: int
    true: Figure
    before: Figure | None = None


class Rival(msgspec.Struct, frozen=True, kw_only=True):
    """A version that answers beside the champion, compared on rows that both answered, or on rows of its own.

    Attributes:
        version, role: which, and whether it was a "shadow" or a "challenger" that answered callers.
        rows, labelled: how many rows it answered in all, and of how many the truth is known.
        metric: the mean loss that is compared.
        champion, challenger: its values.
        difference: challenger minus champion, with its interval.
        enough: whether there is enough to decide.
        sentence: what can be said of the two.
    """

    version: str
    role: Literal["shadow", "challenger"]
    rows: int
    labelled: int
    metric: str
    champion: Figure | None = None
    challenger: Figure | None = None
    difference: Figure | None = None
    enough: bool = False
    sentence: str = ""


class Day(msgspec.Struct, frozen=True, kw_only=True):
    """One day of answers.

    Attributes:
        day: ISO 8601, UTC.
        rows: how many answers were journalled.
        versions: how many by each version.
        status: the verdict on this day alone.
        psi: by column.
        divergence: of the predictions.
        estimated, true: the main metric, see `Performance`.
        labelled: rows whose truth is known.
    """

    day: str
    rows: int
    versions: dict[str, int]
    status: Status
    psi: dict[str, float] = {}
    divergence: float | None = None
    estimated: Figure | None = None
    true: Figure | None = None
    labelled: int = 0


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be said of a model's latest answers.

    Attributes:
        model, version: of which; only answers of this version are judged.
        made: when, RFC 3339 in UTC.
        first, last: the days of the window, ISO 8601, both within it.
        rows: how many answers of it were looked at.
        answered: how many it has; more than `rows` where these are a sample.
        exploring: how many more its callers marked as no cases; they are left out of all else.
        status, sentence: the verdict, in a word and in a sentence.
        findings: the harmful ones first.
        reference: what the window was compared with, in words.
        reference_rows: how many rows that is.
        columns: the most important first.
        psi_threshold: from which on a column has drifted.
        divergence, divergence_threshold: of the predictions from those of the reference (Jensen-Shannon).
        separable: how well a classifier tells window from reference (ROC AUC); 0.5 is not at all.
        performance: the main metric first.
        coverage: of intervals or sets, where labels have come.
        slices, rivals: as far as labels have come.
        days: the latest last.
    """

    model: str
    version: str
    made: str
    first: str
    last: str
    rows: int
    answered: int = 0
    exploring: int = 0
    status: Status
    sentence: str
    findings: list[Finding] = []
    reference: str = ""
    reference_rows: int = 0
    columns: list[ColumnDrift] = []
    divergence: float | None = None
    divergence_threshold: float | None = None
    psi_threshold: float = psi.MUCH
    separable: Figure | None = None
    performance: list[Performance] = []
    coverage: Coverage | None = None
    slices: list[LiveSlice] = []
    rivals: list[Rival] = []
    days: list[Day] = []
