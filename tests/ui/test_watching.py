"""Watch: the last verdict on the answers of a model, as the service passes it on."""

import json
import re
from typing import Any

import msgspec
import numpy as np
import pytest
from pydantic import ValidationError

from tests.monitoring import made
from tests.ui.test_service import asked, odd
from ui import watching
from ui.described import Column, Model
from ui.service import ServiceError
from ui.views import base
from ui.views import watch as view_of_watch
from ui.watched import Verdict

HOSTILE = "<img src=x onerror=alert(1)>"
MODEL = Model(name="m", version="1", title="M", contract=(Column(name="air_line", kind="category"),))


def figure(value: float) -> dict[str, float]:
    return {"value": value, "low": value - 1, "high": value + 1}


def day(number: int, **more: Any) -> dict[str, Any]:
    plain = {"day": f"2026-11-{number:02}", "rows": 100 * number, "versions": {"1": 100 * number}, "status": "ok"}
    return {**plain, "estimated": figure(10 + number), **more}


DOCUMENT: dict[str, Any] = {
    "model": "m",
    "version": "1",
    "made": "2026-11-30T06:00:00Z",
    "first": "2026-11-29",
    "last": "2026-11-30",
    "rows": 4_000,
    "status": "alarm",
    "sentence": "Alarm: the market has moved.",
    "reference": "all 900 reference rows",
    "findings": [{"kind": "new_names", "harmful": True, "sentence": "air_line: a new name", "advice": "Look at it."}],
    "columns": [
        {"name": "air_line", "importance": 0.4, "psi": 0.3, "missing": 0.0, "missing_before": 0.0, "new_share": 0.08,
         "new_names": ["Nimbus"], "drifted": True}
    ],
    "performance": [
        {"metric": "mae", "better": "lower", "before": figure(10), "estimated": figure(12), "true": figure(15),
         "labelled": 300, "off": -0.2}
    ],
    "coverage": {"stated": 0.9, "live": figure(0.71), "rows": 300},
    "rivals": [{"version": "2", "role": "shadow", "rows": 50, "labelled": 40, "sentence": "Too few to decide."}],
    "days": [day(1), day(2, estimated=None), day(3, true=figure(20)), day(4, versions={"1": 200, "2": 200})],
}  # fmt: skip


def shown(**changes: Any) -> str:
    return view_of_watch.watch(MODEL, Verdict.model_validate({**DOCUMENT, **changes}))


def test_a_verdict_is_shown_with_what_it_rests_on() -> None:
    page = shown()
    for text in ("Alarm", "the market has moved", "air_line: a new name", "Look at it.", "air line",
                 "Nimbus", "Too few to decide",
                 "4,000 answers of version 1", "all 900 reference rows", "71.0 %", "300 of these answers"):  # fmt: skip
        assert text in page, text
    for value in (0.3, 10.0, 12.0, 15.0):
        assert f'data-value="{value}"' in page
    assert "20.0 %" in page, "how far the estimate was off"
    assert "the first of version 2" in page


def test_a_verdict_on_too_few_rows_is_short() -> None:
    few = {name: DOCUMENT[name] for name in ("model", "version", "made", "first", "last", "rows")}
    page = view_of_watch.watch(MODEL, Verdict(status="too_few_rows", sentence="Only 50 rows.", **few))
    assert "Only 50 rows." in page
    assert "<h2>" not in page


@pytest.mark.parametrize("rows", [50, 2_000])
def test_whatever_monitoring_says_can_be_shown(rows: int) -> None:
    said = made.model().judged(made.answers("regression", np.random.default_rng(1), rows))
    page = view_of_watch.watch(MODEL, Verdict.model_validate_json(msgspec.json.encode(said)))
    assert said.sentence in page
    assert ("of which 0.25 is much" in page) == (rows > 50)


def test_lines_are_broken_where_a_day_has_no_figure() -> None:
    chart = watching.performance(Verdict.model_validate(DOCUMENT))
    assert chart is not None
    estimated, true = chart.lines
    assert [[point.day.day[-2:] for point in stretch] for stretch in estimated.stretches] == [["01"], ["03", "04"]]
    assert [point.figure.value for stretch in true.stretches for point in stretch] == [20]
    assert all(0 <= chart.y.place(value) <= 1 for value in (10, 15, 21))


@pytest.mark.parametrize("days", [[], [day(1)], [{"day": "2026-11-01", "rows": 0}, {"day": "2026-11-02", "rows": 0}]])
def test_days_without_figures_have_no_chart(days: list[dict[str, Any]]) -> None:
    assert watching.performance(Verdict.model_validate({**DOCUMENT, "days": days})) is None
    assert "by day: the line" not in shown(days=days)


def test_what_others_wrote_is_text() -> None:
    page = shown(
        sentence=HOSTILE,
        findings=[{"sentence": HOSTILE}],
        columns=[{"name": HOSTILE, "new_names": [HOSTILE]}],
        days=[day(1), day(2, day=HOSTILE, versions={HOSTILE: 1})],
    )
    assert HOSTILE not in page
    assert page.count("&lt;img") >= 5
    assert not re.search(r"<(script|img)", page)


def test_commands_are_shown_as_code() -> None:
    said = "Run `make drift <b>` for it."
    code = "Run <code>make drift &lt;b&gt;</code> for it."
    page = shown(sentence=said, findings=[{"sentence": said, "advice": said}])
    assert page.count(code) == 3
    assert all(code in shown_there for shown_there in (base.hint(said), base.problem(said)))


def test_the_service_is_asked_for_it() -> None:
    with odd((200, {}, json.dumps(DOCUMENT).encode())) as (url, seen):
        said = asked(url, lambda service: service.verdict("m"))
    assert isinstance(said, Verdict)
    assert said.sentence == DOCUMENT["sentence"]
    assert seen[-1][0] == "/v1/models/m/watch"


def test_where_there_is_none_the_service_says_what_to_do() -> None:
    with odd((404, {}, b'{"detail": "Run make drift."}')) as (url, _):
        assert asked(url, lambda service: service.verdict("m")) == "Run make drift."


def test_what_is_no_verdict_is_a_sentence() -> None:
    with (
        odd((200, {}, b'{"status": "ok"}')) as (url, _),
        pytest.raises(ServiceError, match="is not what this page reads"),
    ):
        asked(url, lambda service: service.verdict("m"))
    with pytest.raises(ValidationError):
        Verdict.model_validate({})
