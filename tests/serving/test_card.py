"""GET /v1/models/{model}/card: the form that the caller prefers, and models without a card."""

import asyncio
import dataclasses
from typing import Protocol, cast

import httpx
import pytest

from model import bundle
from model.predictor import Predictor
from serving.access.caller import ANYONE, Caller
from serving.models import Models
from serving.rest import v1
from serving.rest.asgi import Front
from serving.rest.guard import NO_GUARD
from serving.served_model import ServedModel
from serving.settings import Settings
from serving.shared import Shared
from serving.watch import Watch
from tests.project import Project
from tests.serving.rest.test_http import problem

CARD = "/v1/models/flights/card"
CARDS = {"card.md": "# Fare ≥ 0", "card.html": "<h1>Fare ≥ 0</h1>"}
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


class Held:
    """The trained model with other cards."""

    def __init__(self, project: Project, cards: dict[str, str]) -> None:
        opened = dataclasses.replace(bundle.read(project.folder / "data/flights/bundle"), cards=cards)
        self.shared = Shared(Settings())
        self._served = ServedModel(Predictor.of(opened), opened, {}, self.shared)
        self.names = ["flights"]

    def versions(self, name: str) -> list[str]:
        return [self._served.predictor.version]

    def find(self, name: str, version: str = "", caller: Caller = ANYONE) -> ServedModel:
        return self._served if name == "flights" else Models(Settings()).find(name, version, caller)


class Ask(Protocol):
    def __call__(self, path: str = CARD, method: str = "GET", **headers: str) -> httpx.Response: ...


def asking(project: Project, cards: dict[str, str]) -> Ask:
    """Sends requests to an application that holds a model with these cards."""
    models = cast("Models", Held(project, cards))
    nothing = v1.UnknownPath(models)
    front = Front(nothing, lambda: v1.routes(models, Watch("", [])), {"/v1/": nothing}, NO_GUARD)

    def ask(path: str = CARD, method: str = "GET", **headers: str) -> httpx.Response:
        async def send() -> httpx.Response:
            async with httpx.AsyncClient(transport=httpx.ASGITransport(front), base_url="http://boxwood") as client:
                return await client.request(method, path, headers=headers)

        return asyncio.run(send())

    return ask


@pytest.fixture(scope="module")
def ask(trained: Project) -> Ask:
    return asking(trained, CARDS)


@pytest.mark.parametrize(
    ("accept", "page"),
    [
        (BROWSER, True),
        ("text/html", True),
        ("TEXT/HTML;Q=0.5, text/*;q=0.3", True),
        ("text/markdown;q=0.4, text/html; level=1; q=0.5", True),
        ("*/*", False),
        ("", False),
        ("text/*", False),
        ("text/markdown", False),
        ("text/markdown, text/html;q=0.9", False),
        ("text/html;q=0, */*", False),
        ("text/html;q=much", False),
        ("application/json", False),
        (";;,,=,", False),
    ],
)
def test_the_caller_chooses_the_form(ask: Ask, accept: str, page: bool) -> None:
    response = ask(accept=accept)
    assert response.status_code == 200
    assert response.headers["vary"] == "Accept"
    assert response.headers["content-type"] == f"text/{'html' if page else 'markdown'}; charset=utf-8"
    assert response.text == CARDS["card.html" if page else "card.md"]
    policy = response.headers.get("content-security-policy", "")
    assert policy.startswith("default-src 'none'; img-src data:; style-src 'unsafe-inline';") == page


def test_there_may_be_no_card(trained: Project, ask: Ask) -> None:
    response = asking(trained, {})()
    assert problem(response, 404)["detail"].startswith("The model 'flights' has no card")
    assert response.headers["vary"] == "Accept"
    assert problem(ask("/v1/models/trains/card"), 404)["type"] == "urn:boxwood:unknown-model"


def test_other_methods_are_refused(ask: Ask) -> None:
    response = ask(method="POST")
    problem(response, 405)
    assert response.headers["allow"] == "GET, HEAD"


def test_a_service_has_the_card_of_its_model(client: httpx.Client, predictor: Predictor) -> None:
    markdown = client.get(CARD)
    assert markdown.status_code == 200
    assert markdown.headers["content-type"] == "text/markdown; charset=utf-8"
    assert markdown.text.startswith("# Fare of a flight")
    assert predictor.version in markdown.text
    page = client.get(CARD, headers={"accept": BROWSER})
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "img-src data:" in page.headers["content-security-policy"]
    assert page.text.startswith("<!doctype html>")
    assert "data:image/png;base64," in page.text
