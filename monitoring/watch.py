"""From days of answers to a verdict: on the latest of them, and day by day."""

import datetime
from collections.abc import Iterator
from typing import NamedTuple, Protocol

import msgspec
import pandas as pd

from model.watched import Watched
from monitoring import advice, live
from monitoring.judge import Window, judge
from monitoring.params import MonitorParams
from monitoring.reference import Reference
from monitoring.truth import ACTUAL
from monitoring.verdict import Day, Finding, Rival, Verdict
from validation.errors import StoreError

_MOST_DAYS = 7
"""A window reaches so far back for enough rows."""


class Answers(Protocol):
    """What a model answered."""

    def versions(self, day: datetime.date) -> dict[str, int]:
        """How many answers of a day (UTC) each version gave by itself; the one that answered last is the last."""

    def rows(self, day: datetime.date, watched: Watched) -> pd.DataFrame:
        """What a version answered on a day: its inputs in storage types, scores, and `ACTUAL` where it is known."""

    def reference(self, version: str) -> Reference:
        """What a version is compared with; raises StoreError if there is nothing."""

    def rivals(self, watched: Watched, first: datetime.date, last: datetime.date) -> list[Rival]:
        """Versions that answered beside it."""


class Span(NamedTuple):
    """The days of a window.

    Attributes:
        last: belongs to it.
        days: how many they are; None for the fewest, up to a week, that have enough rows.
    """

    last: datetime.date
    days: int | None = None


class Watch:
    """One run over a model's answers."""

    def __init__(self, answers: Answers, params: MonitorParams, previous: Verdict | None, made: str) -> None:
        """See `look`.

        Args:
            answers: of the model.
            params: what counts.
            previous: the last verdict, whose days are kept; None if there is none.
            made: the time of this run, RFC 3339.
        """
        self._answers, self._params, self._previous, self._made = answers, params, previous, made
        self._rows_of: dict[tuple[datetime.date, str], pd.DataFrame] = {}
        self._references: dict[str, Reference] = {}

    def look(self, span: Span) -> Verdict | None:
        """The verdict on the answers of the version that answered last.

        Returns:
            None if nothing was answered on any of the days of which figures are kept.

        Raises:
            StoreError: there are no reference rows of that version.
        """
        kept = [span.last - datetime.timedelta(back) for back in range(max(self._params.days, span.days or _MOST_DAYS))]
        counts = {day: found for day in reversed(kept) if (found := self._answers.versions(day))}
        if not counts:
            return None
        version = list(counts[max(counts)])[-1]
        window = kept[: span.days or self._enough([counts.get(day, {}).get(version, 0) for day in kept[:_MOST_DAYS]])]
        tables = [self._rows(day, version) for day in reversed(window) if version in counts.get(day, {})]
        rows = pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()
        verdict = self._judged(version, rows, window[-1], span.last)
        return msgspec.structs.replace(
            self._in_truth(verdict, version, rows, window),
            findings=[self._told(verdict, finding) for finding in verdict.findings],
            days=list(self._series(counts, set(window)))[-self._params.days :],
        )

    def _enough(self, rows: list[int]) -> int:
        """How many days back there are enough of these rows a day."""
        sums = pd.Series(rows).cumsum()
        return min(int((sums < self._params.fewest_rows).sum()) + 1, len(rows))

    def _rows(self, day: datetime.date, version: str) -> pd.DataFrame:
        if (day, version) not in self._rows_of:
            self._rows_of[day, version] = self._answers.rows(day, self._reference(version).watched)
        return self._rows_of[day, version]

    def _reference(self, version: str) -> Reference:
        if version not in self._references:
            self._references[version] = self._answers.reference(version)
        return self._references[version]

    def _judged(self, version: str, rows: pd.DataFrame, first: datetime.date, last: datetime.date) -> Verdict:
        reference = self._reference(version)
        window = Window(rows, first.isoformat(), last.isoformat(), self._made)
        return judge(reference.watched, reference.rows, window, self._params)

    def _in_truth(self, verdict: Verdict, version: str, rows: pd.DataFrame, window: list[datetime.date]) -> Verdict:
        """The verdict with what true values say beside performance: coverage, parts of the rows, other versions."""
        watched, reference = self._reference(version)
        rivals = self._answers.rivals(watched, window[-1], window[0])
        if not _labelled(rows):
            return msgspec.structs.replace(verdict, rivals=rivals)
        now, before = live.judge(watched, rows), live.judge_reference(watched, reference)
        slices = live.slices(watched, before, now, self._params.slice_rows)
        return msgspec.structs.replace(verdict, coverage=live.coverage(now), slices=slices, rivals=rivals)

    def _told(self, verdict: Verdict, finding: Finding) -> Finding:
        """A finding with what to do, and the day since which it is found in each verdict."""
        told = advice.of(verdict.model, finding)
        return msgspec.structs.replace(finding, since=self._since(verdict, finding), advice=told)

    def _since(self, verdict: Verdict, finding: Finding) -> str:
        before = self._previous
        if before is None or before.version != verdict.version or not _follows(before, verdict):
            return verdict.first
        same = [each for each in before.findings if (each.kind, each.column) == (finding.kind, finding.column)]
        return min(same[0].since or before.first, verdict.first) if same else verdict.first

    def _series(self, counts: dict[datetime.date, dict[str, int]], fresh: set[datetime.date]) -> Iterator[Day]:
        """Each day by itself; those of the last verdict stay if neither rows nor labels have come since."""
        known = {day.day: day for day in self._previous.days} if self._previous else {}
        for day, versions in counts.items():
            version = max(versions, key=lambda name: versions[name])
            try:
                rows = self._rows(day, version)
            except StoreError:
                continue  # a version of before the watch store: its days have no figures
            before = known.get(day.isoformat())
            if before is None or day in fresh or (before.versions, before.labelled) != (versions, _labelled(rows)):
                before = self._day(day, version, versions)
            yield before

    def _day(self, day: datetime.date, version: str, versions: dict[str, int]) -> Day:
        """The figures of a day, by the version that answered most rows."""
        rows = self._rows(day, version)
        found = self._judged(version, rows, day, day)
        main = found.performance[0] if found.performance else None
        return Day(
            day=day.isoformat(),
            rows=sum(versions.values()),
            versions=versions,
            status=found.status,
            psi={column.name: column.psi for column in found.columns},
            divergence=found.divergence,
            estimated=main.estimated if main else None,
            true=main.true if main else None,
            labelled=_labelled(rows),
        )


def _labelled(rows: pd.DataFrame) -> int:
    return int(rows[ACTUAL].notna().sum()) if ACTUAL in rows else 0


def _follows(before: Verdict, verdict: Verdict) -> bool:
    """Whether no day lies between two windows, the earlier of which begins no later."""
    next_day = datetime.date.fromisoformat(before.last) + datetime.timedelta(days=1)
    return before.first <= verdict.first <= next_day.isoformat()
