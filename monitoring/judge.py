"""The verdict on a window of answers: what is not as it was, and whether that is harmful.

Drift is a reason to look, not an alarm. An alarm is what may harm callers: answers that are worse than the model itself
says, by true values or by what is to be expected of rows beyond what it learned from.
"""

import datetime
from collections.abc import Collection, Iterator, Sequence
from typing import Any, NamedTuple

import msgspec
import numpy as np
import pandas as pd
from scipy import stats

from model.watched import Watched
from monitoring import answers, columns, estimates, live, season, separable, truth
from monitoring.estimates import Estimator
from monitoring.params import MonitorParams
from monitoring.verdict import ColumnDrift, Figure, Finding, Performance, Status, Verdict
from validation.errors import TableError

_OTHER_TESTS = 6
"""Predictions, all columns together, the estimate, the truth, its bias and coverage."""
_MOST_TOLD = 2
_FEWEST_LABELLED = 100


class Window(NamedTuple):
    """Answers to judge.

    Attributes:
        rows: the contract's inputs in storage types, scores, and `truth.ACTUAL` where true values have come.
        first, last: the days of it, ISO 8601.
        made: when it is judged, RFC 3339.
    """

    rows: pd.DataFrame
    first: str
    last: str
    made: str = ""


def judge(watched: Watched, reference: pd.DataFrame, window: Window, params: MonitorParams) -> Verdict:
    """Compare a window with the reference.

    Args:
        watched: the model that answered.
        reference: rows with the contract's inputs and target, `model.watched.SPLIT`, and scores.
        window: the answers.
        params: what counts.

    Raises:
        TableError: the reference has no held-out rows.
    """
    made = window.made or datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    plain = Verdict(
        model=watched.model,
        version=watched.version,
        made=made,
        first=window.first,
        last=window.last,
        rows=len(window.rows),
        psi_threshold=params.psi,
        status="too_few_rows",
        sentence=f"Not enough rows for a verdict: {len(window.rows):,} of the {params.fewest_rows:,} that it takes.",
    )
    if len(window.rows) < params.fewest_rows:
        return plain
    found = _Comparison(watched, reference, window.rows, params)
    status, sentence = found.told()
    return msgspec.structs.replace(plain, status=status, sentence=sentence, **found.figures())


class _Comparison:
    """A window beside its reference."""

    def __init__(self, watched: Watched, reference: pd.DataFrame, window: pd.DataFrame, params: MonitorParams) -> None:
        contract = watched.columns()
        self._params = params
        self._compared = season.rows(contract, reference, window, params)
        before = self._compared.rows
        looked_at = columns.examined(contract)
        self._chance = 1 / params.quiet_days / (len(looked_at) * columns.TESTS_A_COLUMN + _OTHER_TESTS)
        stretches = season.stretches(contract, before, window)
        examined = [
            columns.examine(
                watched,
                column,
                columns.Earlier(before[column.name], stretches, reference[column.name]),
                window[column.name],
                params,
                self._chance,
            )
            for column in looked_at
        ]
        self._columns = sorted((each.drift for each in examined), key=lambda drift: -drift.importance)
        self._findings = [finding for each in examined for finding in each.findings]
        scores = answers.scores(before), answers.scores(window)
        self._divergence, found = answers.diverge(watched, *scores, params, self._chance)
        self._findings += found
        told = [column for column in looked_at if self._matters(column.name)]
        self._separable: Figure | None = None
        if told:
            self._separable, found = separable.tell_apart(told, before, window, params)
            self._findings += found
        estimator = estimates.of(watched, looked_at, reference)
        if not len(estimator.held_out):
            raise TableError(f"The reference rows of '{watched.model}' {watched.version} have none that are held out.")
        stuck = [finding.column for finding in self._findings if finding.kind == "stuck" and finding.column]
        self._performance = estimator.performance(window, stuck)
        self._findings += self._worse(estimator, window, stuck)

    def _worse(self, estimator: Estimator[Any], window: pd.DataFrame, stuck: Collection[str]) -> Iterator[Finding]:
        """Whether answers are worse than the model says, by what is to be expected and by the truth."""
        before = estimator.expected_losses(estimator.held_out)
        now, then = (_rise(each.beyond, each.known) for each in (estimator.expected_losses(window, stuck), before))
        rise, error = now.value - then.value, float(np.hypot(now.error, then.error))
        if rise > self._params.degradation and rise > stats.norm.isf(self._chance) * error:
            yield Finding(
                kind="estimate",
                harmful=True,
                sentence=f"The {estimator.called} is expected to be {rise:.0%} above what it would be of rows that the "
                "model knows: some of these are beyond what it learned from.",
                value=rise,
                threshold=self._params.degradation,
            )
        labelled = truth.labelled(estimator.watched, window)
        if len(labelled) >= _FEWEST_LABELLED:
            yield from self._in_truth(estimator, labelled, before.known)
            yield from self._biased(estimator, labelled)
            yield from self._uncovered(estimator, labelled)

    def _uncovered(self, estimator: Estimator[Any], labelled: pd.DataFrame) -> Iterator[Finding]:
        """Whether intervals or sets of these very rows hold surely more seldom than is to be expected of them."""
        now, before = (live.judge(estimator.watched, rows) for rows in (labelled, estimator.held_out))
        if now.covered is None or before.covered is None or now.promised is None or not len(now.covered):
            return
        short = _short(now.covered, estimator.expected_coverage(now.rows))
        then = _short(before.covered, estimator.expected_coverage(before.rows))
        value, error = short.value - then.value, float(np.hypot(short.error, then.error))
        if value > self._params.degradation and value > stats.norm.isf(self._chance) * error:
            share = float(now.covered.mean())
            yield Finding(
                kind="coverage",
                harmful=True,
                sentence=f"{share:.0%} of {len(now.covered):,} true values are where the answers say; "
                f"{share + value:.0%} are to be expected of these rows.",
                value=value,
                threshold=self._params.degradation,
            )

    def _in_truth(
        self, estimator: Estimator[Any], labelled: pd.DataFrame, expected_before: np.ndarray
    ) -> Iterator[Finding]:
        """Whether the true loss is surely above what the model says of these very rows.

        Comparing with the same rows' expected loss, and not with the loss of other rows, leaves a changed mix out.
        """
        true, said = estimator.losses(labelled), estimator.expected_losses(labelled).known
        now, then = _rise(true, said), _rise(estimator.losses(estimator.held_out), expected_before)
        ratio = (1 + now.value) / (1 + then.value)  # a model that is less sure than it says was so from the start
        rise, error = ratio - 1, float(np.hypot(now.error, then.error * ratio)) / (1 + then.value)
        if rise - stats.norm.isf(self._chance) * error > self._params.degradation:
            yield Finding(
                kind="performance",
                harmful=True,
                sentence=f"The {estimator.called} of {len(labelled):,} rows with true values is {rise:.0%} above "
                "what is to be expected of these rows.",
                value=rise,
                threshold=self._params.degradation,
            )

    def _biased(self, estimator: Estimator[Any], labelled: pd.DataFrame) -> Iterator[Finding]:
        """Whether answers surely lean one way, and so far that it harms.

        Errors of one direction add up where their sizes hide in each other's spread: a creeping change is seen here
        days before the mean loss shows it.
        """
        bias = estimator.bias(labelled)
        if bias.rise > self._params.degradation and bias.chance < self._chance:
            yield Finding(
                kind="bias",
                harmful=True,
                sentence=f"Of {len(labelled):,} rows {bias.sentence}: that alone makes the {estimator.called} "
                f"{bias.rise:.0%} worse.",
                value=bias.rise,
                threshold=self._params.degradation,
            )

    def told(self) -> tuple[Status, str]:
        """The verdict in a word and in a sentence."""
        harmful = [finding for finding in self._findings if finding.harmful]
        if harmful:
            return "alarm", _joined("Alarm", harmful)
        changes = [finding for finding in self._findings if not self._is_note(finding)]
        if changes:
            return "changed", f"{_joined('Changed, and the model knows such rows', changes)}"
        notes = f" {len(self._findings)} notes on columns that it hardly looks at." if self._findings else ""
        return "ok", f"As before: no difference from {self._compared.of} that counts.{notes}"

    def _is_note(self, finding: Finding) -> bool:
        return finding.column is not None and not self._matters(finding.column)

    def _matters(self, column: str) -> bool:
        return any(drift.name == column and drift.importance >= self._params.importance for drift in self._columns)

    def figures(self) -> dict[str, Any]:
        """The members of the verdict that were measured."""
        kept: dict[str, list[ColumnDrift] | list[Finding] | list[Performance]] = {
            "findings": sorted(self._findings, key=lambda finding: not finding.harmful),
            "columns": self._columns,
            "performance": self._performance,
        }
        return {
            **kept,
            "reference": self._compared.of,
            "reference_rows": len(self._compared.rows),
            "divergence": self._divergence,
            "divergence_threshold": self._params.divergence,
            "separable": self._separable,
        }


class _Rise(NamedTuple):
    """How far something is above what is expected, and its standard error."""

    value: float
    error: float


def _short(covered: np.ndarray, expected: np.ndarray) -> _Rise:
    """How far the share that is covered is below what is expected of the same rows, and its standard error."""
    share = float(covered.mean())
    variance = max(float((expected * (1 - expected)).mean()), share * (1 - share))
    return _Rise(float(expected.mean()) - share, float(np.sqrt(variance / len(expected))))


def _rise(losses: np.ndarray, others: np.ndarray) -> _Rise:
    """How far the mean of losses is above that of others, relative.

    Of the same rows, shape (rows,) each: what is due to which rows these are drops out (a ratio estimator).
    """
    value = float(losses.mean() / others.mean()) - 1
    left = losses - (1 + value) * others
    return _Rise(value, float(left.std() / np.sqrt(len(left)) / others.mean()))


def _joined(word: str, findings: Sequence[Finding]) -> str:
    more = f" And {len(findings) - _MOST_TOLD} more." if len(findings) > _MOST_TOLD else ""
    return f"{word}: {' '.join(finding.sentence for finding in findings[:_MOST_TOLD])}{more}"
