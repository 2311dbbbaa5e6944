"""The results of the demo page as a section of the report."""

from collections.abc import Iterable, Sequence

from benchmarks.page import CALLS, EXPLAINED, ROWS, Shown, Start, Table
from benchmarks.report import Section, Target, median

PAINT_SECONDS, USABLE_SECONDS = 0.7, 2.0
CLICK_MS = 150.0
SAME = 1.1
"""Up to this ratio, the start times or the memory of the service with and without the page count as equal."""
FROZEN_MS = 1_000.0
"""A page that answers later than this, while it works on a table, counts as frozen."""


def section(results: Shown) -> Section:
    """The table of results, and the targets."""
    explanation = (
        "Flights in Chromium, on the machine that serves: visitors with an empty cache who then press Predict, the "
        "first of them as soon as the page's process answers; clicks in one window, each after a changed value, "
        f"until the frame that shows the answer; a CSV file of {ROWS:,} rows from its button to its preview, while "
        "another visitor goes on clicking. The service's starts are in turn without and with the page, as in `make "
        f"serve`, with one worker; its memory is that of all its processes, resident, after {CALLS} predictions and "
        f"{EXPLAINED} explanations in the page's own requests."
    )
    return Section(explanation, ["what", "median", "worst", "of"], _rows(results), _targets(results))


def _rows(results: Shown) -> list[list[str]]:
    alone, with_page = (_starts_with(results.starts, page) for page in (False, True))
    visits, starts = (f"{len(results.visits)} visits", f"{len(with_page)} starts")
    return [
        _seconds("first contentful paint", [visit.paint for visit in results.visits], visits),
        _seconds("until the form can be used", [visit.usable for visit in results.visits], visits),
        _clicks("click to prediction", results.clicks),
        *(row for table in results.tables for row in _table(table)),
        _seconds("the service's start, alone", [start.ready for start in alone], starts),
        _seconds("the service's start, with the page", [start.ready for start in with_page], starts),
        _seconds("from then until the page is up", [start.page_up for start in with_page], starts),
        _megabytes("the service's memory, alone", [start.memory for start in alone], starts),
        _megabytes("the service's memory, with the page", [start.memory for start in with_page], starts),
        _megabytes("the page's memory", [start.page_memory for start in with_page], starts),
        ["the page's memory after visits and clicks", f"{results.memory:.0f} MB", "", "once"],
        ["the page's memory at its peak, with the tables", f"{results.peak:.0f} MB", "", "once"],
    ]


def _table(table: Table) -> list[list[str]]:
    what = f"{ROWS:,} rows {'with' if table.reasons else 'without'} reasons"
    return [
        [f"{what}, after an upload of {table.upload:.1f} s", f"{table.seconds:.0f} s", "", "once"],
        _clicks("another visitor's click to prediction meanwhile", table.clicks),
    ]


def _seconds(what: str, values: Sequence[float], of: str) -> list[str]:
    return [what, f"{median(values):.2f} s", f"{max(values):.2f} s", of]


def _megabytes(what: str, values: Sequence[float], of: str) -> list[str]:
    return [what, f"{median(values):.0f} MB", f"{max(values):.0f} MB", of]


def _clicks(what: str, seconds: Sequence[float]) -> list[str]:
    return [what, f"{1e3 * median(seconds):.0f} ms", f"{1e3 * max(seconds):.0f} ms", f"{len(seconds)} clicks"]


def _targets(results: Shown) -> list[Target]:
    alone, with_page = (_starts_with(results.starts, page) for page in (False, True))
    paint = max(visit.paint for visit in results.visits)
    usable = max(visit.usable for visit in results.visits)
    click = 1e3 * max(results.clicks)
    neighbour = 1e3 * max(took for table in results.tables for took in table.clicks)
    # each start is compared to its neighbour, so that a slow moment of the machine counts on both sides
    start = median(two.ready / one.ready for one, two in zip(alone, with_page, strict=True))
    memory = median(two.memory / one.memory for one, two in zip(alone, with_page, strict=True))
    return [
        Target("the worst first paint", f"{paint:.2f} s", f"under {PAINT_SECONDS:g} s", paint < PAINT_SECONDS),
        Target(
            "the worst wait for the form", f"{usable:.2f} s", f"under {USABLE_SECONDS:g} s", usable < USABLE_SECONDS
        ),
        Target("the worst click to prediction", f"{click:.0f} ms", f"within {CLICK_MS:.0f} ms", click <= CLICK_MS),
        Target("another visitor's worst", f"{neighbour:.0f} ms", f"within {FROZEN_MS:.0f} ms", neighbour <= FROZEN_MS),
        _same("start of the service, with the page to alone", start),
        _same("memory of the service, with the page to alone", memory),
    ]


def _same(what: str, ratio: float) -> Target:
    return Target(what, f"{ratio:.2f}", f"at most {SAME:g}", ratio <= SAME)


def _starts_with(starts: Iterable[Start], beside: bool) -> list[Start]:
    return [start for start in starts if start.beside == beside]
