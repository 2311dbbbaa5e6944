"""python -m monitoring drift MODEL: the verdict on a model's latest answers, as a document, a page and metrics."""

import datetime
from collections.abc import Iterator, Mapping
from typing import Protocol

import msgspec
import pandas as pd

from model.watched import Watched
from monitoring import advice, exposition, report
from monitoring import reference as references
from monitoring.estimates import ACTUAL
from monitoring.judge import Window, judge
from monitoring.params import MonitorParams
from monitoring.reference import Reference
from monitoring.store import METRICS, REPORT, VERDICT, Store
from monitoring.verdict import Day, Finding, Status, Verdict
from validation.errors import StoreError

EXIT: Mapping[Status, int] = {"ok": 0, "changed": 0, "alarm": 3, "too_few_rows": 4}
"""For schedulers: 1 and 2 are failures of the command itself."""


class Answers(Protocol):
    """What callers got."""

    def versions(self, day: datetime.date) -> dict[str, int]:
        """How many answers of a day (UTC) each version gave; the one that answered last is the last."""

    def rows(self, day: datetime.date, watched: Watched) -> pd.DataFrame:
        """The answers that a version gave on a day: its inputs in storage types, scores, `ACTUAL` where it is known."""


def previous(store: Store) -> Verdict | None:
    """The last verdict; None if there is none, or if it is of a format that is not read any more. Raises StoreError."""
    content = store.read(VERDICT)
    try:
        return None if content is None else msgspec.json.decode(content, type=Verdict)
    except msgspec.DecodeError:
        return None


def write(store: Store, verdict: Verdict) -> None:
    """Write the verdict, its page and its metrics; the verdict last, which tells that the others are there."""
    store.write_bytes(REPORT, report.html(verdict).encode())
    store.write_bytes(METRICS, exposition.text(verdict))
    store.write_bytes(VERDICT, msgspec.json.format(msgspec.json.encode(verdict), indent=1))


class Watch:
    """One run over a model's answers."""

    def __init__(self, store: Store, model: str, answers: Answers, params: MonitorParams, made: str) -> None:
        """See `look`.

        Args:
            store: where reference rows and the last verdict are.
            model: its name.
            answers: those that callers got.
            params: what counts.
            made: the time of this run, RFC 3339.
        """
        self._store, self._model, self._params, self._made = store, model, params, made
        self._answers = answers
        self._read: dict[tuple[datetime.date, str], pd.DataFrame] = {}
        self._references: dict[str, Reference] = {}
        self._previous = previous(store)

    def look(self, last: datetime.date, days: int) -> Verdict | None:
        """The verdict on the answers of the version that answered last.

        Args:
            last: the last day of the window.
            days: how many it has.

        Returns:
            None if nothing was answered on any of the days of which figures are kept.

        Raises:
            StoreError: there are no reference rows of that version.
        """
        kept = [last - datetime.timedelta(back) for back in range(max(self._params.days, days))]
        counts = {day: found for day in kept if (found := self._answers.versions(day))}
        if not counts:
            return None
        version = list(counts[max(counts)])[-1]
        window = sorted(kept[:days])
        tables = [self._rows(day, version) for day in window if version in counts.get(day, {})]
        rows = pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()
        found = self._judged(self._reference(version), rows, window[0], last)
        findings = [self._told(found, finding) for finding in found.findings]
        series = list(self._series(dict(sorted(counts.items())), set(window)))[-self._params.days :]
        return msgspec.structs.replace(found, findings=findings, days=series)

    def _rows(self, day: datetime.date, version: str) -> pd.DataFrame:
        if (day, version) not in self._read:
            self._read[day, version] = self._answers.rows(day, self._reference(version).watched)
        return self._read[day, version]

    def _reference(self, version: str) -> Reference:
        if version not in self._references:
            self._references[version] = references.load(self._store, self._model, version)
        return self._references[version]

    def _judged(self, reference: Reference, rows: pd.DataFrame, first: datetime.date, last: datetime.date) -> Verdict:
        window = Window(rows, first.isoformat(), last.isoformat(), self._made)
        return judge(reference.watched, reference.rows, window, self._params)

    def _told(self, found: Verdict, finding: Finding) -> Finding:
        """A finding with what to do, and the day since which it is found in each verdict."""
        return msgspec.structs.replace(finding, since=self._since(found, finding), advice=advice.of(finding))

    def _since(self, found: Verdict, finding: Finding) -> str:
        before = self._previous
        if before is None or before.version != found.version or not _follows(before, found):
            return found.first
        same = [each for each in before.findings if (each.kind, each.column) == (finding.kind, finding.column)]
        return min(same[0].since or before.first, found.first) if same else found.first

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
        found = self._judged(self._reference(version), rows, day, day)
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


def _follows(before: Verdict, found: Verdict) -> bool:
    """Whether no day lies between two windows, the earlier of which begins no later."""
    next_day = datetime.date.fromisoformat(before.last) + datetime.timedelta(days=1)
    return before.first <= found.first <= next_day.isoformat()
