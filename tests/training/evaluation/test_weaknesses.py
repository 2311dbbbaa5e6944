"""Why a model may be weak, in sentences with figures."""

import msgspec
import numpy as np
import pandas as pd
import pytest

from model.metrics import Coverage, Duplicates, Importance, Score
from tests.training.evaluation.test_judging import judged
from training.data import copies
from training.evaluation import report


def test_what_makes_a_model_weak_is_said_with_figures() -> None:
    found = msgspec.structs.replace(
        judged(model={"rmse": Score(1.0, 1.0, 1.0)}, lookup={"rmse": Score(2.0, 2.0, 2.0)}),
        importance=Importance("value", 5, {"fee": 95.0, "size": 5.0}),
        duplicates=Duplicates(100, 100, 0.4),
        interval=Coverage(0.9, Score(0.8, 0.6, 1.0), 3.0),
        rows=50,
    )
    column, noise, few = report.weaknesses(found)
    assert column.startswith("`fee` moves answers nearly by itself (95% of all contributions)")
    assert "differ in the target, by 40% of its variance: no model of these columns explains that" in noise
    assert "50 test rows are few: the coverage that they show may be off by 8% by chance" in few
    assert report.weaknesses(judged(model={"rmse": Score(1.0, 1.0, 1.0)})) == []


def test_coverage_that_is_surely_missed_is_told() -> None:
    for high, told in ((0.89, 1), (0.9, 0)):
        found = msgspec.structs.replace(
            judged(model={"rmse": Score(1.0, 1.0, 1.0)}), interval=Coverage(0.9, Score(0.86, 0.84, high), 3.0), rows=900
        )
        sentences = report.weaknesses(found)
        assert len(sentences) == told
        assert all(
            "Intervals cover 86% of the test rows, surely fewer than the 90% that answers" in each for each in sentences
        )


def test_the_noise_among_equal_rows_is_that_of_their_targets() -> None:
    random = np.random.default_rng(1)
    silver = pd.DataFrame({"x": np.repeat(np.arange(500.0), 4)})
    signal, unknown = 3 * np.repeat(random.normal(size=500), 4), random.normal(size=2_000)
    found = copies.noise(silver, ["x"], signal + unknown)
    assert found == pytest.approx(1 / 10, abs=0.02)
    assert copies.noise(silver.head(30), ["x"], signal[:30]) is None
    assert copies.noise(silver, ["x"], np.ones(2_000)) is None
