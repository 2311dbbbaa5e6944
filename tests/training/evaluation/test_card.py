"""The model card: what it says, and that no value in it can become anything else than text."""

import base64
import copy
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import msgspec
import pytest

from model import bundle
from model.bundle import Lineage
from model.features import Fitted
from model.metrics import Metrics
from model.model import Model
from model.outcomes import Outcome
from model.outcomes.binary import Binary
from model.outcomes.regression import Regression, Trend
from problems import base
from problems.base import Problem
from training.evaluation import card
from training.evaluation.page import rendered

HOSTILE = "a|b\n<script>alert(1)</script> *x* [y](javascript:z) &amp; `q`"
PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
LINEAGE = Lineage("d" * 64, "fares.csv", "c0ffee", "run17", {"python": "3.11.2", "lightgbm": "4.6.0"})
SOURCE = {"origin": "/home/somebody/fares.csv", "sha256": "d" * 64}


def score(value: float | None) -> dict[str, float | None]:
    return {
        "value": value,
        "low": None if value is None else value - 0.1,
        "high": None if value is None else value + 0.1,
    }


def metrics(task: str) -> dict[str, Any]:
    names = ("rmse", "mae", "r2", "mape") if task == "regression" else ("roc_auc", "log_loss", "brier", "ece")
    scores = dict(zip(names, map(score, (0.5, 0.4, None, 0.3)), strict=True))
    part: dict[str, Any] = {"column": "cabin", "value": HOSTILE, "rows": 1_234, "scores": scores}
    document: dict[str, Any] = {
        "version": "",
        "task": task,
        "rows": 4_000,
        "unit": "USD" if task == "regression" else None,
        "scores": {"model": scores, "lookup": scores},
        "loss": {"name": "rmse" if task == "regression" else "log_loss"},
        "beats_lookup": True,
        "duplicates": {"rows": 7, "together": 7},
        "splits": {"train": 12_000, "validation": 500, "calibration": 1_500, "test": 4_003},
        "quarantined": 12,
        "refused": 3,
        "slices": [part],
        "importance": {
            "space": "value" if task == "regression" else "log-odds",
            "rows": 1_000,
            "columns": {"cabin": 512.3, "date": 0.0},
        },
    }
    if task == "regression":
        document["interval"] = {"coverage": 0.9, "covered": score(0.91), "mean_width": 290.1}
        part["covered"] = score(0.7)
    else:
        pair = {name: scores[name] for name in ("brier", "ece")}
        document["decision"] = {
            "classes": ["No", HOSTILE], "threshold": 0.25, "before": pair, "after": pair,
            "accuracy": score(0.7), "recall": score(0.8), "precision": None,
        }  # fmt: skip
        document["cross_validation"] = {
            "folds": 2, "in_time": None, "roc_auc_of_folds": [0.81, 0.83], "mean_roc_auc": 0.82, "scores": scores,
        }  # fmt: skip
    return document


def made(problem: Problem, outcome: Outcome, document: dict[str, Any], plots: Path, **others: Any) -> tuple[str, str]:
    manifest = bundle.make_manifest(Model(problem, Fitted({}, {}, {}, []), outcome, {}), [0.0], {})
    how: dict[str, Any] = {"source": SOURCE, "lineage": LINEAGE, "decision": None} | others
    files = card.documents(
        problem, manifest, msgspec.convert(document, Metrics), how["source"], how["lineage"], how["decision"], plots
    )
    assert tuple(files) == bundle.CARDS
    markdown, page = (content.decode() for content in files.values())
    return markdown, page


@pytest.fixture
def regression() -> Regression:
    return Regression(0.9, 2.0, {}, Trend("date", 0.029, 18165.0, 19141.0), 0.0, None)


@pytest.fixture
def binary() -> Binary:
    return Binary(("No", HOSTILE), 1.0, 0.0, 0.25)


@pytest.fixture
def churn() -> Problem:
    return base.load("churn")


class Page(HTMLParser):
    """What a browser would make of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.columns: list[int] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag == "tr":
            self.columns.append(0)
        elif tag in ("td", "th"):
            self.columns[-1] += 1
        elif tag == "table":
            self.columns.append(-1)

    def handle_data(self, data: str) -> None:
        self.text += data

    @property
    def ragged(self) -> bool:
        """Whether a table has rows of different lengths."""
        widths = "".join("|" if width < 0 else f" {width}" for width in self.columns).split("|")
        return any(len(set(table.split())) > 1 for table in widths)


def test_numbers_are_described(flights: Problem, regression: Regression, tmp_path: Path) -> None:
    markdown, _ = made(flights, regression, metrics("regression"), tmp_path)
    for said in (
        "# Fare of a flight",
        "a number in USD, with an interval for 90%",
        "From fares.csv, sha256 `ddd",
        "| train | 12,000 |",
        "| refused: test rows without an answer | 3 |",
        "| `cabin` | `flightType` | category |",
        "|  | RMSE | MAE | R² | MAPE |",
        "| lookup | 0.5 [0.4, 0.6] | 0.4 [0.3, 0.5] | - [-, -] |",
        "The model beats a lookup of group means.",
        "290.1 USD wide",
        "| column | value | rows | RMSE | MAE | MAPE | covered |",
        "Intervals cover less than the 90% they should in: `cabin`",
        "moves an answer up or down, in USD: the mean size of its SHAP values over 1,000 test rows.",
        "| `cabin` | 512.3 |\n| `date` | 0 |",
        "rows of 2019-09-26 to 2022-05-29 and a growth of +2.9% a year",
        "until 2025-01-29",
        "like those of the calibration split",
        "`agency` that the model does not know is answered as if the value were missing",
        "| git commit | `c0ffee` |",
        "| MLflow run | `run17` |",
        "python 3.11.2, lightgbm 4.6.0",
    ):
        assert said in markdown, said
    assert "imulated" not in markdown
    assert "/home/somebody" not in markdown
    assert "Promot" not in markdown


def test_classes_are_described(churn: Problem, binary: Binary, tmp_path: Path) -> None:
    markdown, _ = made(churn, binary, metrics("binary"), tmp_path)
    for said in (
        "with probabilities",
        "moves an answer up or down, in log-odds: ",
        "| before calibration |",
        "| after calibration |",
        "from a probability of 0.25",
        "costs 3 times as much as the reverse",
        "| accuracy | recall | precision |",
        "| 0.7 [0.6, 0.8] | 0.8 [0.7, 0.9] | - |",
        "ROC AUC of the folds: 0.8100, 0.8300; mean 0.8200.",
        "Probabilities are calibrated for rows like those",
    ):
        assert said in markdown, said


def test_a_lookup_that_wins_is_said(flights: Problem, regression: Regression, tmp_path: Path) -> None:
    markdown, _ = made(flights, regression, metrics("regression") | {"beats_lookup": False}, tmp_path)
    assert "does not beat a lookup" in markdown
    assert "The model beats" not in markdown


def test_simulated_data_and_the_decision_are_said(flights: Problem, regression: Regression, tmp_path: Path) -> None:
    decision = {"promoted": False, "reasons": ["worse on economic"], "compared_with": "4"}
    source = SOURCE | {"origin": "simulated"}
    markdown, _ = made(flights, regression, metrics("regression"), tmp_path, source=source, decision=decision)
    assert "**Simulated data.**" in markdown
    assert "The data is simulated" in markdown
    assert "When it was registered it was refused, compared with version 4." in markdown
    assert "- worse on economic" in markdown
    decision = {"promoted": True, "reasons": [], "compared_with": None}
    markdown, _ = made(flights, regression, metrics("regression"), tmp_path, decision=decision)
    assert "When it was registered it was promoted to champion." in markdown


def test_values_stay_text(churn: Problem, binary: Binary, tmp_path: Path) -> None:
    hostile = Lineage("d" * 64, HOSTILE, None, "run", {"python": HOSTILE})
    decision = {"promoted": True, "reasons": [HOSTILE], "compared_with": HOSTILE}
    markdown, written = made(churn, binary, metrics("binary"), tmp_path, lineage=hostile, decision=decision)
    page = Page(written)
    assert not {"script", "a", "em"} & set(page.tags)
    assert not page.ragged
    assert page.text.count(HOSTILE.replace("\n", " ")) >= 5
    assert "<script>" not in markdown
    assert "none: not in a git clone" in markdown


def test_the_page_needs_nothing_from_elsewhere(flights: Problem, regression: Regression, tmp_path: Path) -> None:
    for name in ("summary", "residuals", "dependence-cabin", "case-worst"):
        (tmp_path / f"{name}.png").write_bytes(PIXEL)
    markdown, written = made(flights, regression, metrics("regression"), tmp_path)
    page = Page(written)
    sources = [value for tag, name, value in page.attributes if name == "src"]
    assert sources == ["data:image/png;base64," + base64.b64encode(PIXEL).decode()] * 4
    alternatives = [value for tag, name, value in page.attributes if name == "alt"]
    assert alternatives[2] == "What cabin contributes, over its values"
    assert not [value for tag, name, value in page.attributes if name == "href"]
    assert not {"script", "link", "iframe"} & set(page.tags)
    assert "data:image" not in markdown
    assert not page.ragged
    labels = [value for tag, name, value in page.attributes if (tag, name) == ("div", "aria-label")]
    assert len(labels) == len(set(labels)) == page.tags.count("table")


def test_a_second_table_below_a_heading_has_a_number() -> None:
    rows = "| a |\n|---|\n| 1 |\n"
    written = Page(rendered("Card", f"{rows}\n## Rows\n\n{rows}\nAnd\n\n{rows}\n## Others\n\n{rows}"))
    labels = [value for _, name, value in written.attributes if name == "aria-label"]
    assert labels == ["Table", "Rows", "Rows, table 2", "Others"]


def test_a_unit_with_a_number_is_multiplied(flights: Problem, regression: Regression, tmp_path: Path) -> None:
    markdown, _ = made(flights, regression, metrics("regression") | {"unit": "10,000 USD"}, tmp_path)
    assert "290.1 × 10,000 USD wide" in markdown


def test_the_same_inputs_give_the_same_card(flights: Problem, regression: Regression, tmp_path: Path) -> None:
    document = metrics("regression")
    first = made(flights, regression, copy.deepcopy(document), tmp_path)
    assert made(flights, regression, document, tmp_path) == first


def test_a_card_without_slices_and_plots(flights: Problem, regression: Regression, tmp_path: Path) -> None:
    document = metrics("regression") | {"slices": []}
    markdown, page = made(flights, regression, document, tmp_path / "nowhere")
    assert "## Slices" not in markdown
    assert "| quarantined: broke the contract | 12 |" in markdown
    assert "<h2>Pictures" not in page
