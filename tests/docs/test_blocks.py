"""The code blocks of the documentation: a test that blocks.yaml names proves each, or it says why none can."""

import ast
import json
import re
import subprocess
from pathlib import Path
from typing import Any

import grpc
import httpx
import msgspec
import pytest
import yaml

from docs.rendering.parameters import SECTIONS
from model.predictor import Predictor
from model.record import Record
from tests import remotes
from tests.docs.blocks import Block, block, blocks, commands, pages
from tests.project import DEV, ROOT, Project, free_port, merge, parameters
from tests.scoring import made
from tests.training.registry.test_remote_stores import MAKE, with_makefiles
from training.workspace import Workspace
from validation.wire import Prediction

PROVED: dict[str, list[tuple[str, Any]]] = yaml.safe_load((ROOT / "tests/docs/blocks.yaml").read_text())
BLOCKS: dict[str, list[Block]] = {
    name: found for path in pages() if (found := blocks(name := str(path.relative_to(ROOT))))
}


def bash(folder: Path, script: str, **environment: str) -> str:
    """What a script printed that is run in a folder, by the tests' Python and with the project's code."""
    variables = Project(folder, variables=environment).environment
    done = subprocess.run(
        ["bash", "-euc", script], cwd=folder, env=variables, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_every_block_is_proved_or_says_why_not() -> None:
    assert list(PROVED) == list(BLOCKS)
    for page, found in BLOCKS.items():
        begins = [words for words, _ in PROVED[page]]
        assert len(begins) == len(found), f"{page}: tests/docs/blocks.yaml has another number of blocks"
        for shown, words in zip(found, begins, strict=True):
            assert shown.text.strip().startswith(words), f"{page}: {shown.text[:60]!r} is not {words!r}"


def test_what_proves_a_block_is_a_test() -> None:
    for page, proofs in PROVED.items():
        for words, proof in proofs:
            if isinstance(proof, str):
                path, name = proof.split("::")
                assert re.search(rf"^def {name}\(", (ROOT / path).read_text(), re.MULTILINE), (
                    f"{page}: {words}: {proof}"
                )
            else:
                assert list(proof) == ["not"], f"{page}: {words}"
                assert len(proof["not"].split()) > 1, f"{page}: {words}"


def test_every_block_is_written_in_its_language() -> None:
    shells = []
    for found in (found for on_page in BLOCKS.values() for found in on_page):
        if found.language in ("json", "jsonl"):
            json.loads(found.text)
        elif found.language == "yaml":
            list(yaml.safe_load_all(found.text))
        elif found.language in ("python", "py"):
            ast.parse(found.text)
        elif found.language == "sh":
            shells.append(found.text)
        else:
            assert found.language in ("text", "console", "csv", "go", "typescript"), found
    read = "\n".join(f"page{place}() {{\n{text}\n}}" for place, text in enumerate(shells))
    assert subprocess.run(["bash", "-n"], input=read, text=True, capture_output=True, check=False).stderr == ""


def test_numbers_that_pages_show_are_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    document = yaml.safe_load(parameters())
    merge(document, yaml.safe_load(block("how-to/drift.md", "flights:")))
    pair, several, weights = block("how-to/classes-and-costs.md", "    costs:").splitlines()
    for problem, line in (("flights", weights), ("pair", pair), ("several", several)):
        document.setdefault(problem, {**document["churn"], "train": dict(document["churn"]["train"])})
        merge(document[problem], {"train": yaml.safe_load(line)})
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(document))
    monkeypatch.chdir(tmp_path)
    for problem in ("flights", "pair", "several"):
        for section, params in SECTIONS.items():
            Workspace(problem).params(section, params)


def test_lines_that_pages_show_are_the_services() -> None:
    shown = (
        (block("how-to/journal.md", '{"event"'), Record),
        (block("tutorial/first-walk.md", '{"prediction"'), Prediction),
    )
    for text, kind in shown:
        msgspec.json.decode(text.encode(), type=kind)
        assert set(json.loads(text)) - {"event"} <= {field.encode_name for field in msgspec.structs.fields(kind)}


def test_keys_are_made_and_taken_back(tmp_path: Path) -> None:
    first = block("how-to/keys.md", "export BOXWOOD_API_KEYS").replace("make serve", "")
    later = block("how-to/keys.md", "python -m serving.access new pricing-2")
    limited = block("how-to/keys.md", "python -m serving.access new batch")
    _, subject, _ = block("how-to/keys.md", "export BOXWOOD_OIDC_ISSUER").splitlines()
    bash(tmp_path, "\n".join((first, "python -m serving.access new stolen", later, limited, subject)))
    kept = json.loads((tmp_path / "stores/keys.json").read_text())["keys"]
    assert {"pricing", "pricing-2", "batch", "nightly"} <= {key["id"] for key in kept}
    assert "expires" in kept[0]


def test_a_channel_that_tries_again_is_answered(client: httpx.Client, grpc_address: str) -> None:
    assert client.get("/readyz").status_code == 200
    names: dict[str, Any] = {}
    exec(block("how-to/kubernetes.md", "import json, grpc").replace("boxwood-grpc:50051", grpc_address), names)  # noqa: S102
    channel: grpc.Channel = names["channel"]
    with channel:
        assert channel.unary_unary("/inference.GRPCInferenceService/ServerLive")(b"", timeout=30)


def test_an_example_row_of_any_table_is_answered(client: httpx.Client, predictor: Predictor, tmp_path: Path) -> None:
    [ask] = [shown.text for shown in BLOCKS["README.md"] if shown.text.startswith("url=")]
    here = ask.replace("http://127.0.0.1:3000", str(client.base_url).rstrip("/")).replace(
        "models/table", "models/flights"
    )
    answer = json.loads(bash(tmp_path, here))
    [row] = json.loads((tmp_path / "row.json").read_text())["instances"]
    assert row.keys() == {column.name for column in predictor.contract.inputs}
    assert answer["predictions"][0]["prediction"] == predictor.predict([row]).predictions[0].prediction


@pytest.mark.slow
def test_the_registry_is_asked(trained: Project, tmp_path: Path) -> None:
    project = trained.copy(tmp_path / "project")
    project.change_params({"train": {"rounds": 5}})
    assert "version 2 is refused" in project.train()
    why = block("how-to/reading-a-refusal.md", ". .venv")
    first = block("tutorial/first-walk.md", ". .venv")
    hand = block("how-to/retrain-promote-rollback.md", ". .venv")
    asked = [line for text in (why, first, hand) for line in commands(text, "training")]
    assert len(asked) == 8
    said = project.training(*asked)
    assert "worse: rmse" in said
    assert said.strip().endswith("Version 1 is champion; `make serve PROBLEM=flights` serves it.")


@pytest.mark.slow
def test_a_table_is_scored(trained: Project, predictor: Predictor, tmp_path: Path) -> None:
    project = trained.copy(tmp_path / "project")
    with_makefiles(project)
    rows = made.rows(predictor, 300)
    made.write(project.folder / "tables/part.parquet", rows)
    made.write(project.folder / "fares.csv", [{**row, "price": 1.0} for row in rows])
    here, _, other, _, verify = block("how-to/score.md", "make score").splitlines()
    other = other.replace("8ba8d6f61ade674b", predictor.version).replace("OUT=scored/", "OUT=explained/")
    for line in (here, other):
        bash(project.folder, line.replace("make ", f"{' '.join(MAKE)} ", 1))
    assert "300 rows" in bash(project.folder, verify)
    listed = [line.split()[0] for line in block("how-to/score.md", "scored/part").splitlines()]
    assert [(project.folder / name).exists() for name in listed] == [True, False, True]  # no row was refused
    program = block("how-to/score.md", "from pathlib").replace('Path("data', f'Path("{project.folder}/data')
    names: dict[str, Any] = {"batch": made.table(rows).to_batches()[0]}
    exec(program, names)  # noqa: S102 it is ours
    assert names["answered"].answers.num_rows == 300


@pytest.mark.slow
def test_watching_begins_with_a_few_rows(trained: Project, tmp_path: Path) -> None:
    project = trained.copy(tmp_path / "project")
    daily, weekly = commands(block("how-to/schedule.md", "python -m monitoring drift"), "monitoring")
    [once] = commands(block("how-to/drift.md", "make drift"), "monitoring")
    script = "\n".join(
        f"python -m monitoring {line} && code=0 || code=$?; echo {line.split()[0]}: $code"
        for line in (once, daily, weekly)
    )
    said = bash(project.folder, script)
    assert re.findall(r"^(drift|retrain): (\d)", said, re.MULTILINE) == [
        ("drift", "4"),
        ("drift", "4"),
        ("retrain", "0"),
    ]
    joined = block("how-to/outcomes.md", "import datetime")
    assert bash(project.folder, f"python - << 'TEXT'\n{joined}\nprint(len(rows))\nTEXT").strip() == "0"


@pytest.mark.slow
def test_versions_go_to_an_mlflow_server(trained: Project, tmp_path: Path) -> None:
    project = trained.copy(tmp_path / "project")
    with_makefiles(project)
    port = free_port()
    _, folder, start = block("how-to/mlflow-server.md", ". .venv").replace("\\\n", "").splitlines()
    assert folder == "mkdir -p ~/mlflow"
    start = start.replace("5000", str(port)).replace("$HOME/mlflow", str(tmp_path)).replace("~/mlflow", str(tmp_path))
    use = block("how-to/mlflow-server.md", "export").replace("5000", str(port)).replace("make ", f"{' '.join(MAKE)} ")
    program, *arguments = start.split()
    alone = {**project.environment, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}  # of no use here, and slow to begin
    with remotes.running([str(DEV / program), *arguments], tmp_path / "server.log", "/health", port, alone):
        said = bash(project.folder, use)
    assert "flights version 1 is champion" in said
    assert said.splitlines()[-1].startswith("*    1")
    assert list((tmp_path / "files").rglob("manifest.json"))
