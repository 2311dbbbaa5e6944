"""What the report says of the demo page."""

from benchmarks import page_section
from benchmarks.page import Shown, Start, Table
from benchmarks.report import Target
from benchmarks.visitor import Visit

NAN = float("nan")
STARTS = [
    Start(beside=False, ready=4.0, memory=250.0, page_up=NAN, page_memory=NAN),
    Start(beside=True, ready=4.2, memory=251.0, page_up=5.0, page_memory=180.0),
    Start(beside=False, ready=8.0, memory=252.0, page_up=NAN, page_memory=NAN),
    Start(beside=True, ready=8.4, memory=253.0, page_up=7.0, page_memory=182.0),
]
TABLES = [
    Table(reasons=False, upload=0.5, seconds=12.0, clicks=[0.1, 0.2]),
    Table(reasons=True, upload=0.6, seconds=150.0, clicks=[0.3, 0.2, 0.1]),
]
SHOWN = Shown(
    STARTS, [Visit(0.6, 1.9), Visit(0.2, 1.0), Visit(0.3, 1.2)], [0.1, 0.08, 0.14], TABLES, memory=230.0, peak=400.0
)


def test_each_thing_is_told_with_its_median_its_worst_and_of_how_many() -> None:
    rows = {what: cells for what, *cells in page_section.section(SHOWN).rows}
    assert rows["first contentful paint"] == ["0.30 s", "0.60 s", "3 visits"]
    assert rows["click to prediction"] == ["100 ms", "140 ms", "3 clicks"]
    assert rows["100,000 rows with reasons, after an upload of 0.6 s"] == ["150 s", "", "once"]
    assert rows["the service's memory, with the page"] == ["252 MB", "253 MB", "2 starts"]
    assert rows["from then until the page is up"] == ["6.00 s", "7.00 s", "2 starts"]


def test_each_visitors_clicks_while_a_table_is_answered_stand_below_it() -> None:
    rows = page_section.section(SHOWN).rows
    places = [place for place, row in enumerate(rows) if row[0].startswith("100,000 rows")]
    assert [rows[place + 1][1:] for place in places] == [
        ["150 ms", "200 ms", "2 clicks"],
        ["200 ms", "300 ms", "3 clicks"],
    ]


def targets(shown: Shown) -> dict[str, Target]:
    return {one.what: one for one in page_section.section(shown).targets}


def test_a_start_is_compared_with_its_neighbour() -> None:
    """The machine was half as fast the second time, with the page and without."""
    same = targets(SHOWN)["start of the service, with the page to alone"]
    assert (same.measured, same.reached) == ("1.05", True)


def test_the_worst_decides() -> None:
    assert all(one.reached for one in targets(SHOWN).values())
    slow = SHOWN._replace(
        visits=[*SHOWN.visits, Visit(0.8, 2.1)],
        clicks=[*SHOWN.clicks, 0.16],
        tables=[TABLES[0], TABLES[1]._replace(clicks=[0.1, 1.2])],
        starts=[one._replace(ready=one.ready * (1.2 if one.beside else 1)) for one in STARTS],
    )
    missed = [what for what, one in targets(slow).items() if not one.reached]
    assert missed == [
        "the worst first paint",
        "the worst wait for the form",
        "the worst click to prediction",
        "another visitor's worst",
        "start of the service, with the page to alone",
    ]
