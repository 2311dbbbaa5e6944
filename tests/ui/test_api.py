"""The page's functions by name, asked with Gradio's own client as a notebook does."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pandas as pd
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError

from tests.project import ROOT
from tests.ui.over_http import Script, queued
from tests.ui.pages import page_process
from tests.ui.visitor import Api
from ui import users

NAME, PASSWORD = "ann", "correct horse"
SHOWN = "http://127.0.0.1:7860"
"""Where the guide's page is."""
BLOCKS = re.compile(r"```python\n(.*?)```", re.DOTALL)


def block(number: int) -> str:
    """A block of the guide that says how to do this."""
    found: str = BLOCKS.findall((ROOT / "docs/how-to/the-page.md").read_text())[number]
    return found


@pytest.fixture(scope="module")
def page(client: httpx.Client, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where the page of the service of flights is."""
    with page_process(str(client.base_url).rstrip("/"), tmp_path_factory.mktemp("page")) as url:
        yield url


@pytest.fixture(scope="module")
def asked(page: str) -> Client:
    """A program that asks it."""
    return Client(f"{page}/api", verbose=False)


@pytest.fixture
def row(client: httpx.Client) -> dict[str, Any]:
    """The contract's example."""
    return Api(client).example("flights")


def test_an_answer_is_what_the_service_says(asked: Client, client: httpx.Client, row: dict[str, Any]) -> None:
    [expected] = client.post("/v1/models/flights:predict", json={"instances": [row]}).json()["predictions"]
    said = asked.predict(row, api_name="/predict")
    assert {**said, "prediction_id": ""} == {
        "model_name": "flights", "model_version": said["model_version"], **expected, "prediction_id": "",
    }  # fmt: skip
    named = asked.predict(row=row, model="flights", version=said["model_version"], api_name="/predict")
    assert named["prediction"] == said["prediction"]
    assert asked.predict(api_name="/models") == {"models": ["flights"]}


def test_steps_lead_from_the_start_to_the_end(asked: Client, row: dict[str, Any]) -> None:
    why = asked.predict(row=row, api_name="/explain")
    assert why["start"] == why["base_value"]
    assert why["end"] == pytest.approx(why["prediction"])
    assert sum(step["contribution"] for step in why["steps"]) == pytest.approx(why["end"] - why["start"])
    assert why["sentence"].startswith("The predicted price is")
    other = {**row, "cabin": "firstClass"}
    between = asked.predict(first=row, second=other, api_name="/compare")
    before, after = (answer["prediction"] for answer in between["answers"])
    assert (between["start"], between["end"]) == (pytest.approx(before), pytest.approx(after))


def test_points_and_changes_are_answers_to_their_rows(asked: Client, row: dict[str, Any]) -> None:
    varied = asked.predict(row=row, column="cabin", api_name="/what_if")
    for point in varied["points"]:
        answer = asked.predict(row={**row, "cabin": point["value"]}, api_name="/predict")
        assert point["answer"]["prediction"] == answer["prediction"]
    wanted = 0.8 * asked.predict(row=row, api_name="/predict")["prediction"]
    found = asked.predict(row=row, at_most=wanted, columns=["agency", "duration_hours"], api_name="/change")
    assert found["ways"]
    for way in found["ways"]:
        changed = {change["column"]: change["value"] for change in way["changes"]}
        assert set(changed) <= {"agency", "duration_hours"}
        answer = asked.predict(row={**row, **changed}, api_name="/predict")
        assert answer["prediction"] == way["answer"]["prediction"] <= wanted
    assert asked.predict(row=row, at_least=wanted, api_name="/change")["reached"]


def test_a_table_comes_back_with_its_answers(asked: Client, row: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "fares.csv"
    pd.DataFrame([row, {**row, "cabin": "none"}]).to_csv(path, index=False)
    answered, counts = asked.predict(file=handle_file(path), reasons=False, api_name="/many")
    assert (counts["rows"], counts["refused"]) == (2, 1)
    assert [error["row"] for error in counts["errors"]] == [2]
    answers = pd.read_csv(answered)["prediction"]
    assert answers[0] == asked.predict(row, api_name="/predict")["prediction"]
    assert pd.isna(answers[1])


def test_a_model_and_its_verdict_are_described(asked: Client, client: httpx.Client) -> None:
    told, described = asked.predict(api_name="/model"), client.get("/v1/models/flights").json()
    assert [column["name"] for column in told["contract"]] == [column["name"] for column in described["contract"]]
    assert told["metrics"] == described["metrics"]
    assert told["card"] == client.get("/v1/models/flights/card", headers={"accept": "text/markdown"}).text
    watched = asked.predict(api_name="/watch")
    assert watched["verdict"]["rows"] == client.get("/v1/models/flights/watch").json()["rows"]
    assert watched["sentence"] == "Nothing has changed."


@pytest.mark.parametrize(
    ("name", "changes", "sentence"),
    [
        ("predict", {"row": {"cabin": "none"}}, "The service did not take the row. .*cabin: 'none' is not a cabin"),
        ("predict", {"row": [1]}, "A row is an object"),
        ("predict", {"model": "nosuch"}, "There is no model 'nosuch' here, but flights."),
        ("predict", {"model": ["flights"]}, "There is no model"),
        ("model", {"version": "../../.."}, "has no version"),
        ("what_if", {"column": "nosuch"}, "There is no column 'nosuch', but origin"),
        ("change", {"columns": ["nosuch"], "at_most": 1.0}, "There is no column"),
        ("change", {"at_most": 1.0, "at_least": 2.0}, "Say one number"),
        ("change", {"at_most": "much"}, "Say one number"),
        ("explain", {"label": "nosuch"}, "There is no class 'nosuch', since the model predicts a number"),
        ("many", {"file": {"path": "/etc/hostname"}}, "There is no such upload"),
        ("many", {"file": "/etc/hostname"}, "There is no such upload"),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(
    asked: Client, row: dict[str, Any], name: str, changes: dict[str, Any], sentence: str
) -> None:
    rows = {} if name in ("model", "many") else {"row": row}
    with pytest.raises(AppError, match=sentence):
        asked.predict(api_name=f"/{name}", **{**rows, **changes})


def test_only_uploads_are_read(page: str, row: dict[str, Any], tmp_path: Path) -> None:
    """Whoever names a file of the page's machine gets nothing of it: not as a program, and not as a visitor."""
    path = tmp_path / "secret.csv"
    pd.DataFrame([row]).to_csv(path, index=False)
    named = {"path": str(path), "orig_name": path.name, "meta": {"_type": "gradio.FileData"}}
    with httpx.Client(base_url=page, timeout=60) as client:
        script = Script(client)
        with pytest.raises(AssertionError, match="error"):
            script.tell("predict-all", "click", upload=named)
        upload = script.upload(path)
    with httpx.Client(base_url=f"{page}/api", timeout=60) as client:
        assert "error" in called(client, "many", [named, False, "flights", ""])
        assert called(client, "many", [upload, False, "flights", ""])["data"][1]["rows"] == 1


def called(client: httpx.Client, name: str, data: list[Any]) -> dict[str, Any]:
    """What a function puts out, asked without Gradio's client, which uploads what it is named."""
    number = next(each["id"] for each in client.get("/config").json()["dependencies"] if each["api_name"] == name)
    return queued(client, number, data)


def test_without_a_login_there_is_nothing(client: httpx.Client, row: dict[str, Any], tmp_path: Path) -> None:
    """Who has logged in sends the session's cookie."""
    known = tmp_path / "users"
    users.changed(known, NAME, users.hashed(PASSWORD))
    with page_process(str(client.base_url).rstrip("/"), tmp_path, "--users", str(known)) as url:
        with pytest.raises(ValueError, match="credentials were not provided"):
            Client(f"{url}/api", verbose=False)
        for path in ("", "/config", "/gradio_api/info", "/gradio_api/queue/join", "/gradio_api/upload"):
            assert httpx.post(f"{url}/api{path}", json={"data": [row]}).status_code == 401, path
            assert httpx.get(f"{url}/api{path}").status_code == 401, path
        ran: dict[str, Any] = {}
        exec(block(1).replace(SHOWN, url).replace('"…"', repr(PASSWORD)), ran)  # noqa: S102 it is ours
        assert ran["page"].predict(row, api_name="/predict")["model_name"] == "flights"


def test_the_block_of_the_page_runs(page: str, capsys: pytest.CaptureFixture[str]) -> None:
    exec(block(0).replace(SHOWN, page), {})  # noqa: S102
    assert "The predicted price is" in capsys.readouterr().out
