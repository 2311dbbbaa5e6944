"""From days of answers to a verdict: on the latest of them, and day by day."""

import datetime
from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple, Protocol

import msgspec
import pandas as pd

from model.watched import Watched
from monitoring import advice, live
from monitoring.counts import MOST_DAYS, Counts, leading, marked
from monitoring.judge import Window, judge
from monitoring.params import MonitorParams
from monitoring.reference import Reference
from monitoring.truth import ACTUAL
from monitoring.verdict import Day, Finding, Rival, Verdict
from validation.errors import StoreError


class Answers(Protocol):
    """What a model answered."""

    def counted(self, day: datetime.date) -> Counts:
        """The answers of a day (UTC)."""

    def rows(self, day: datetime.date, watched: Watched, share: float) -> pd.DataFrame:
        """What a version answered on a day: its inputs in storage types, scores, and `ACTUAL` where it is known.

        With a share below 1 these are an even sample, see `journal.load`.
        """

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
        self._counts: dict[datetime.date, Counts] = {}
        self._exploring: dict[datetime.date, int] = {}
        self._references: dict[str, Reference] = {}

    def look(self, span: Span) -> Verdict | None:
        """The verdict on the answers of the version that answers, see `counts.leading`.

        Returns:
            None if nothing was answered on any of the days of which figures are kept.

        Raises:
            StoreError: there are no reference rows of that version.
        """
        kept = [span.last - datetime.timedelta(back) for back in range(max(self._params.days, span.days or MOST_DAYS))]
        counted = {day: self._answers.counted(day) for day in reversed(kept)}
        self._counts = {day: found for day, found in counted.items() if found.answers}
        self._exploring = {day: found.exploring for day, found in counted.items()}
        if not self._counts:
            return None
        near = [day for day in kept[: span.days or MOST_DAYS] if day in self._counts] or [max(self._counts)]
        version = leading((self._counts[day].answers for day in near), self._params.fewest_rows) or ""
        window = kept[: span.days or self._enough([self._answered(day, version) for day in kept[:MOST_DAYS]])]
        verdict = self._of_window(version, window[::-1])
        return msgspec.structs.replace(
            verdict,
            findings=[self._told(verdict, finding) for finding in verdict.findings],
            days=list(self._series(verdict, set(window)))[-self._params.days :],
        )

    def _answered(self, day: datetime.date, version: str) -> int:
        return self._counts[day].answers.get(version, 0) if day in self._counts else 0

    def _enough(self, rows: list[int]) -> int:
        """How many days back there are enough of these rows a day."""
        sums = pd.Series(rows).cumsum()
        return min(int((sums < self._params.fewest_rows).sum()) + 1, len(rows))

    def _rows(self, days: Sequence[datetime.date], version: str) -> pd.DataFrame:
        """What a version answered on these days, or a sample: of each day the same share."""
        share = min(self._params.most_rows / max(sum(self._answered(day, version) for day in days), 1), 1.0)
        watched = self._reference(version).watched
        tables = [self._answers.rows(day, watched, share) for day in days if self._answered(day, version)]
        return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()

    def _reference(self, version: str) -> Reference:
        if version not in self._references:
            self._references[version] = self._answers.reference(version)
        return self._references[version]

    def _of_window(self, version: str, days: Sequence[datetime.date]) -> Verdict:
        """The verdict on these days, without what was before; the first day first."""
        rows = self._rows(days, version)
        verdict = self._judged(version, rows, days)
        exploring = sum(self._exploring[day] for day in days)
        cases = sum(sum(self._counts[day].answers.values()) for day in days if day in self._counts)
        return msgspec.structs.replace(
            self._in_truth(verdict, version, rows, days),
            answered=sum(self._answered(day, version) for day in days),
            exploring=exploring,
            sentence=f"{verdict.sentence} {marked(exploring, cases)}".rstrip(),
        )

    def _judged(self, version: str, rows: pd.DataFrame, days: Sequence[datetime.date]) -> Verdict:
        reference = self._reference(version)
        window = Window(rows, days[0].isoformat(), days[-1].isoformat(), self._made)
        return judge(reference.watched, reference.rows, window, self._params)

    def _in_truth(self, verdict: Verdict, version: str, rows: pd.DataFrame, days: Sequence[datetime.date]) -> Verdict:
        """The verdict with what true values say beside performance: coverage, parts of the rows, other versions."""
        watched, reference = self._reference(version)
        beside = any(self._counts[day].beside for day in days if day in self._counts)
        rivals = self._answers.rivals(watched, days[0], days[-1]) if beside else []
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

    def _series(self, verdict: Verdict, fresh: Collection[datetime.date]) -> Iterator[Day]:
        """Each day by itself; those of the last verdict stay if neither rows nor labels have come since."""
        known = {day.day: day for day in self._previous.days} if self._previous else {}
        for day, counts in self._counts.items():
            answers, labelled = counts.answers, counts.labelled
            version = max(answers, key=answers.__getitem__)
            before = known.get(day.isoformat())
            if (
                before is None
                or day in fresh
                or (before.versions, before.labelled) != (answers, labelled.get(version, 0))
            ):
                try:
                    before = self._day(day, version, verdict)
                except StoreError:
                    continue  # a version of before the watch store: its days have no figures
            yield before

    def _day(self, day: datetime.date, version: str, verdict: Verdict) -> Day:
        """The figures of a day, by the version that answered most rows; `verdict` may be on the same."""
        if (verdict.version, verdict.first, verdict.last) != (version, day.isoformat(), day.isoformat()):
            verdict = self._judged(version, self._rows([day], version), [day])
        main = verdict.performance[0] if verdict.performance else None
        counts = self._counts[day]
        return Day(
            day=day.isoformat(),
            rows=sum(counts.answers.values()),
            versions=counts.answers,
            status=verdict.status,
            psi={column.name: column.psi for column in verdict.columns},
            divergence=verdict.divergence,
            estimated=main.estimated if main else None,
            true=main.true if main else None,
            labelled=counts.labelled.get(version, 0),
        )


def _labelled(rows: pd.DataFrame) -> int:
    return int(rows[ACTUAL].notna().sum()) if ACTUAL in rows else 0


def _follows(before: Verdict, verdict: Verdict) -> bool:
    """Whether no day lies between two windows, the earlier of which begins no later."""
    next_day = datetime.date.fromisoformat(before.last) + datetime.timedelta(days=1)
    return before.first <= verdict.first <= next_day.isoformat()
