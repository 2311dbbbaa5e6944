"""The demo page as its visitors see it, and what it costs the service on the same machine."""

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

import pandas as pd
from playwright.sync_api import Browser

from benchmarks import bodies, servers, visitor
from benchmarks.options import PAGE_PORT, PORT, Bench
from benchmarks.process import Running, begun
from benchmarks.visitor import Visit
from ui.service import Service

VISITS, CLICKS = 10, 50
ROWS = 100_000
CALLS, EXPLAINED = 300, 30
_PAUSE = 0.2
"""Seconds between two clicks of the other visitor."""


class Start(NamedTuple):
    """One start of the service, as by `make serve`."""

    beside: bool
    """Whether the page is started too."""
    ready: float
    """Seconds until the service was ready."""
    memory: float
    """Of all its processes, in MB, after the requests of a visitor who predicts and explains."""
    page_up: float
    """Seconds from then until the page was ready; nan without it."""
    page_memory: float
    """In MB, before the first visit."""


class Table(NamedTuple):
    """A table of ROWS rows, answered through the page."""

    reasons: bool
    upload: float
    """Seconds."""
    seconds: float
    """From the click to the preview."""
    clicks: list[float]
    """Seconds from click to prediction of another visitor meanwhile."""


class Shown(NamedTuple):
    """The results of all measurements."""

    starts: list[Start]
    visits: list[Visit]
    """The first one is also the first of the process."""
    clicks: list[float]
    tables: list[Table]
    memory: float
    """The page's in MB, after the visits and clicks."""
    peak: float
    """Its largest resident memory in MB."""


class _Beside(NamedTuple):
    service: Running
    page: Running | None


def measure(bench: Bench) -> Shown:
    """Start the service without and with the page, in turn; then measure the page."""
    starts = [_start(bench, beside) for _ in range(bench.rounds) for beside in (False, True)]
    table = bench.work / "rows.csv"
    pd.DataFrame(bodies.rows(ROWS)).to_csv(table, index=False)
    with visitor.browser() as chromium, _serving(bench, beside=True) as (_, page):
        assert page is not None  # noqa: S101 started above
        visits = [_visit(chromium) for _ in range(VISITS)]
        with visitor.visitor(chromium) as somebody:
            clicks = [somebody.predict() for _ in range(CLICKS)]
        memory = page.memory.whole
        tables = [_table(chromium, table, reasons=reasons) for reasons in (False, True)]
        return Shown(starts, visits, clicks, tables, memory, page.peak)


@contextmanager
def _serving(bench: Bench, *, beside: bool) -> Iterator[_Beside]:
    settings = {"BOXWOOD_UI": f":{PAGE_PORT}"} if beside else {}
    with ExitStack() as stack:
        service = stack.enter_context(begun(servers.ours(bench, **settings), bench.work))
        page = stack.enter_context(begun(servers.page(service.process.pid), bench.work)) if beside else None
        yield _Beside(service.until_ready(), None if page is None else page.until_ready())


def _start(bench: Bench, beside: bool) -> Start:
    with _serving(bench, beside=beside) as (service, page):
        asyncio.run(_ask())
        memory = service.memory.whole
        if page is None:
            return Start(beside, service.ready, memory, float("nan"), float("nan"))
        return Start(beside, service.ready, memory, page.ready - service.ready, page.memory.whole)


async def _ask() -> None:
    """Send the requests that the page sends for a visitor who predicts and explains some hundred rows."""
    service = Service(f"http://127.0.0.1:{PORT}")
    [name] = await service.names()
    await service.model(name)
    await service.card(name)
    for place, row in enumerate(bodies.rows(CALLS)):
        await service.predict(name, [row])
        if place < EXPLAINED:
            await service.explain(name, [row])
    await service.close()


def _visit(chromium: Browser) -> Visit:
    with visitor.visitor(chromium) as somebody:
        somebody.predict()  # checks that the form really works
        return somebody.visit


def _table(chromium: Browser, table: Path, *, reasons: bool) -> Table:
    with visitor.visitor(chromium) as uploading, visitor.visitor(chromium) as neighbour:
        upload = uploading.upload(table, reasons=reasons)
        uploading.predict_all()
        clicks = []
        while uploading.waits:
            clicks.append(neighbour.predict())
            neighbour.pause(_PAUSE)
        seconds = uploading.answered()
        text = uploading.text(".preview .sentence")
        if f"{ROWS:,} of {ROWS:,} rows answered" not in text:
            raise RuntimeError(f"the page said of the table: {text}")
        return Table(reasons, upload, seconds, clicks)
