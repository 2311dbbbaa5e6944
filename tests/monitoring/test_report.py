"""The page and the metrics of a verdict."""

import re
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from monitoring import exposition, report
from monitoring.verdict import (
    ColumnDrift,
    Coverage,
    Day,
    Figure,
    Finding,
    LiveSlice,
    Performance,
    Rival,
    Status,
    Verdict,
)

FIGURE = Figure(71.25, 70.0, 72.5)
TEXTS = st.text(max_size=30)


def verdict(text: str = "agency", status: Status = "alarm", days: int = 5, columns: int = 3) -> Verdict:
    """A verdict with all that one may have; `text` stands wherever a caller's text may."""
    return Verdict(
        model="flights",
        version="8ba8d6f61ade674b",
        made="2026-11-30T06:00:00+00:00",
        first="2026-11-29",
        last="2026-11-30",
        rows=4_000,
        status=status,
        sentence=f"Alarm: {text}.",
        findings=[
            Finding(kind="new_names", harmful=True, sentence=text, column=text, since="2026-11-20", advice="Look."),
            Finding(kind="predictions", harmful=False, sentence=text),
        ],
        reference=f"9,120 reference rows of {text}",
        columns=[
            ColumnDrift(
                name=f"{text}{place}", importance=0.5, psi=0.31, missing=0.2, missing_before=0.0, new_names=[text]
            )
            for place in range(columns)
        ],
        divergence=0.08,
        divergence_threshold=0.15,
        separable=Figure(0.55, 0.53, 0.57),
        performance=[
            Performance(metric="mae", better="lower", before=FIGURE, estimated=FIGURE, true=FIGURE, labelled=900)
        ],
        coverage=Coverage(0.9, Figure(0.88), 900),
        slices=[LiveSlice(text, text, 300, FIGURE)],
        rivals=[Rival(version=text, role="shadow", rows=9, labelled=0, metric="mae", sentence=text)],
        days=[
            Day(day=f"2026-11-{place + 1:02d}", rows=2_000, versions={text: 2_000}, status="ok", estimated=FIGURE)
            for place in range(days)
        ],
    )


class _Elements(HTMLParser):
    """The elements of a page, and the attributes that they have."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.names: list[str] = []
        self.attributes: set[str] = set()
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.append(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        self.text += data


@settings(max_examples=50, deadline=None)
@given(text=TEXTS | st.sampled_from(["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "]]>", "{{ 1 }}"]))
def test_what_callers_send_makes_no_element_of_the_page(text: str) -> None:
    harmless, page = _Elements(report.html(verdict())), _Elements(report.html(verdict(text)))
    assert page.names == harmless.names
    assert page.attributes == harmless.attributes


def test_the_page_loads_nothing_and_runs_nothing() -> None:
    page = report.html(verdict())
    elements = _Elements(page)
    assert not {"script", "link", "img", "iframe", "object"} & set(elements.names)
    assert not {"src", "href", "style"} & elements.attributes
    assert not re.search(r"url\(|@import|https?:", page)
    assert "default-src 'none'" in page


@pytest.mark.parametrize(
    ("status", "word"),
    [("ok", "As before"), ("changed", "Changed, harmless"), ("alarm", "Alarm"), ("too_few_rows", "Not enough rows")],
)
def test_the_page_begins_with_the_verdict(status: Status, word: str) -> None:
    page = report.html(verdict(status=status))
    assert re.search(rf'<h1 class="{status}">{word}</h1>\s*<p class="sentence">Alarm: agency.</p>', page)


def test_the_page_shows_findings_figures_and_days() -> None:
    text = " ".join(_Elements(report.html(verdict())).text.split())
    for shown in ("Harmful agency Since 2026-11-20.", "71.25 (70 to 72.5)", "9,120 reference rows", "was 0.0%", "900"):
        assert shown in text
    assert report.html(verdict(days=40)).count("<rect") == 40


def test_a_verdict_on_too_few_rows_has_a_page_too() -> None:
    empty = Verdict(
        model="flights",
        version="8b",
        made="2026-11-30T06:00:00Z",
        first="2026-11-30",
        last="2026-11-30",
        rows=50,
        status="too_few_rows",
        sentence="50 rows.",
    )
    assert "50 rows." in report.html(empty)
    [status] = [
        sample
        for family in text_string_to_metric_families(exposition.text(empty).decode())
        for sample in family.samples
        if sample.name == "boxwood_watch_status" and sample.value == 1
    ]
    assert status.labels == {"model": "flights", "version": "8b", "status": "too_few_rows"}


def test_many_columns_and_days_are_bounded() -> None:
    page = report.html(verdict(columns=3_000))
    assert "And 2900 more" in page
    families = text_string_to_metric_families(exposition.text(verdict(columns=3_000)).decode())
    assert all(len(family.samples) <= exposition.MOST_COLUMNS for family in families)


@settings(max_examples=50, deadline=None)
@given(text=TEXTS.filter(lambda text: "\r" not in text))
def test_prometheus_reads_what_the_verdict_says(text: str) -> None:
    families = {
        family.name: family for family in text_string_to_metric_families(exposition.text(verdict(text)).decode())
    }
    assert all(name.startswith("boxwood_watch_") for name in families)
    drift = families["boxwood_watch_column_psi"].samples
    assert [sample.labels["column"] for sample in drift] == [f"{text}{place}" for place in range(3)]
    assert {sample.value for sample in drift} == {0.31}
    performance = {sample.labels["of"]: sample.value for sample in families["boxwood_watch_performance"].samples}
    assert performance == {"before": 71.25, "estimated": 71.25, "true": 71.25}
    assert [sample.value for sample in families["boxwood_watch_verdict_timestamp_seconds"].samples] == [1796018400.0]
