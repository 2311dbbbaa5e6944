"""What an evaluation found, as metrics.json and a sealed manifest hold it.

No answer depends on it: members that other code wrote are ignored, and `model.formats` fills in those that it did not
write, so that no bundle is refused for its report.
"""

from typing import Any

import msgspec


class Score(msgspec.Struct, frozen=True):
    """A metric with its 95 % bootstrap interval; None where it is not defined."""

    value: float | None
    low: float | None
    high: float | None


Scores = dict[str, Score]
"""Scores of one predictor by the names of metrics."""


class Coverage(msgspec.Struct, frozen=True):
    """A regression's intervals: the share that they should cover, the one they cover, and their mean width."""

    coverage: float
    covered: Score
    mean_width: float


class ThresholdCurve(msgspec.Struct, frozen=True):
    """How the test rows would be answered at rising thresholds, each of which has the same place in all lists.

    Attributes:
        thresholds: probabilities from which the last of two classes is answered; the model's own is one of them.
        tp, fp: rows that would be answered as the last class, and are of it (true positives) or not (false positives).
        tn, fn: rows that would be answered as the first class, and are of it (true negatives) or not (false negatives).
    """

    thresholds: list[float]
    tp: list[int]
    fp: list[int]
    tn: list[int]
    fn: list[int]


class Decision(msgspec.Struct, frozen=True):
    """A classification's probabilities before and after calibration, and what its threshold does.

    Recall and precision are None where there is nothing to find or nothing was found; `curve` has other thresholds, and
    is None where earlier code evaluated.
    """

    classes: list[str]
    threshold: float
    before: Scores
    after: Scores
    accuracy: Score
    recall: Score | None
    precision: Score | None
    curve: ThresholdCurve | None = None


class ClassReport(msgspec.Struct, frozen=True):
    """The answers of a model of several classes.

    Attributes:
        classes: in the order of the confusion matrix.
        confusion: how many test rows of each class (a list each) got each class as their answer.
        accuracy: the share of right answers.
        turned: the share of answers that are not the most probable class, because they cost less.
        before, after: scores of the probabilities before and after calibration.
    """

    classes: list[str]
    confusion: list[list[int]]
    accuracy: Score
    before: Scores
    after: Scores
    turned: float = 0.0


class SetCoverage(msgspec.Struct, frozen=True):
    """Prediction sets: the share that should have the right class, the one that has it, and how large they are.

    `single` is the share of sets of one class.
    """

    coverage: float
    covered: Score
    mean_size: float
    single: float


class ReliabilityBins(msgspec.Struct, frozen=True):
    """Groups of about equally many test rows by what was predicted, each of which has the same place in all lists.

    Attributes:
        predicted: means of the predictions: of numbers, or of the probabilities of the last of two classes or of the
            most probable one of several.
        actual: means of the true numbers, or how often that class was true.
        low, high: the ends of the 95 % interval of `actual`.
        rows: how many there are.
    """

    predicted: list[float]
    actual: list[float]
    low: list[float]
    high: list[float]
    rows: list[int]


class Slice(msgspec.Struct, frozen=True, omit_defaults=True):
    """The rows of one name of a column, judged by themselves; `covered` of intervals or sets."""

    column: str
    value: str
    rows: int
    scores: Scores
    covered: Score | None = None


class Duplicates(msgspec.Struct, frozen=True):
    """Rows that are equal to others in every input.

    Attributes:
        rows: how many equal an earlier one.
        together: how many of those stay in one split with it.
        noise: the share of the target's variance that is left among equal rows, which no model can explain; None of
            classes, and where too few rows are equal to say.
    """

    rows: int = 0
    together: int = 0
    noise: float | None = None


class Importance(msgspec.Struct, frozen=True):
    """The mean size of each column's contribution over so many rows, in the space of contributions; largest first."""

    space: str
    rows: int
    columns: dict[str, float]


class Fork(msgspec.Struct, frozen=True, omit_defaults=True):
    """A question about one column of a row: where it goes on from here.

    Without `below` and without `names` it asks only whether the value is missing.

    Attributes:
        column: which.
        yes, no: the place of the next fork; of a group, -1 minus its place.
        below: yes where the number or the time, as requests carry it, is below this.
        names: yes where the name is one of these, of flags "true" or "false".
        missing: whether a missing value is a yes.
    """

    column: str
    yes: int
    no: int
    below: float | str | None = None
    names: list[str] = []
    missing: bool = False


class Group(msgspec.Struct, frozen=True, omit_defaults=True):
    """The rows to which the same forks lead, and what became of them.

    Attributes:
        rows: how many, 20 at least.
        low, middle, high: of a regression, about the 10th, 50th and 90th percentile of the target: the mean of the
            five values there, to three significant digits.
        classes: of a classification, how many rows are of each class; without those of which there are none.
    """

    rows: int
    low: float | None = None
    middle: float | None = None
    high: float | None = None
    classes: dict[str, int] = {}


class Similar(msgspec.Struct, frozen=True):
    """Groups of rows that are not of the test split, by a small decision tree on the caller's columns.

    Attributes:
        forks: the first is the one at which every row starts.
        groups: where they lead.
        rows: how many were looked at, of a table on a cluster those of its sample; 0 where earlier code evaluated.
    """

    forks: list[Fork]
    groups: list[Group]
    rows: int = 0


class Tie(msgspec.Struct, frozen=True):
    """Two inputs of which one nearly tells the other: a measure's size from -1 to 1 (Cramér's V: from 0), its name."""

    one: str
    other: str
    size: float
    measure: str


class CrossValidation(msgspec.Struct, frozen=True):
    """Scores of all judged rows, and the ROC AUC of each fold; `in_time` is the column by which folds follow."""

    folds: int
    in_time: str | None
    roc_auc_of_folds: list[float]
    mean_roc_auc: float
    scores: Scores


class Metrics(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """An evaluation on test rows.

    Attributes:
        version: of the bundle.
        task: of its outcome.
        rows: how many test rows were answered.
        unit: of the target's numbers.
        loss: the name of the loss that was trained on, its objective and that one's parameters; none of a model that
            earlier code evaluated.
        scores: by predictor, the model first.
        beats_lookup: whether the model's loss is below that of the lookup.
        slices: parts of the test rows.
        splits: how many rows each split has.
        quarantined, refused: rows that broke the contract, and test rows that the model did not answer.
        importance: what moves answers.
        duplicates: rows that are equal to others.
        suspicions: what a person should look into, a sentence each.
        examples: rows as requests carry them whose values go together, of different answers, the one in the middle
            first; each is the middle of a group of rows, and nobody's.
        similar: groups of rows that are alike, and what became of them; None where rows are too few or too wide.
        ties: inputs that nearly say the same, the strongest first: at most 20 pairs, of the 60 most important inputs.
        interval, decision, classes: of a regression, of two classes, and of several.
        sets: of a classification.
        reliability: how predictions agree with what was true; None where earlier code evaluated.
        cross_validation: of a classification, where it was asked for.
    """

    version: str
    task: str
    rows: int
    unit: str | None
    scores: dict[str, Scores]
    beats_lookup: bool
    slices: list[Slice]
    splits: dict[str, int]
    quarantined: int
    refused: int
    importance: Importance
    loss: dict[str, bool | float | str] = {}
    duplicates: Duplicates = Duplicates()
    suspicions: list[str] = []
    examples: list[dict[str, Any]] = []
    similar: Similar | None = None
    ties: list[Tie] = []
    interval: Coverage | None = None
    decision: Decision | None = None
    classes: ClassReport | None = None
    sets: SetCoverage | None = None
    reliability: ReliabilityBins | None = None
    cross_validation: CrossValidation | None = None
