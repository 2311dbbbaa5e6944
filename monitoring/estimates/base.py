"""What estimates of numbers and of classes have in common: measures, intervals, and the comparison with the truth."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping
from typing import ClassVar, Generic, Literal, NamedTuple, TypeVar, cast

import numpy as np
import pandas as pd

from model.outcomes import Outcome
from model.watched import Watched
from monitoring.support import Support
from monitoring.truth import held_out, labelled
from monitoring.verdict import Figure, Performance
from validation.contract import Column

OutcomeT = TypeVar("OutcomeT", bound=Outcome)
_RESAMPLES = 200
_FEWEST_LABELLED = 30


class Measure(NamedTuple):
    """A figure of performance.

    Attributes:
        better: whether "lower" or "higher" is.
        of: what each row contributes, shape (rows, parts), to the figure.
    """

    better: Literal["lower", "higher"]
    of: Callable[[np.ndarray], float]


class Expected(NamedTuple):
    """The expected loss of each row, shape (rows,) each.

    Attributes:
        known: as of a row that the model knows.
        beyond: the same where the row is known, and more where it is beyond what the model learned from.
    """

    known: np.ndarray
    beyond: np.ndarray


class Bias(NamedTuple):
    """What all answers are wrong by in the same direction.

    Attributes:
        rise: by how much it alone raises the mean loss, relative.
        chance: how likely as much is of answers that are right on average.
        sentence: which way, for people; a clause.
    """

    rise: float
    chance: float
    sentence: str


Parts = Mapping[str, np.ndarray]
"""By the name of a measure what each row contributes, shape (rows, parts)."""


class Estimator(ABC, Generic[OutcomeT]):
    """Estimates how good answers are without the truth, and says how good they were with it."""

    measures: Mapping[str, Measure]
    main: ClassVar[str]
    """The measure whose rows are losses: by their mean an alarm is decided."""
    called: ClassVar[str]
    """What people call it."""

    def __init__(self, watched: Watched, columns: list[Column], reference: pd.DataFrame) -> None:
        """Learn from the reference how large errors are; see `of`."""
        self.watched = watched
        self.outcome = cast("OutcomeT", watched.outcome)
        self.contract = watched.columns()
        self.held_out = held_out(self.contract, reference)
        self.support = Support(watched, columns, reference, self.effects(reference))

    @abstractmethod
    def effects(self, rows: pd.DataFrame) -> np.ndarray:
        """The answers in the space in which the effects of columns add up, shape (rows,)."""

    @abstractmethod
    def true(self, rows: pd.DataFrame) -> Parts:
        """What rows with `ACTUAL` contribute to each measure."""

    @abstractmethod
    def expected(self, rows: pd.DataFrame, variance: np.ndarray) -> Parts:
        """What rows are expected to contribute, if a variance of shape (rows,) is added to that of their effects."""

    @abstractmethod
    def bias(self, rows: pd.DataFrame) -> Bias:
        """What rows with `ACTUAL` are wrong by on average, beyond what held-out rows are."""

    @abstractmethod
    def expected_coverage(self, rows: pd.DataFrame) -> np.ndarray:
        """How probable it is that the interval or set of each row has the truth, shape (rows,)."""

    def losses(self, rows: pd.DataFrame) -> np.ndarray:
        """The true loss of each row, shape (rows,)."""
        return self.true(rows)[self.main][:, 0]

    def expected_losses(self, rows: pd.DataFrame, stuck: Collection[str] = ()) -> Expected:
        """The loss that is to be expected of each row."""
        known = self.expected(rows, np.zeros(len(rows)))[self.main][:, 0]
        return Expected(known, self.expected(rows, self.support.variance(rows, stuck))[self.main][:, 0])

    def performance(self, window: pd.DataFrame, stuck: Collection[str] = ()) -> list[Performance]:
        """Every measure before, as estimated and, where enough labels have come, in truth; the main one first."""
        before, estimated = self.true(self.held_out), self.expected(window, self.support.variance(window, stuck))
        known = labelled(self.watched, window)
        enough = len(known) >= _FEWEST_LABELLED
        true = self.true(known) if enough else {}
        of_them = self.expected(known, self.support.variance(known, stuck)) if enough else {}
        return [
            self._compared(name, before[name], estimated[name], true.get(name), of_them.get(name))
            for name in sorted(self.measures, key=lambda name: name != self.main)
        ]

    def _compared(
        self, name: str, before: np.ndarray, estimated: np.ndarray, true: np.ndarray | None, of_them: np.ndarray | None
    ) -> Performance:
        measure = self.measures[name]
        then, spread = _with_interval(measure, before)
        relative = spread / then.value if then.value else 0.0
        now, _ = _with_interval(measure, estimated, relative)
        if true is None or of_them is None:
            return Performance(metric=name, better=measure.better, before=then, estimated=now)
        truth, _ = _with_interval(measure, true)
        expected, _ = _with_interval(measure, of_them, relative)
        return Performance(
            metric=name,
            better=measure.better,
            before=then,
            estimated=now,
            true=truth,
            labelled=len(true),
            estimated_labelled=expected,
            off=expected.value / truth.value - 1 if truth.value else None,
        )


def _with_interval(measure: Measure, parts: np.ndarray, relative: float = 0.0) -> tuple[Figure, float]:
    """A figure with its 95 % bootstrap interval, and its standard error; `relative` adds that of what it rests on."""
    random = np.random.default_rng(1)
    value = measure.of(parts)
    drawn = [measure.of(parts[random.integers(0, len(parts), len(parts))]) for _ in range(_RESAMPLES)]
    error = float(np.hypot(np.std(drawn), relative * value))
    return Figure(value, value - 1.96 * error, value + 1.96 * error), error


def mean(parts: np.ndarray) -> float:
    """The mean of the first part."""
    return float(parts[:, 0].mean())
