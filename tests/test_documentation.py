"""The documentation and the house's other promises: what they say is so."""

import ast
import dataclasses
import datetime
import json
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from docs.rendering.parameters import SECTIONS
from model.features import fit
from problems import base
from problems.base import Problem
from serving.settings import PREFIX, Settings
from tests.project import MAKEFILES, ROOT, SHIPPED, Project, parameters
from training.data import gates, ingest, tables
from training.evaluation import columns
from training.workspace import Workspace

README = (ROOT / "README.md").read_text()
PAGES = {path: path.read_text() for path in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))}
DOCUMENTATION = "\n".join(PAGES.values())
KINDS = ("tutorial", "how-to", "reference", "explanation")
FENCED = re.DOTALL | re.MULTILINE


def tracked() -> list[Path]:
    """The repository's files, as git has them or, without git, as they lie there."""
    done = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if done.returncode == 0:
        return [ROOT / name for name in done.stdout.splitlines() if (ROOT / name).is_file()]
    skipped = {".venv", ".venv-serving", "data", "stores", ".git", ".dvc"}
    return [path for path in ROOT.rglob("*") if path.is_file() and not skipped & set(path.relative_to(ROOT).parts)]


def blocks(language: str, text: str = DOCUMENTATION) -> list[str]:
    """A page's code blocks in one language, or all that the documentation has, README's first."""
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def markdown() -> list[Path]:
    """The repository's Markdown files."""
    return [path for path in tracked() if path.suffix == ".md"]


def prose(path: Path) -> str:
    """A Markdown file without its code blocks, in which brackets are no links and `#` begins a comment."""
    return re.sub(r"^```.*?^```", "", path.read_text(), flags=FENCED)


def links(path: Path) -> list[tuple[Path, str]]:
    """The files that a page leads to within the repository, each with the heading or an empty text."""
    found = re.findall(r"\]\((?!https?:)([^)#\s]*)#?([^)\s]*)\)", re.sub(r"`[^`\n]*`", "", prose(path)))
    return [((path.parent / target).resolve() if target else path, anchor) for target, anchor in found]


def targets_of(path: Path) -> set[Path]:
    return {target for target, _ in links(path)}


def anchors(path: Path) -> set[str]:
    """The names that GitHub gives to a page's headings."""
    headings = re.findall(r"^#+ (.*)$", prose(path), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}


def shape(document: Any) -> Any:
    """A document without its values."""
    if isinstance(document, dict):
        return {name: shape(value) for name, value in document.items()}
    return [shape(value) for value in document] if isinstance(document, list) else type(document).__name__


def curl(client: httpx.Client, command: str) -> Any:
    """Run a curl command of the documentation against a running server."""
    words = shlex.split(command.replace("http://127.0.0.1:3000", str(client.base_url).rstrip("/")))
    done = subprocess.run([words[0], "--silent", "--fail-with-body", *words[1:]], capture_output=True, check=True)
    return json.loads(done.stdout)


def test_the_curl_command_gets_an_answer_of_the_shape_shown(client: httpx.Client) -> None:
    [command] = [block for block in blocks("sh") if block.startswith("curl http")]
    predictions, explanations, problem = (json.loads(block) for block in blocks("json"))
    assert shape(curl(client, command)) == shape(predictions)
    assert shape(curl(client, command.replace(":predict", ":explain"))) == shape(explanations)
    wrong = command.replace("economic", "busines").replace("--fail-with-body", "")
    with pytest.raises(subprocess.CalledProcessError) as caught:
        curl(client, wrong)
    assert json.loads(caught.value.output) == problem


@pytest.mark.parametrize("problem", [base.load("flights")], ids=["flights"])
def test_the_column_table_is_the_contract(problem: Problem) -> None:
    [shown] = re.findall(r"<!-- columns: .*? -->\n(.*?)\n<!-- end of columns -->", DOCUMENTATION, re.DOTALL)
    assert shown == columns.table(problem).strip()


def test_the_problem_that_is_shown_reads_the_table_that_is_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = PAGES[ROOT / "docs/how-to/own-problem.md"]
    [rows], [program, parse], [numbers] = (blocks(language, page) for language in ("csv", "python", "yaml"))
    own_features, own_means = blocks("python", PAGES[ROOT / "docs/how-to/features.md"])
    (tmp_path / "houses.csv").write_text(rows)
    (tmp_path / "params.yaml").write_text(f"{parameters()}\n{numbers}")
    namespace: dict[str, Any] = {}
    exec(program, namespace)  # noqa: S102 it is ours
    problem: Problem = namespace["PROBLEM"]
    table = ingest.read(tmp_path / "houses.csv", problem.contract)
    assert table["price"].tolist() == [412_000, 365_500]
    assert not table[gates.UNREADABLE].notna().any()
    monkeypatch.chdir(tmp_path)
    place = Workspace(problem.name)
    for section, params in SECTIONS.items():
        place.params(section, params)
    assert set(place.document()) == set(SECTIONS)
    assert place.document()["train"]["booster"]["learning_rate"] == 0.03
    exec(parse + own_features, namespace)  # noqa: S102
    assert namespace["day"]("02 Şubat 2022") == datetime.date(2022, 2, 2)
    known = {**tables.inputs(problem.contract, table), "price": tables.target(problem.contract, table)}
    assert "area+rooms.per_room" in fit(namespace["PROBLEM"], known).feature_names
    exec(own_means, namespace)  # noqa: S102
    assert "district.target_mean" in fit(namespace["PROBLEM"], known).feature_names


def test_every_setting_is_documented_with_its_default() -> None:
    for field in dataclasses.fields(Settings):
        assert f"| `{PREFIX}{field.name.upper()}` | {field.default} |" in DOCUMENTATION


def test_every_make_target_that_is_mentioned_exists() -> None:
    rules = "\n".join((ROOT / name).read_text() for name in MAKEFILES)
    targets = set(re.findall(r"^([a-z-]+):", rules, re.MULTILINE))
    for path in (*markdown(), ROOT / ".ci/run", *(ROOT / ".github/workflows").iterdir()):
        text = path.read_text()
        code = "\n".join(re.findall(r"^```.*?^```", text, FENCED)) if path.suffix == ".md" else text
        mentioned = set(re.findall(r"(?:`|run: )make ([a-z][a-z-]*)", text))
        mentioned |= set(re.findall(r"^make ([a-z][a-z-]*)", code, re.MULTILINE))
        assert mentioned <= targets, path
    assert {"serve", "test"} <= set(re.findall(r"^make ([a-z][a-z-]*)", README, re.MULTILINE))


def test_make_help_lists_the_targets() -> None:
    printed = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for target in ("serve", "test", "train", "dev", "check"):
        assert f"make {target} " in printed


@pytest.mark.parametrize(("named", "called"), [("flights", "challenger"), ("flights@2", "2"), ("flights@", "")])
def test_make_promote_takes_the_challenger_or_the_version_that_is_named(
    named: str, called: str, tmp_path: Path
) -> None:
    python = tmp_path / "python"
    python.write_text("""#!/bin/sh\nprintf '%s|' "$@"\n""")
    python.chmod(0o755)
    path = f"{tmp_path}:/usr/bin:/bin"
    said = subprocess.run(
        ["make", "--silent", "--old-file=.venv/.ready", "promote", f"PROBLEM={named}", f"PATH={path}"],
        cwd=ROOT,
        env={"PATH": path},
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout == f"-m|training|registry|promote|flights|{called}|"


def test_every_stage_is_named() -> None:
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
    assert re.search(", ".join(f"`{stage}`" for stage in stages).replace(" ", r"\s+"), DOCUMENTATION)


def test_every_line_of_the_threat_model_names_tests_that_there_are() -> None:
    text = (ROOT / "SECURITY.md").read_text()
    lines = [line for line in text.splitlines() if line.startswith("| ") and line != "| | test |"]
    assert len(lines) > 20
    for line in lines:
        named = re.findall(r"`(tests/[\w/]+\.py)::(test_\w+)`", line.rsplit("|", 2)[1])
        assert named, line
        for path, test in named:
            assert re.search(rf"^def {test}\(", (ROOT / path).read_text(), re.MULTILINE), f"{path}::{test}"


def test_every_option_of_the_page_is_documented() -> None:
    source, page = (ROOT / "ui/__main__.py").read_text(), (ROOT / "docs/reference/settings.md").read_text()
    names = re.findall(r'environment\.get\("(\w+)"', source)
    assert len(names) > 5
    options = set(re.findall(r'"(--[\w-]+)"', source)) - {"--host", "--beside"}  # which make gives
    for name in (*names, *options, "API_KEY"):
        assert f"`{name}`" in page, name


def test_readme_is_short_and_leads_to_every_page() -> None:
    assert README.count("\n") <= 160
    pages = {path for kind in KINDS for path in (ROOT / "docs" / kind).glob("*.md")}
    assert pages <= targets_of(ROOT / "README.md") & targets_of(ROOT / "docs/README.md")
    decisions = ROOT / "docs/decisions"
    assert set(decisions.glob("[0-9]*.md")) <= targets_of(decisions / "README.md")


def test_every_relative_link_leads_to_a_file_that_is_there() -> None:
    for path in markdown():
        for target, anchor in links(path):
            assert target.exists(), f"{path}: {target}"
            assert not anchor or anchor in anchors(target), f"{path}: {target}#{anchor}"


def test_locks_carry_hashes_and_agree() -> None:
    def pins(name: str) -> dict[str, set[str]]:
        found: dict[str, set[str]] = {}
        for line in (ROOT / "requirements" / name).read_text().split("\n\n")[0].splitlines():
            if match := re.match(r"([a-z0-9._-]+)==(\S+)", line):
                found.setdefault(match[1], set()).add(match[2])
        return found

    everything, serving = pins("dev.txt"), pins("serving.txt")
    assert len(everything) > len(serving) > 20
    pinned = re.search(r'"bentoml==([0-9.]+)"', (ROOT / "pyproject.toml").read_text())
    assert pinned is not None
    assert everything["bentoml"] == {pinned[1]}
    assert all(versions <= everything[name] for name, versions in serving.items())
    assert not {"pandas", "pandera", "scikit-learn", "mlflow", "shap", "pyarrow"} & set(serving)
    for name in ("dev.txt", "serving.txt", "uv.txt"):
        text = (ROOT / "requirements" / name).read_text()
        assert text.count("==") <= text.count("--hash=sha256:")


HOSTS = re.compile("|".join(rf"{name}\.{end}" for name, end in (("pypi", "org"), ("pythonhosted", "org"))))


def test_no_file_names_a_registrys_host() -> None:
    for path in tracked():
        if path.suffix not in (".png", ".ico", ".bentomodel"):
            assert not HOSTS.search(path.read_text()), path


def test_files_are_short_and_so_are_functions() -> None:
    for path in tracked():
        is_drafted = path.parent.parent == ROOT / "problems" and path.parent.name not in (*SHIPPED, "features")
        if path.suffix == ".py" and not is_drafted:
            text = path.read_text()
            assert text.count("\n") <= 330, path
            for node in ast.walk(ast.parse(text)):
                if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                    length = (node.end_lineno or node.lineno) - node.lineno + 1
                    assert length <= 45, f"{path}: {node.name} has {length} lines"


def test_nothing_outside_its_problem_knows_a_problems_columns(flights: Problem) -> None:
    names = {column.name for column in flights.contract.columns} | {c.source for c in flights.contract.columns}
    words = {"from", "to", "time", "date", "agency", "distance", "price", "origin"}  # of English and of Python
    telling = re.compile("|".join(rf"\b{name}\b" for name in sorted(names - words)))
    for folder in ("validation", "model", "training", "serving", "scoring"):
        for path in set((ROOT / folder).rglob("*.py")) - set((ROOT / "training/data/simulators").iterdir()):
            code = re.sub(r'""".*?"""', "", path.read_text(), flags=re.DOTALL)
            assert not telling.search(code), f"{path}: {telling.search(code)}"
            assert "flights" not in code, path


@pytest.mark.slow
def test_the_default_run_is_the_one_that_is_shown(tmp_path: Path) -> None:
    project = Project.create(tmp_path / "project", changes={})
    lock = ROOT / "dvc.lock"
    (project.folder / "dvc.lock").write_bytes(lock.read_bytes())
    project.train()
    assert (project.folder / "dvc.lock").read_text() == lock.read_text(), "run `make train` and commit dvc.lock"
    report = project.run("python", "-m", "training", "report", "flights")
    assert report in DOCUMENTATION
    predictor = project.run(
        "python",
        "-c",
        "import json, pathlib, sys; from model.predictor import open_predictor;"
        "p = open_predictor(pathlib.Path('data/flights/bundle'));"
        "print(json.dumps([p.version, p.predict([p.contract.example()]).predictions[0].prediction]))",
    )
    version, prediction = json.loads(predictor)
    [shown, *_] = (json.loads(block) for block in blocks("json"))
    assert shown["model_version"] == version
    assert shown["predictions"][0]["prediction"] == pytest.approx(prediction, rel=1e-9)
