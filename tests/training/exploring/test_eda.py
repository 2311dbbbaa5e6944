"""`make eda`: a page on any table, before there is a problem and after a gate refused it; no page shows single rows."""

import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.project import ROOT
from training.__main__ import main
from training.evaluation import binned
from training.exploring import eda, looked, page
from training.learning.privacy import FEWEST
from validation.contract import Column, Kind

ROWS = 400
HOSTILE = "<script>alert(1)</script>"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty project with its parameters, as the current folder."""
    shutil.copy(ROOT / "params.yaml", tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def fares(**changes: Any) -> pd.DataFrame:
    """A raw table of flights in order of time."""
    chance = np.random.default_rng(3)
    days = pd.Timestamp("2022-01-01") + pd.to_timedelta(np.arange(ROWS), unit="D")
    hours = chance.choice([1.0, 2.0, 4.0], ROWS)
    table = pd.DataFrame(
        {
            "from": chance.choice(["Recife", "Natal"], ROWS),
            "to": chance.choice(["Salvador", "Brasilia"], ROWS),
            "flightType": chance.choice(["economic", "premium"], ROWS),
            "agency": ["Rare"] * 3 + ["CloudFy"] * (ROWS - 3),
            "time": hours,
            "distance": hours * 400,
            "date": days.strftime("%m/%d/%Y"),
            "price": (hours * 100 + chance.normal(0, 5, ROWS)).round(2),
            "travelCode": np.arange(ROWS),
            "userCode": np.arange(ROWS) % 50,
        }
    )
    return table.assign(**changes)


def written(table: pd.DataFrame, name: str = "fares.csv") -> str:
    table.to_csv(name, index=False)
    return name


def shown(problem: str) -> str:
    return (eda.FOLDER / f"{problem}.html").read_text()


def part(html: str, anchor: str) -> str:
    """What stands below a heading."""
    return html.split(f'id="{anchor}"')[1].partition("<h2")[0]


def test_a_table_of_a_problem_is_shown_and_not_kept(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["eda", "flights", "--data", written(fares())]) == 0
    assert "400 rows of fares.csv, none of them refused" in capsys.readouterr().out
    html = shown("flights")
    assert "<script" not in html
    assert not re.findall(r"(?:src|href)=\"(?!#)", html)
    assert len(html) < 1_000_000
    assert "All 400 rows satisfy the contract." in html
    lines = part(html, "all")
    assert '<tr><th scope="row">duration_hours <small>from time</small></th><td class="text">real</td>' in lines
    assert "tells 9" in part(html, "columns").split("<h3>agency")[0]  # the fare is the hours', and nearly nothing else
    assert '<td class="text">distance_km</td><td class="text">rank correlation</td><td>1.00</td>' in html
    assert "in the order of date: the test begins on" in part(html, "splits")
    assert "2022-01-01" in part(html, "splits")
    assert not (folder / "data/flights").exists()


def test_names_that_few_rows_have_are_not_shown(folder: Path) -> None:
    assert main(["eda", "flights", "--data", written(fares())]) == 0
    assert "CloudFy" in shown("flights")
    assert "Rare" not in shown("flights")


def test_a_table_that_the_gate_refuses_is_shown_with_the_reasons(folder: Path) -> None:
    bad = fares(price=["much"] * 150 + ["-5"] * 100 + ["100"] * 150)
    assert main(["eda", "flights", "--data", written(bad)]) == 0
    html = shown("flights")
    assert "250 of 400 rows (62.5%) do not satisfy the contract; the limit is 1.0%: training stops at the gate." in html
    quarantine = part(html, "quarantine")
    assert "<td>150</td><td>37.5%</td>" in quarantine
    assert "<td>100</td><td>25%</td>" in quarantine
    assert "for example row 1: &#39;much&#39; is not a number" in quarantine
    assert "Most rows do not satisfy the contract, so what follows shows them all." in html


def test_a_page_that_is_published_has_no_cells(folder: Path) -> None:
    bad = fares(price=["a person"] * 30 + ["100"] * 370)
    found = looked.brought("flights", written(bad))
    assert "a person" in page.html(found)
    html = page.html(found, examples=False)
    assert "a person" not in html
    assert "cannot be read as its kind" in part(html, "quarantine")


def test_a_table_without_a_problem_is_shown_as_a_draft_has_it(folder: Path) -> None:
    chance = np.random.default_rng(0)
    sizes = chance.uniform(30, 200, ROWS).round(1)
    table = pd.DataFrame(
        {
            "row id": np.arange(ROWS),
            "size": sizes,
            "kind": chance.choice([HOSTILE, "flat"], ROWS),
            "country": "PT",
            "price in cents": (sizes * 1_000).round(),
            "price": sizes * 10,
        }
    )
    assert main(["eda", "--data", written(table, "homes.csv"), "--target", "price"]) == 0
    html = shown("homes")
    assert "There is no <code>problems/homes</code> yet" in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html
    assert "<script" not in html
    assert "<code>country</code>: every row has &#39;PT&#39;" in part(html, "all")
    assert "<code>price_in_cents</code> is forbidden to the model: it tells the target" in part(html, "suspects")


def test_several_classes_are_shown_by_their_shares(folder: Path) -> None:
    chance = np.random.default_rng(0)
    sizes = chance.uniform(0, 3, ROWS)
    table = pd.DataFrame({"size": sizes.round(2), "breed": np.array(["cat", "dog", "elk"])[sizes.astype(int)]})
    assert main(["eda", "--data", written(table, "animals.csv"), "--target", "breed"]) == 0
    columns = part(shown("animals"), "columns")
    assert 'aria-label="cat 100%, dog 0%, elk 0%"' in columns
    assert 'aria-label="cat 0%, dog 0%, elk 100%"' in columns


def test_a_table_too_small_for_a_split_says_so(folder: Path) -> None:
    assert main(["eda", "flights", "--data", written(fares().head(3))]) == 0
    html = shown("flights")
    assert "The table has 3 rows" in part(html, "splits")
    assert "There are no splits to compare." in part(html, "drift")


def test_a_large_table_is_shown_by_a_sample(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page, "MOST_ROWS", 300)
    html = page.html(looked.brought("flights", written(fares())))
    assert "those of a sample of 300 of 400 rows" in html
    assert "All 400 rows satisfy the contract." in html


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["nosuch"], "There is no problem 'nosuch' in problems/."),
        (
            ["flights", "--data", "fares.csv", "--target", "agency"],
            "problems/flights predicts 'price', and not 'agency'.",
        ),
        (["churn"], "'churn' has no simulated table: say which table to use with DATA=path-or-URL."),
        (["churn", "--data", "fares.csv"], "lacks the columns"),
    ],
)
def test_what_cannot_be_shown_is_a_sentence(
    folder: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], sentence: str
) -> None:
    written(fares())
    assert main(["eda", *arguments]) == 1
    assert sentence in capsys.readouterr().err


@given(
    st.lists(
        st.one_of(st.none(), st.floats(-1e9, 1e9), st.floats(-8e307, 8e307), st.integers(0, 5).map(float)), max_size=200
    ),
    st.sampled_from([binned.evenly, binned.equally]),
)
def test_no_group_of_numbers_has_few_rows(values: list[float | None], cut: object) -> None:
    assert callable(cut)
    column = Column(name="x", kind=Kind.REAL)
    numbers = np.array([np.nan if value is None else value for value in values], dtype=float)
    bins = cut(column, numbers)
    assert all(count >= FEWEST for count in bins.counts)
    known = int((~np.isnan(numbers)).sum())
    assert bins.counts.sum() == (known if known >= FEWEST else 0)
    assert (bins.places[np.isnan(numbers)] == -1).all()


@given(st.lists(st.one_of(st.none(), st.sampled_from("abcdefghijklmnop")), max_size=400))
def test_no_group_of_names_has_few_rows(values: list[str | None]) -> None:
    bins = binned.named(np.array(values, dtype=object))
    assert all(count >= FEWEST for count in bins.counts)
    for label, count in zip(bins.labels, bins.counts, strict=True):
        assert label == binned.OTHERS or values.count(label) == count


@pytest.mark.slow
@pytest.mark.realdata
@pytest.mark.parametrize(
    ("problem", "table"),
    [
        ("flights", "flights/flights.csv"),
        ("churn", "telco_churn/Telco-Customer-Churn.csv"),
        ("california", "california_housing/housing.csv"),
        ("istanbul", "istanbul_housing/emlakjet.csv"),
    ],
)
def test_real_tables_are_shown(folder: Path, real_tables: Path, problem: str, table: str) -> None:
    assert main(["eda", problem, "--data", str(real_tables / table)]) == 0
    assert len(shown(problem)) < 200_000
