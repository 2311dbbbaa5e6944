"""The verdict as a page that a person reads in a minute: one file, which loads nothing and runs no script."""

from collections.abc import Mapping

import jinja2

from monitoring import charts
from monitoring.verdict import Figure, Status, Verdict

MOST_COLUMNS = 100
"""The most important ones; verdict.json has all."""
_WORDS: Mapping[Status, str] = {
    "ok": "As before",
    "changed": "Changed, harmless",
    "alarm": "Alarm",
    "too_few_rows": "Not enough rows",
}
_LARGE = 1000
_NOTHING = "\N{EN DASH}"


def html(verdict: Verdict) -> str:
    """The page; what callers sent is escaped."""
    page = _templates.get_template("report.html.jinja")
    return page.render(
        verdict=verdict,
        rows=rows(verdict),
        word=_WORDS[verdict.status],
        chart=charts.of_days(verdict.days),
        columns=verdict.columns[:MOST_COLUMNS],
        more=max(len(verdict.columns) - MOST_COLUMNS, 0),
        width=charts.WIDTH,
        height=charts.HEIGHT,
    )


def rows(verdict: Verdict) -> str:
    """How many rows a verdict is on, of how many they are a sample, and how many were left out as no cases."""
    judged = f"{verdict.rows:,}{f' of {verdict.answered:,}' if verdict.answered > verdict.rows else ''} rows"
    return f"{judged}, without {verdict.exploring:,} marked as exploring" if verdict.exploring else judged


def number(value: float | None) -> str:
    """Four digits of a number, or a dash."""
    if value is None:
        return _NOTHING
    return f"{value:,.0f}" if abs(value) >= _LARGE else f"{value:.4g}"


def figure(measured: Figure | None) -> str:
    """A figure with its interval, or a dash."""
    if measured is None:
        return _NOTHING
    if measured.low is None or measured.high is None:
        return number(measured.value)
    return f"{number(measured.value)} ({number(measured.low)} to {number(measured.high)})"


def percent(share: float | None) -> str:
    """A share; less than a tenth of a percent has its digits, since zero it is not."""
    if share is None:
        return _NOTHING
    return f"{share:.1%}" if share == 0 or share >= 0.001 else "< 0.1%"


def signed(change: float | None) -> str:
    """A difference with its sign, or a dash."""
    return _NOTHING if change is None else f"{change:+.2f}"


_templates = jinja2.Environment(
    loader=jinja2.PackageLoader("monitoring"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_templates.filters |= {"number": number, "figure": figure, "percent": percent, "signed": signed}
