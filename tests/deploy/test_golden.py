"""Answers beside what training recorded."""

import math
from pathlib import Path
from typing import Any

import pytest

from deploy import golden
from deploy.errors import ConfigError
from deploy.golden import Golden
from model import golden as recorded

REGRESSION = Golden("fares", "1", "", [{}], [[2.0, 1.0, 3.0]], [{"day": 0.5}], ())
BINARY = Golden("churn", "1", "", [{}], [[0.25]], [{"day": 0.5}], ["Yes"])
GOOD = {"prediction": 2.0, "interval": {"low": 1.0, "high": 3.0}}


def test_a_release_is_as_exact_as_a_start() -> None:
    """A release imports nothing of the model's code, so it has the tolerances a second time."""
    assert (golden.PREDICTED, golden.EXPLAINED) == (recorded.PREDICTED, recorded.EXPLAINED)


def test_the_recorded_answers_are_good() -> None:
    assert REGRESSION.differs(0, GOOD) is None
    assert BINARY.differs(0, {"prediction": "No", "probabilities": {"No": 0.75, "Yes": 0.25}}) is None
    assert REGRESSION.differs_in_why(0, {"base_value": 1.5, "contributions": {"day": 0.5}}) is None


@pytest.mark.parametrize(
    "answer",
    [{}, None, "NaN", {**GOOD, "prediction": 2.001}, {**GOOD, "prediction": "NaN"}, {**GOOD, "prediction": None},
     {**GOOD, "prediction": math.nan}, {"prediction": 2.0}],
)  # fmt: skip
def test_others_are_told(answer: Any) -> None:
    said = REGRESSION.differs(0, answer)
    assert said is not None
    assert said.startswith("golden row 0 of fares got")


@pytest.mark.parametrize("contributions", [None, {}, {"day": 0.6}, {"day": "NaN"}])
def test_other_explanations_are_told(contributions: Any) -> None:
    said = REGRESSION.differs_in_why(0, {"base_value": 1.5, "contributions": contributions})
    assert said is not None
    assert said.startswith("golden row 0 of fares")


def test_a_bento_without_its_models_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bento.yaml").write_text("name: b\nversion: v\nservices: [{models: [{tag: 'fares:1'}]}]\n")
    monkeypatch.chdir(tmp_path)
    for place in (".", str(tmp_path)):
        with pytest.raises(ConfigError, match="fares:1 is neither in it nor in a store around it"):
            golden.read(place)
