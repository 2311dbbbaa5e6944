"""The draft as people get it: a module like one that a person wrote, whole or not at all."""

import shutil
import subprocess
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from tests.project import DEV, Project
from tests.training.draft.drafting import drafted, lines_of
from training.data import clean, ingest, source, split, tables
from training.draft import draft, module
from training.workspace import Workspace
from validation.errors import SettingsError, TableError

CHANCE = np.random.default_rng(0)
HOUSES = pd.DataFrame(
    {
        "": range(300),
        "Straße": CHANCE.choice(["Oslo", 'The "Old" town', "l'Isle"], 300),
        "Viertel": CHANCE.choice([f"ein Viertel mit einem langen Namen, {n}" for n in range(11)], 300),
        "Fläche": [f"{area:.1f} m²".replace(".", ",") for area in CHANCE.uniform(20, 200, 300)],
        "Sold at": CHANCE.choice(["31.05.2023", "01.02.2022", "13.04.2021"], 300),
        "price": CHANCE.normal(100, 5, 300).round(2),
    }
)


def test_a_module_is_as_ruff_formats_it(here: Path) -> None:
    text, problem, _ = drafted({str(name): HOUSES[name] for name in HOUSES})
    for command in (["format", "--check"], ["check", "--select", "E,F,I,W"]):
        done = subprocess.run(
            [DEV / "ruff", *command, "--isolated", "--line-length", "120", "--stdin-filename", "x.py", "-"],
            input=text, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, text + done.stdout
    assert text.startswith('"""Price in table.\n\nDrafted from table.csv: ')
    example = problem.contract.example()
    assert (example["sold_at"], example["viertel"]) == ("2022-02-01", problem.contract.inputs[1].example)
    assert example["flache"] == pytest.approx(110, abs=20)


def test_a_draft_takes_its_table_to_the_split(here: Path) -> None:
    rows = HOUSES.astype({"price": object})
    rows.loc[5:60, "price"] = ["", "NA"] * 28
    _, problem, table = drafted({str(name): rows[name] for name in rows})
    source.main(problem, str(table))
    for stage in (ingest, clean, split):
        stage.main(problem)
    assert len(tables.read(Workspace("table").silver)) == 244
    assert pd.read_csv(Workspace("table").quarantine).empty


def test_a_target_that_cannot_be_read_is_a_mistake(here: Path) -> None:
    rows = HOUSES.astype({"price": object})
    rows.loc[5:9, "price"] = ""
    _, problem, _ = drafted({str(name): rows[name] for name in rows})
    rows.loc[20, "price"] = "much"
    source.main(problem, str(lines_of(rows)))
    ingest.main(problem)
    clean.main(problem)
    assert len(tables.read(Workspace("table").silver)) == 294
    assert pd.read_csv(Workspace("table").quarantine)["_row"].tolist() == [21]
    source.main(problem, str(lines_of(rows.assign(price=""))))
    ingest.main(problem)
    with pytest.raises(TableError, match=r"No row has a price\. Bring a table in which some have one"):
        clean.main(problem)


def test_a_draft_says_what_it_decided_the_most_doubtful_first(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = HOUSES.assign(log=np.log(HOUSES["price"]), **{f"c{n}": CHANCE.choice(["a", "b"], 300) for n in range(14)})
    found = draft.read(lines_of(rows), "price", "table")
    draft.tell(found, draft.executed(module.source(found)))
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "draft: problems/table/__init__.py: price in table, a regression, of 18 columns"
    assert said[2] == "draft: the split is at random: no time column"
    assert said[3].startswith("draft:   log: it is forbidden, because it tells the target: their ranks correlate by")
    assert said[4].startswith("draft:   sold_at: the split is random")
    assert said[5].startswith("draft:   strasse, viertel, c0, c1 and 12 more: another name is refused")


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("flights", "problems/flights is there, and a draft overwrites nothing. Leave TARGET out to use it as it is"),
        ("House-Prices", "PROBLEM=House-Prices can be no problem's name; write it like 'house_prices"),
        ("defaults", "PROBLEM=defaults can be no problem's name"),
    ],
)
def test_a_name_that_no_draft_may_have(problems: Path, name: str, says: str) -> None:
    with pytest.raises(SettingsError) as caught:
        draft.main(str(lines_of(HOUSES)), "price", name)
    assert says in str(caught.value)


@pytest.mark.parametrize("content", ["", "x,price\n", "x,x,price\n1,2,3\n", "x,price\n1,2\n", "%PDF", "[1]", "<html>"])
def test_a_table_that_is_none_leaves_nothing(problems: Path, content: str) -> None:
    Path("table.csv").write_text(content)
    before = Path("params.yaml").read_text()
    with pytest.raises(TableError):
        draft.main("table.csv", "price")
    assert not problems.exists() or not [*problems.iterdir()]
    assert not Workspace("table").raw.exists()
    assert Path("params.yaml").read_text() == before


def test_a_draft_that_fails_while_it_is_written_leaves_nothing(problems: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError("the disk is full")

    monkeypatch.setattr(draft, "tell", fail)
    with pytest.raises(OSError, match="the disk is full"):
        draft.main(str(lines_of(HOUSES)), "price")
    assert [*problems.iterdir()] == []
    assert not Workspace("table").raw.exists()


def test_a_module_that_is_there_is_never_overwritten(problems: Path) -> None:
    (problems / "table").mkdir(parents=True)
    (problems / "table/__init__.py").write_text("mine")
    with pytest.raises(SettingsError, match="problems/table is there"):
        draft.main(str(lines_of(HOUSES)), "price")
    assert (problems / "table/__init__.py").read_text() == "mine"


def test_a_draft_whose_folder_is_removed_starts_over_from_a_table_saved_anew(tmp_path: Path) -> None:
    folder = Project.create(tmp_path / "project").folder
    project = Project(folder, own_code=True)
    asked = ("python", "-m", "training", "draft", "houses", "--data", "houses.csv", "--target", "price")
    text = lines_of(HOUSES, folder / "houses.csv").read_text()
    (folder / "houses.csv").write_text(text.replace("Fläche", "Flдche"))
    project.run(*asked)
    shutil.rmtree(folder / "problems/houses")
    (folder / "houses.csv").write_text(text)
    project.run(*asked)
    assert 'source="Fläche"' in (folder / "problems/houses/__init__.py").read_text()
    assert (folder / Workspace("houses").raw / "houses.csv").read_text() == text
    assert yaml.safe_load((folder / "params.yaml").read_text())["problems"].count("houses") == 1


@pytest.mark.slow
def test_one_command_from_a_table_to_a_packaged_model(tmp_path: Path) -> None:
    project = Project.create(tmp_path / "project")
    project = Project(project.folder, own_code=True)
    area = HOUSES["Fläche"].str.removesuffix(" m²").str.replace(",", ".").astype(float)
    lines_of(HOUSES.assign(price=(HOUSES["price"] + area).round(2)), project.folder / "House Prices.csv")
    asked = ("python", "-m", "training", "run", "", "--data", "House Prices.csv", "--target", "price")
    said = project.run(*asked)
    written = project.folder / "problems/house_prices/__init__.py"
    assert "draft: problems/house_prices/__init__.py: price in House Prices, a regression, of 4 columns" in said
    assert "using House Prices.csv as before" in said
    assert project.receipt(problem="house_prices")["tag"].startswith("house_prices:")
    written.write_text(written.read_text().replace('title="price in House Prices"', 'title="mine"'))
    again = project.run(*asked)
    assert "run: problems/house_prices is there and used as it is" in again
    assert 'title="mine"' in written.read_text()
    said = project.run(*asked[:-1], "Straße", fails=True)
    assert "problems/house_prices predicts 'price', and not 'Straße'" in said
    said = project.run(
        "python", "-m", "training", "draft", "--data", "House Prices.csv", "--target", "prise", fails=True
    )
    assert "problems/house_prices is there" in said
    said = project.training(
        "draft --data nowhere.csv --target price", "draft --target price", "draft --target=", fails=True
    )
    assert "nowhere.csv does not exist" in said
    assert "A draft needs to know what is predicted: say which column with TARGET=header." in said
    assert "A draft needs a table: say which with DATA=path-or-URL." in said


@pytest.mark.slow
def test_real_tables_come_to_a_split_with_no_edit() -> None:
    from tests import tables as real

    if not real.LIST.exists():
        pytest.skip(f"{real.LIST} is not there; BOXWOOD_TABLES says where the list is")
    failed, other = [], []
    for entry in real.listed():
        with real.project() as folder:
            tried = real.tried(real.written(entry, folder), entry["target"])
        failed += [f"{entry['item']}: {tried.sentence}"] if tried.sentence else []
        other += [entry["item"]] if tried.problem is None or tried.problem.task != entry["task"] else []
    assert len(failed) <= 2, failed
    assert len(other) <= 2, other


@pytest.mark.slow
def test_a_million_rows_are_drafted_in_half_a_minute(here: Path) -> None:
    rows = 1_000_000
    day = np.datetime64("2020-01-01T00:00:00") + CHANCE.integers(0, 10**8, rows)
    table = pd.DataFrame(
        {
            "id": range(rows),
            "city": CHANCE.choice([f"city {place}" for place in range(300)], rows),
            "kind": CHANCE.choice([*"ABC"], rows),
            "area": CHANCE.normal(100, 20, rows).round(3),
            "income": pd.Series(CHANCE.integers(0, 10**7, rows)).map(
                lambda cents: f"{cents // 100},{cents % 100:02} €"
            ),
            "rooms": CHANCE.integers(1, 9, rows),
            "when": pd.Series(day).dt.strftime("%d.%m.%Y %H:%M:%S"),
            "flag": CHANCE.choice(["yes", "no"], rows),
            "x": CHANCE.normal(size=rows),
            "price": CHANCE.normal(size=rows).round(4),
        }
    )
    path = lines_of(table)
    start = time.process_time()  # other tests may have the cores too
    module.source(draft.read(path, "price", "table"))
    assert time.process_time() - start <= 30
