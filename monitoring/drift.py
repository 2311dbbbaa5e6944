"""python -m monitoring drift MODEL: the verdict on a model's latest answers, as a document, a page and metrics."""

import datetime
from collections.abc import Mapping

import pandas as pd

from model.watched import REPORT, Watched
from monitoring import compact, counts, journal, lines, published, reference, report, rivals, truth
from monitoring.counts import Counts
from monitoring.params import MonitorParams
from monitoring.reference import Reference
from monitoring.store import Store
from monitoring.truth import Truth
from monitoring.verdict import Rival, Status, Verdict
from monitoring.watch import Span, Watch
from problems import parameters
from validation.errors import SettingsError

EXIT: Mapping[Status, int] = {"ok": 0, "changed": 0, "alarm": 3, "too_few_rows": 4}
"""For schedulers: 1 and 2 are failures of the command itself."""


_MOST_DAYS = 366


def main(model: str, days: int | None = None, until: str = "") -> int:
    """Bring what is new in the journal, judge the latest answers, write the verdict, and say it.

    Args:
        model: its name.
        days: of the window, see `Span`.
        until: its last day, ISO 8601; the last one with answers if it is empty.

    Returns:
        An exit code, see `EXIT`.

    Raises:
        SettingsError: `until` is no date, `days` are none, or params.yaml cannot be read.
        StoreError: the store or the journal cannot be read, or there are no reference rows.
    """
    params = parameters.section(model, "monitor", MonitorParams)
    if days is not None and not 1 <= days <= _MOST_DAYS:
        raise SettingsError(f"A window has from one day to {_MOST_DAYS:,}, not {days:,}.")
    store = Store(model)
    compact.compact(lines.journal())
    now = datetime.datetime.now(datetime.UTC)
    last = _day(until) if until else _last(store, now.date() + datetime.timedelta(days=1))
    made = now.isoformat(timespec="seconds")
    watch = Watch(_Journalled(store, model), params, published.previous(store), made)
    verdict = watch.look(Span(last, days)) if last else None
    if verdict is None:
        marked = counts.marked(counts.of_day(store, last).exploring, 0, f" of {last}") if last else ""
        nothing = f"there are no answers to cases in the watch store {store.address}: see docs/how-to/journal.md."
        print(f"{model}: {nothing} {marked}".rstrip())
        return EXIT["too_few_rows"]
    published.write(store, verdict)
    _say(verdict, store)
    return EXIT[verdict.status]


class _Journalled:
    """A model's answers as the watch store has them."""

    def __init__(self, store: Store, model: str) -> None:
        self._store, self._model = store, model
        self._truth = Truth(truth.read(store))

    def counted(self, day: datetime.date) -> Counts:
        return counts.of_day(self._store, day, self._truth)

    def rows(self, day: datetime.date, watched: Watched, share: float) -> pd.DataFrame:
        contract = watched.columns()
        rows = journal.load(self._store, contract, day, day, version=watched.version, share=share)
        return truth.joined(rows, contract, self._truth)

    def reference(self, version: str) -> Reference:
        return reference.load(self._store, self._model, version)

    def rivals(self, watched: Watched, first: datetime.date, last: datetime.date) -> list[Rival]:
        return rivals.compare(self._store, watched, first, last)


def _last(store: Store, tomorrow: datetime.date) -> datetime.date | None:
    """The last day with answers. Later days than tomorrow, which clocks that are a little ahead may have, are left out.

    One record of a clock that is years ahead would be the last one for years.
    """
    days = journal.days(store)
    ahead = [day for day in days if day > tomorrow]
    if ahead:
        count = f"{len(ahead):,} day{'s' if len(ahead) > 1 else ''}"
        print(f"{store.model}: answers of {count} yet to come, from {ahead[0]} on, are left out: a clock was wrong.")
    return max((day for day in days if day <= tomorrow), default=None)


def _day(text: str) -> datetime.date:
    try:
        day = datetime.date.fromisoformat(text)
    except ValueError as error:
        raise SettingsError(f"'{text}' is no date like 2026-11-30.") from error
    if day > (today := datetime.datetime.now(datetime.UTC).date()):
        raise SettingsError(f"{day} is still to come; it is {today} in UTC.")  # and would end an alarm
    return day


def _say(verdict: Verdict, store: Store) -> None:
    window = verdict.first if verdict.first == verdict.last else f"{verdict.first} to {verdict.last}"
    print(f"{verdict.model} {verdict.version}, {window}, {report.rows(verdict)}")
    print(verdict.sentence)
    for finding in verdict.findings:
        print(f"- {'harmful: ' if finding.harmful else ''}{finding.sentence} {finding.advice}")
    print(f"{store.address}/{verdict.model}/{REPORT} shows it.")
