"""What the page shows of classes, two of them or a hundred: probabilities, prediction sets, bounds, and mistakes."""

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tests.ui.test_service import odd
from ui import classes, many, whatif
from ui.described import Column, Model
from ui.service import Service
from ui.views import case, table, what_if
from ui.views import model as view_of_model

X = Column(name="x", kind="real")
TARGET = Column(name="price", kind="real", role="target", unit="TRY")
BOUNDED = (
    {"label": "low", "high": 0.5},
    {"label": "middle", "low": 0.5, "high": 71_146.2},
    {"label": "high", "low": 71_146.2},
)


def model(described: Any = (), **said: Any) -> Model:
    return Model.model_validate(
        {"name": "m", "version": "1", "title": "M", "contract": (X, TARGET), "classes": described, **said}
    )


def answer(probabilities: dict[str, float], inside: tuple[str, ...] = ()) -> dict[str, Any]:
    said = {"prediction": max(probabilities, key=lambda label: probabilities[label]), "probabilities": probabilities}
    sets = {"prediction_set": {"labels": list(inside), "coverage": 0.9}} if inside else {}
    return {**said, **sets, "warnings": []}


def read(html: str) -> str:
    """What somebody reads of it."""
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


def test_three_classes_are_told_in_words() -> None:
    said = answer({"low": 0.2, "middle": 0.7, "high": 0.1}, ("low", "middle"))
    text = read(case.answer(model(BOUNDED), said, "1", 0.002))
    assert "middle with a probability of 70.0 % Prediction set: low or middle , with 90 % coverage" in text
    assert "low 20.0 % below 0.5 TRY middle 70.0 % from 0.5 to 71,146 TRY high 10.0 % from 71,146 TRY on" in text


def test_two_classes_have_a_set_where_the_service_says_one() -> None:
    shares = {"No": 0.6, "Yes": 0.4}
    assert "Prediction set: No or Yes , with 90 %" in read(case.answer(model(), answer(shares, ("No", "Yes")), "1", 1))
    assert "Prediction set" not in case.answer(model(), answer(shares), "1", 1)


def test_of_a_hundred_classes_the_most_probable_ones_come_first() -> None:
    every = {f"c{place}": 2 * (place + 1) / 10_100 for place in range(100)}
    said = answer(every, tuple(every))
    html = case.answer(model(), said, "1", 0.002)
    found = re.findall(r'"name">(c\d+)<', html)
    assert found == [f"c{place}" for place in range(99, -1, -1)]
    assert html.index("<details>") > html.index('"name">c92<')
    assert html.index("<details>") < html.index('"name">c91<')
    assert "92 less probable classes, 84.7 % together" in read(html)
    assert classes.set_in_words(said) == "c99, c98, c97, c96, c95, c94, c93 or 93 others"
    assert classes.set_in_words(answer(every, ("c3",))) == "c3"


@pytest.mark.parametrize(("now", "predicted"), [(1.0, "b"), (2.0, "a")])
def test_what_if_speaks_of_the_class_that_is_predicted_now(now: float, predicted: str) -> None:
    answers: list[Any] = [answer({"a": 0.1, "b": 0.8, "c": 0.1}), answer({"a": 0.6, "b": 0.3, "c": 0.1})]
    points = whatif.points(X, [1.0, 2.0], answers)
    html = what_if.one(model(), X, {"x": now}, points)
    assert f"Probability of {predicted}, which is the prediction now, over x" in html
    share = answers[int(now) - 1]["probabilities"][predicted]
    assert f'<b data-value="{share}">' in html


def test_a_row_that_is_not_answered_has_no_prediction_now() -> None:
    points = whatif.points(X, [None, 2.0], [None, answer({"a": 0.6, "b": 0.3, "c": 0.1})])
    assert "Probability of a, over x" in what_if.one(model(), X, {"x": None}, points)


@pytest.mark.parametrize(("count", "folded"), [(3, False), (10, False), (11, True)])
def test_mistakes_are_a_table_which_is_folded_if_it_is_large(count: int, folded: bool) -> None:
    score = {"value": 0.75, "low": 0.7, "high": 0.8}
    labels = [f"c{place}" for place in range(count)]
    confusion = [[place + 1_000 * (place == other) for other in range(count)] for place in range(count)]
    metrics = {
        "rows": 10,
        "scores": {"model": {"macro_f1": score}},
        "classes": {"classes": labels, "confusion": confusion, "accuracy": score},
        "sets": {"coverage": 0.9, "covered": score, "mean_size": 1.25, "single": 0.6},
        "importance": {"space": "logit", "columns": {"x": 1.0}},
    }
    html = view_of_model.description(model(metrics=metrics))
    assert (f"<summary>{count} classes" in html) == folded
    assert html.count('class="right"') == count
    text = read(html)
    assert "have it for 75.0 % (70.0 % to 80.0 %). They have 1.25 classes on average; 60.0 % of them have one." in text
    assert "75.0 % of the answers are right (70.0 % to 80.0 %). The macro F1," in text
    assert "1,002" in text
    assert "on average, in logits, from which alone no probability follows (" in text


def test_a_table_gets_probabilities_and_sets_as_json(tmp_path: Path) -> None:
    said = answer({"low": 0.2, 'çok "iyi"': 0.7, "high": 0.1}, ("low", 'çok "iyi"'))
    described = json.dumps(model().model_dump(mode="json")).encode()
    predicted = json.dumps({"model_version": "1", "predictions": [said]}).encode()
    upload, folder = tmp_path / "rows.csv", tmp_path / "out"
    upload.write_text("x\n1\n")
    folder.mkdir()

    async def run(url: str) -> list[many.Progress | many.Outcome]:
        service = Service(url)
        try:
            known = await service.model("m")
            return [step async for step in many.answer(service, known, upload, folder, reasons=False)]
        finally:
            await service.close()

    with odd((200, {}, described), (200, {}, predicted)) as (url, _):
        outcome = asyncio.run(run(url))[-1]
    assert isinstance(outcome, many.Outcome)
    [row] = pd.read_csv(outcome.path).to_dict("records")
    assert row["prediction_set"] == '["low","çok \\"iyi\\""]'
    assert [row[f"probability_{label}"] for label in said["probabilities"]] == [0.2, 0.7, 0.1]
    shown = read(table.preview(model(), outcome))
    assert "The surest answers" in shown
    assert "1 çok &#34;iyi&#34; 70.0 % 1" in shown
