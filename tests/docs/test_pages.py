"""Pages that a reader follows step by step: what they show is what happens."""

import json
import re
import sys
from pathlib import Path

import httpx
import pytest

from tests.project import ROOT, Project

_ROW = re.compile(r"^\| `(\w+)` \| (.*) \|$", re.MULTILINE)


def blocks(page: str, language: str) -> list[str]:
    """The code blocks of a page in one language."""
    return re.findall(rf"```{language}\n(.*?)```", (ROOT / "docs" / page).read_text(), re.DOTALL)


def test_the_refusal_that_is_shown_is_the_services(client: httpx.Client) -> None:
    [request] = blocks("how-to/reading-a-refusal.md", "text")
    shown = _ROW.findall((ROOT / "docs/how-to/reading-a-refusal.md").read_text())
    answer = client.post("/v1/models/flights:predict", json=json.loads(request))
    assert answer.status_code == 422
    assert [(error["column"], error["message"]) for error in answer.json()["errors"]] == shown


@pytest.mark.slow
def test_your_own_table_comes_to_an_answer(tmp_path: Path) -> None:
    page = "tutorial/your-own-table.md"
    [program], [first, ask, second, third] = blocks(page, "python"), blocks(page, "sh")
    [changes] = blocks(page, "text")
    project = Project(Project.create(tmp_path / "project").folder, own_code=True)
    (project.folder / "bikes.py").write_text(program)
    project.run(sys.executable, "bikes.py")
    assert first.strip() == "make serve DATA=bikes.csv TARGET=Price"
    said = project.run("python", "-m", "training", "run", "", "--data", "bikes.csv", "--target", "Price")
    assert "version 1 is champion" in said
    module = project.folder / "problems/bikes/__init__.py"
    drafted = module.read_text()
    brand, age = changes.splitlines()
    drafted = re.sub(r" {8}Column\(\n {12}name=\"brand\".*?\n {8}\),", brand, drafted, flags=re.DOTALL)
    drafted = re.sub(r" {8}Column\(name=\"age_years\".*", age, drafted)
    module.write_text(drafted.replace("Kind, Role", "Kind, Role, Unseen"))
    assert second.strip() == "make serve PROBLEM=bikes"
    said = project.run("python", "-m", "training", "run", "bikes")
    changed = "the contract changed since version 1 (changed: brand (choices), age_years (unit, ge, le))"
    assert (
        f"version 2 is refused: {changed}\nregister:   it would break callers of version 1: 'age_years' is in 'years'"
        in said
    )
    promote, again = third.splitlines()
    assert again == second.strip()
    assert promote == "make promote PROBLEM=bikes"
    project.training("registry promote bikes challenger")
    [row] = json.loads(re.findall(r"-d '(.*)'", ask)[0])["instances"]
    rows = [row, {**row, "brand": "Zephyr"}, {**row, "age_years": -3.0}]
    known, other, refused = json.loads(
        project.run("python", "-c", _ASK, json.dumps(rows), project.receipt(problem="bikes")["tag"])
    )
    assert known["prediction"] == pytest.approx(0.86**6 * 720, rel=0.15)
    assert not known["warnings"]
    assert "Zephyr" in other["warnings"][0]
    assert "below the minimum of 0 years" in refused


_ASK = """
import json, pathlib, sys
import bentoml, msgspec
from model.predictor import open_predictor
from validation.errors import RowsRejected
predictor = open_predictor(pathlib.Path(bentoml.models.get(sys.argv[2]).path))
found = []
for row in json.loads(sys.argv[1]):
    try:
        found.append(msgspec.to_builtins(predictor.predict([row]).predictions[0]))
    except RowsRejected as error:
        found.append(str(error.errors[0].message))
print(json.dumps(found))
"""
