"""The page at /, and Swagger UI at /docs, as their HTML says it; tests/ui/test_home.py looks at them with a browser."""

import html
import re
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from model import standing
from model.metrics import Metrics
from model.predictor import Predictor
from serving.models import Models
from serving.rest import fields
from serving.settings import Settings
from tests.project import Project
from tests.serving.rest.test_http import problem
from tests.serving.rest.test_pages import BROWSER
from tests.serving.test_versions import ask

MOST_BYTES = 30_000
_LOADED = re.compile(r'(?:src|href)="((?!data:)[^"?]*[^"]*)"')


def page(client: httpx.Client, path: str = "/") -> str:
    answer = client.get(path, headers=BROWSER)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    return html.unescape(answer.text)


def test_it_says_what_is_served(client: httpx.Client, predictor: Predictor) -> None:
    shown = page(client)
    described = client.get("/v1/models/flights").json()
    assert "<h1>Fare of a flight</h1>" in shown
    assert "Predicts price in USD (Fare of one seat), with an interval." in shown
    assert f"<code>{predictor.version}</code>" in shown
    assert f"number {described['lineage']['registry_version']} in the registry" in shown
    assert re.search(r'answering here since <time datetime="[-:.T0-9]+\+00:00">[-0-9]+ [0-9:]+ UTC</time>', shown)
    assert "<strong>Last verdict on its answers:</strong> Nothing has changed." in shown
    scores = described["metrics"]["scores"]
    for who in ("model", "lookup"):
        assert f"{scores[who]['rmse']['value']:,.4g} USD [" in shown
    beats = described["metrics"]["beats_lookup"]
    assert ("It beats a lookup of group means" in shown) == beats


def test_its_verdict_is_one_sentence(trained: Project) -> None:
    judged = msgspec.json.decode((trained.folder / "data/flights/metrics.json").read_bytes(), type=Metrics)
    said = standing.sentence(judged)
    assert said.startswith("It beats a lookup of group means: RMSE ")
    worse = msgspec.structs.replace(judged, beats_lookup=False)
    assert standing.sentence(worse).startswith("It does not beat a lookup of group means, so use the lookup: RMSE ")
    nothing = {"rmse": msgspec.structs.replace(judged.scores["linear"]["rmse"], value=0.0)}
    ahead = msgspec.structs.replace(judged, scores=judged.scores | {"linear": judged.scores["linear"] | nothing})
    assert standing.sentence(ahead).endswith("; linear is better still: look into why.")


def test_the_form_has_a_field_for_each_input(client: httpx.Client, predictor: Predictor, row: dict[str, Any]) -> None:
    shown = page(client)
    names = re.findall('data-column="([^"]+)"', shown)
    assert names == [column.name for column in predictor.contract.inputs]
    for name in names:
        assert f'<label for="f-{name}">' in shown
    assert f'<option value="{row["cabin"]}" selected>' in shown
    assert re.search(r'id="f-duration_hours" type="text" value="1.75"[^>]* inputmode="decimal"', shown)
    assert 'type="date" value="2023-05-12"' in shown
    assert "Time in the air. From 0 to 48. Training saw " in shown


def test_it_is_small_and_loads_nothing_of_others(client: httpx.Client) -> None:
    answers = [client.get("/", headers=BROWSER)]
    for path in ("/", "/docs"):
        for loaded in _LOADED.findall(page(client, path)):
            assert not re.match("(?i)[a-z]+:|//|/", loaded), "only relative addresses hold behind a prefix"
            if loaded.startswith("static_content/"):
                answers.append(client.get(f"/{loaded}"))
                assert answers[-1].status_code == 200
    ours = [answer for answer in answers if "swagger" not in str(answer.url)]
    assert len(ours) == 4
    assert all(answer.headers["x-content-type-options"] == "nosniff" for answer in ours)
    assert sum(len(answer.content) for answer in ours) < MOST_BYTES
    assert "'unsafe-inline'" not in answers[0].headers["content-security-policy"]
    assert not re.search(r"(?i)<script(?![^>]* src=)|<style| style=| on[a-z]+=", answers[0].text)


def test_scripts_have_another_address_once_they_are_other_ones(client: httpx.Client) -> None:
    [address] = [loaded for loaded in _LOADED.findall(page(client)) if "home.js" in loaded]
    answer = client.get(f"/{address}")
    assert answer.headers["content-type"] == "text/javascript; charset=utf-8"
    assert "immutable" in answer.headers["cache-control"]
    assert re.fullmatch(r"static_content/home\.js\?[0-9a-f]{12}", address)


def test_every_link_leads_somewhere(client: httpx.Client) -> None:
    for link in _LOADED.findall(page(client)):
        assert client.get(f"/{link}", headers=BROWSER).status_code == 200, link
    assert client.post("/").headers["allow"] == "GET, HEAD"
    assert client.head("/", headers=BROWSER).text == ""


def test_others_than_browsers_are_told_where_things_are(client: httpx.Client) -> None:
    for accept in ("*/*", "application/json", "application/json, text/html;q=0.5", ""):
        answer = client.get("/", headers={"accept": accept})
        assert answer.headers["vary"].startswith("Accept")
        document = answer.json()
        assert document["status"] == "alive"  # as KServe's client asks V1
        for link in document["links"].values():
            assert client.get(f"/{link}").status_code == 200, link
    assert "page" not in document["links"]


def test_an_unknown_model_is_said_beside_one_that_is_there(client: httpx.Client) -> None:
    for query, said in (("model=<b>", "There is no model '<b>' here"), ("version=0", "There is no version '0' of")):
        answer = client.get(f"/?{query}", headers=BROWSER)
        assert answer.status_code == 404
        assert said in html.unescape(answer.text)
        assert "<b>" not in answer.text
        assert "Fare of a flight" in answer.text


def test_the_description_is_below_docs(client: httpx.Client) -> None:
    plain, slashed = page(client, "/docs"), page(client, "/docs/")
    assert 'src="static_content/swagger-ui-bundle.js"' in plain
    assert 'src="../static_content/swagger-ui-bundle.js"' in slashed
    description = client.get("/docs.json").json()["info"]["description"]
    assert "problem details" in description
    assert problem(client.post("/docs"), 405)["detail"] == "This path answers GET."


def test_versions_can_be_chosen(trained: Project, narrower: Path) -> None:
    async def question(client: httpx.AsyncClient) -> None:
        first, second = (await client.get("/v1/models/flights")).json()["versions"]
        default = (await client.get("/", headers=BROWSER)).text
        other = (await client.get(f"/?model=flights&version={second}", headers=BROWSER)).text
        for shown, version in ((default, first), (other, second)):
            assert f'data-place="flights/versions/{version}"' in shown
            assert [link for link in _LOADED.findall(shown) if link.startswith("?")] == [
                f"?model=flights&amp;version={each}" for each in (first, second)
            ]
            assert re.search(f'version={version}" aria-current="page"', shown)

    ask([trained.folder / "data/flights/bundle", narrower], question)


def test_the_form_begins_with_a_row_whose_values_go_together(trained: Project, tmp_path: Path) -> None:
    """That of the evaluation, but for strangers: it is made of rows of the table."""
    bundle, row = trained.folder / "data/flights/bundle", {"agency": "Rainbow", "distance_km": 401.66}
    metrics = msgspec.json.decode((trained.folder / "data/flights/metrics.json").read_bytes(), type=Metrics)
    examples = [{**metrics.examples[0], **row}]
    for stranger in (False, True):
        models = Models(Settings(api_keys="keys.json", open_routes="docs") if stranger else Settings())
        models.add(bundle, {})
        served = models.default
        if not stranger:
            served.examples = examples
        values = {field.name: field.value for field in fields.of(served, known=not stranger)}
        shown = served.predictor.contract.example() if stranger else examples[0]
        assert (values["agency"], values["distance_km"]) == (shown["agency"], str(shown["distance_km"]))


@pytest.mark.parametrize("known", [True, False])
def test_a_stranger_reads_no_more_than_the_openapi_document_says(trained: Project, known: bool) -> None:
    models = Models(Settings())
    models.add(trained.folder / "data/flights/bundle", {})
    by_name = {field.name: field for field in fields.of(models.default, known=known)}
    assert ("Training saw" in by_name["duration_hours"].hint) == known
    assert bool(by_name["agency"].options) == known  # its names are not in the document, since others are allowed
    assert by_name["cabin"].options == ["economic", "firstClass", "premium"]
    assert by_name["agency"].looked_up != known
