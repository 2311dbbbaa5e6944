"""The last questions, which a browser keeps and nobody else, and the answer on paper."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Locator, expect

from tests.ui.pages import page_process
from tests.ui.test_access import AXE, serious
from tests.ui.test_ask import OTHER, agrees
from tests.ui.visitor import Api, Visitor, value
from tests.ui.wire import Wire
from ui import history, users

pytestmark = pytest.mark.browser
PASSWORD = "correct horse"  # noqa: S105 of users who are made here
KEPT = "Object.keys(localStorage).filter(name => name.startsWith('boxwood-history'))"


def questions(visitor: Visitor) -> Locator:
    """The list of the last questions, opened."""
    summary = visitor.page.locator(".history summary")
    expect(summary).to_be_visible()
    if visitor.page.locator(".history[open]").count() == 0:
        summary.click()
    return visitor.page.locator(".history li button")


def asked(visitor: Visitor, **row: Any) -> None:
    """Fill fields and have the row answered."""
    visitor.fill(row)
    visitor.predict()
    expect(visitor.page.locator(".ask[data-stale]")).to_have_count(0)
    expect(visitor.answer).to_be_visible()


@pytest.mark.parametrize("model", list(OTHER))
def test_a_question_is_there_after_a_reload_and_asked_again_by_a_click(visitor: Visitor, api: Api, model: str) -> None:
    first = api.example(model)
    version = api.model(model)["version"]
    visitor.open(model).predict()
    expect(visitor.answer).to_be_visible()
    visitor.fill(OTHER[model])
    visitor.predict()
    [said, other] = api.predict(model, first, first | OTHER[model])
    agrees(visitor.answer, other, version)
    expect(questions(visitor)).to_have_count(2)
    visitor.settle()
    visitor.page.evaluate(AXE.read_text())
    assert serious(visitor) == set()
    sent: list[str] = []
    visitor.page.on("request", lambda request: sent.append(f"{request.url} {request.post_data}"))
    visitor.open(model)
    expect(questions(visitor)).to_have_count(2)
    told = json.dumps(first)[1:60]
    assert not [each for each in sent if told in each]
    questions(visitor).nth(1).click()
    agrees(visitor.answer, said, version)
    expect(questions(visitor)).to_have_count(2)
    visitor.page.get_by_role("button", name="Clear", exact=True).click()
    expect(visitor.page.locator(".history summary")).to_be_hidden()
    assert visitor.page.evaluate(KEPT) == []


def test_the_last_twenty_of_each_model_are_kept(visitor: Visitor) -> None:
    visitor.open("churn")
    asked(visitor, tenure=1)
    [key] = visitor.page.evaluate(KEPT)
    [entry] = json.loads(visitor.page.evaluate("key => localStorage.getItem(key)", key))
    older = [{**entry, "row": {**entry["row"], "tenure": str(2 + place)}} for place in range(history.MOST)]
    visitor.page.evaluate("([key, text]) => localStorage.setItem(key, text)", [key, json.dumps(older)])
    gone = key.rsplit("/", 1)[0] + "/a-version-that-is-gone"
    visitor.page.evaluate("key => localStorage.setItem(key, '[]')", gone)
    visitor.open("churn")
    expect(questions(visitor)).to_have_count(history.MOST)
    assert gone not in visitor.page.evaluate(KEPT)
    asked(visitor, tenure=40)
    expect(questions(visitor).first).to_contain_text("tenure 40")
    expect(questions(visitor)).to_have_count(history.MOST)
    visitor.open("houses")
    expect(visitor.page.locator(".history summary")).to_be_hidden()


def test_what_a_browser_holds_is_shown_as_text(visitor: Visitor) -> None:
    visitor.open("churn")
    asked(visitor, tenure=1)
    [key] = visitor.page.evaluate(KEPT)
    hostile = [{"row": {"tenure": "<img src=x onerror=alert(1)>"}, "answer": "<script>alert(1)</script>"}]
    visitor.page.evaluate("([key, text]) => localStorage.setItem(key, text)", [key, json.dumps(hostile)])
    visitor.open("churn")
    expect(questions(visitor).first).to_contain_text("<script>")
    visitor.page.evaluate("key => localStorage.setItem(key, '{')", key)
    visitor.open("churn")
    expect(visitor.page.locator(".history summary")).to_be_hidden()


def logged_in(visitor: Visitor, url: str, name: str) -> None:
    """Log in as somebody, and wait for the form."""
    visitor.page.goto(f"{url}/?model=churn")
    visitor.page.get_by_label("Name").fill(name)
    visitor.page.get_by_label("Password").fill(PASSWORD)
    visitor.page.get_by_role("button", name="Log in").click()
    expect(visitor.predict_button).to_be_enabled()


def test_nobody_sees_the_questions_of_another(
    new_visitor: Callable[..., Visitor], service: httpx.Client, tmp_path: Path
) -> None:
    known = tmp_path / "users"
    for name in ("ann", "bob"):
        users.changed(known, name, users.hashed(PASSWORD))
    with page_process(str(service.base_url).rstrip("/"), tmp_path, "--users", str(known)) as url:
        visitor = new_visitor(f"{url}/")
        logged_in(visitor, url, "ann")
        asked(visitor, tenure=1)
        assert len(visitor.page.evaluate(KEPT)) == 1
        visitor.page.get_by_role("button", name="Log out").click()
        expect(visitor.page.get_by_role("button", name="Log in")).to_be_visible()
        assert visitor.page.evaluate(KEPT) == []
        logged_in(visitor, url, "ann")
        asked(visitor, tenure=1)
        visitor.page.context.clear_cookies()  # as when a session ends
        logged_in(visitor, url, "bob")
        expect(visitor.page.locator(".history")).to_be_attached()
        expect(visitor.page.locator(".history summary")).to_be_hidden()
        assert visitor.page.evaluate(KEPT) == []
        visitor.leave()


@pytest.mark.parametrize("model", list(OTHER))
def test_an_answer_is_printed_with_its_row_and_its_reasons(visitor: Visitor, api: Api, wire: Wire, model: str) -> None:
    row = api.example(model) | OTHER[model]
    [said], [why] = api.predict(model, row), api.explain(model, row)
    visitor.page.add_init_script("window.print = () => { window.printed = (window.printed ?? 0) + 1; }")
    visitor.open(model)
    with wire.asks() as of_a_case:
        asked(visitor, **OTHER[model])
    id_of = f"answer {of_a_case[0].said['predictions'][0]['prediction_id']}"
    known = len(wire.asked)
    for tab, times in (("Ask", 1), ("Why", 2)):
        visitor.tab(tab).get_by_role("button", name="Print").click()
        visitor.page.wait_for_function("times => window.printed === times", arg=times)
        visitor.page.emulate_media(media="print")
        paper = visitor.page.locator(".printed").filter(visible=True)
        expect(paper).to_have_count(1)
        for text in (api.model(model)["title"], f"Model {model}, version {api.model(model)['version']}", " UTC", id_of):
            expect(paper).to_contain_text(text)
        assert paper.locator(".prediction [data-value]").get_attribute("data-value") == str(said["prediction"])
        expect(paper.locator("dl > div")).to_have_count(len(row))
        steps = paper.locator(".waterfall tbody td.effect[data-value]")
        assert value(steps.first) in why["contributions"].values()
        expect(visitor.page.locator("button, input, select, [role=tab], .heading").filter(visible=True)).to_have_count(
            0
        )
        assert visitor.page.pdf().startswith(b"%PDF")
        visitor.page.evaluate("dispatchEvent(new Event('afterprint'))")
        visitor.page.emulate_media(media="screen")
        expect(visitor.page.locator(".printed").filter(visible=True)).to_have_count(0)
        expect(visitor.page.get_by_role("tab", name="Ask")).to_be_visible()
    assert all(":explain" in each.path for each in wire.asked[known:]), "it is the answer that was given"


def test_an_answer_to_no_case_is_printed_without_an_id(visitor: Visitor, wire: Wire) -> None:
    visitor.page.add_init_script("window.print = () => { window.printed = (window.printed ?? 0) + 1; }")
    asked(visitor.open("churn"))  # the example
    for row, times in ({}, 1), ({"tenure": 3}, 2):
        visitor.fill(row)
        with wire.asks(2) as asked_anew:
            visitor.page.locator("#print-ask").click()
        assert [each.purpose for each in asked_anew if "predictions" in each.said] == ["exploring"]
        visitor.page.wait_for_function("times => window.printed === times", arg=times)
        facts = visitor.page.locator(".ask .printed .facts")
        expect(facts).to_contain_text("asked on")
        expect(facts).not_to_contain_text("answer")


def test_without_an_answer_nothing_is_printed_but_the_reason_is_said(visitor: Visitor) -> None:
    visitor.page.add_init_script("window.print = () => { window.printed = 1; }")
    visitor.open("churn").fill({"tenure": None})
    visitor.page.locator("#print-ask").click()
    expect(visitor.page.locator(".sheet .problem")).to_contain_text("tenure")
    assert visitor.page.evaluate("window.printed ?? 0") == 0
