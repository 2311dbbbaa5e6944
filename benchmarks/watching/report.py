"""Tables of what watchers said: false alarms, days until a change is found, and how far estimated errors are off."""

from collections.abc import Sequence

import numpy as np

from benchmarks.report import table
from benchmarks.watching.said import Said
from benchmarks.watching.scenarios import NOTHING, SCENARIOS, Scenario

_NEEDS_LABELS = "labels"
"""Watchers whose names end so say it a day later, when labels have come."""
_OFTEN = 0.05
"""Alarms on a larger share of undisturbed days say nothing of changes."""
_NEAR = 0.1
_HARM = 0.05
"""The rise of an error from which on it is an alarm, see `MonitorParams.degradation`."""
_NOTE = """\
Cells are the days until the first alarm, the day of the change being day 1; where labels are needed they come a day
later. Of a creeping change they also say how far the true error had risen by then, and how many days they were since it
had risen by 5 %, counted alike. In brackets: of a watcher that
raises an alarm on more than one undisturbed day in 20. "Season": given the reference rows of Boxwood's season."""


class Watch:
    """Days as they were judged."""

    def __init__(self, found: Sequence[Said]) -> None:
        self.watchers = list(found[0].alarms)
        self.estimators = list(found[0].estimates)
        self.quiet = [each for each in found if each.case.scenario == NOTHING]
        self._of_day = {each.case.day: each for each in self.quiet}
        self._found = found

    def days(self, scenario: Scenario) -> list[Said]:
        """All days of a scenario."""
        return [each for each in self._found if each.case.scenario == scenario]

    def false_alarms(self, watcher: str) -> float:
        """The share of undisturbed days on which there was one."""
        return float(np.mean([each.alarms[watcher] for each in self.quiet]))

    def first_alarms(self, scenario: Scenario, watcher: str) -> list[Said | None]:
        """The first day of each time the scenario was played that was an alarm; None if there was none."""
        days = self.days(scenario)
        starts = sorted({each.case.start for each in days})
        return [
            next((each for each in days if each.case.start == start and each.alarms[watcher]), None) for start in starts
        ]

    def true_rise(self, day: Said) -> float:
        """How far the error is above that of the same day in an unchanged world, whose rows are the same draws."""
        return day.true / self._of_day[day.case.day].true - 1

    def harmful_from(self, found: Said) -> int:
        """The day on which the true rise first was above `_HARM`, of the time that a scenario was played."""
        days = [each for each in self.days(found.case.scenario) if each.case.start == found.case.start]
        return next(each.case.day for each in days if self.true_rise(each) > _HARM)

    def estimated_rise(self, day: Said, estimator: str) -> float:
        """The same of the error as it was estimated."""
        return day.estimates[estimator] / self._of_day[day.case.day].estimates[estimator] - 1


def rendered(found: Sequence[Said]) -> str:
    """All tables as Markdown."""
    watch = Watch(found)
    return "\n\n".join([_alarms(watch), _NOTE, _verdicts(watch), _estimates(watch), _rises(watch)]) + "\n"


def _alarms(watch: Watch) -> str:
    rows = [["alarms on 100 undisturbed days", *(f"{100 * watch.false_alarms(name):.1f}" for name in watch.watchers)]]
    for scenario in SCENARIOS:
        cell = _days_alarmed if scenario.meaning == "harmless" else _found
        rows.append([scenario.name, *(cell(watch, scenario, name) for name in watch.watchers)])
    return table(["", *watch.watchers], rows)


def _found(watch: Watch, scenario: Scenario, watcher: str) -> str:
    """Days until a change is found, the day of the change being the first; of a creeping one the true rise by then."""
    first = watch.first_alarms(scenario, watcher)
    known = [each for each in first if each is not None]
    if not known:
        return "never"
    late = watcher.endswith(_NEEDS_LABELS)
    text = _range([each.case.after + 1 + late for each in known])
    if scenario.creeps:
        rises = np.median([watch.true_rise(each) for each in known])
        since = [each.case.day - watch.harmful_from(each) + 1 + late for each in known]
        text += f", at {rises:+.0%}, {_range(since)} since +{_HARM:.0%}"
    if len(known) < len(first):
        text += f", {len(known)} times of {len(first)}"
    return f"({text})" if watch.false_alarms(watcher) > _OFTEN else text


def _days_alarmed(watch: Watch, scenario: Scenario, watcher: str) -> str:
    alarmed = [each.alarms[watcher] for each in watch.days(scenario)]
    return f"{sum(alarmed)} of {len(alarmed)} days"


def _range(values: Sequence[int]) -> str:
    least, most = min(values), max(values)
    return f"{least}" if least == most else f"{least} to {most}"


def _verdicts(watch: Watch) -> str:
    groups = [("undisturbed", watch.quiet)]
    groups += [(scenario.name, watch.days(scenario)) for scenario in SCENARIOS if scenario.meaning == "harmless"]
    statuses = ("ok", "changed", "alarm")
    rows = [[name, *(str(sum(each.status == status for each in days)) for status in statuses)] for name, days in groups]
    return table(["Boxwood's verdict, days", *statuses], rows)


def _estimates(watch: Watch) -> str:
    rows = []
    for name in watch.estimators:
        off = np.array([each.estimates[name] / each.true - 1 for each in watch.quiet])
        near = np.mean(np.abs(off) <= _NEAR)
        rows.append([name, f"{near:.1%}", f"{np.median(np.abs(off)):.1%}", f"{off.min():+.0%} to {off.max():+.0%}"])
    return table(["estimated error, undisturbed days", "within 10 % of the true one", "median off", "all off"], rows)


def _rises(watch: Watch) -> str:
    rows = []
    for scenario in SCENARIOS:
        days = watch.days(scenario)
        estimated = [[watch.estimated_rise(each, name) for each in days] for name in watch.estimators]
        figures = [[watch.true_rise(each) for each in days], *estimated]
        rows.append([scenario.name, *(f"{np.median(figure):+.0%}" for figure in figures)])
    return table(["rise of the error", "true", *(f"as {name} estimates" for name in watch.estimators)], rows)
