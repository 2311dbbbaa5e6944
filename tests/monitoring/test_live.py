"""Live performance, coverage and slices on answers whose truth is known by construction."""

from collections.abc import Callable

import msgspec
import numpy as np
import pandas as pd
import pytest

from model.outcomes import Multiclass
from model.outcomes.sets import Sets
from model.watched import EARLIER, HELD_OUT, SPLIT
from monitoring import live
from monitoring.journal import PREDICTION_ID
from monitoring.truth import ACTUAL
from tests.monitoring.records import LABELS, binary, watched
from validation.contract import Column, Contract, Kind, Role


def numbers(rows: int, error: float, seed: int = 0, bias: float = 0.0) -> pd.DataFrame:
    """Answers around 100 whose intervals hold 90 % of normal errors of size 10."""
    random = np.random.default_rng(seed)
    value = random.uniform(80, 120, rows)
    return pd.DataFrame(
        {
            "district": random.choice(["North", "South"], rows),
            "balcony": pd.array(random.choice([True, False], rows), dtype="boolean"),
            "score.0": value,
            "score.1": value - 16.449,
            "score.2": value + 16.449,
            PREDICTION_ID: [f"{seed}-{place}" for place in range(rows)],
            ACTUAL: value + bias + random.normal(0, error, rows),
        }
    )


def reference(rows: int = 4_000, error: float = 10.0) -> pd.DataFrame:
    """Held-out rows, and earlier ones that the model knows by heart."""
    held_out = numbers(rows, error, seed=99).assign(**{SPLIT: HELD_OUT})
    earlier = numbers(rows, 0.01, seed=98).assign(**{SPLIT: EARLIER})
    return pd.concat([held_out, earlier]).rename(columns={ACTUAL: "price"})


def test_losses_are_of_the_rows_that_are_labelled_by_what_the_model_is_judged_by() -> None:
    rows = numbers(2_000, 12.0)
    rows.loc[:999, ACTUAL] = np.nan
    found, errors = live.judge(watched(), rows), (rows[ACTUAL] - rows["score.0"]).abs()
    assert (found.loss.name, len(found.losses)) == ("mae", 1_000)
    assert found.losses.mean() == pytest.approx(errors.mean())
    assert live.judge_reference(watched(), reference()).losses.mean() == pytest.approx(
        10 * np.sqrt(2 / np.pi), rel=0.04
    )
    squared = msgspec.structs.replace(watched(), loss={"name": "rmse", "objective": "regression"})
    assert live.judge(squared, rows).loss.name == "rmse"


def test_of_few_labelled_rows_nothing_is_said() -> None:
    before, now = live.judge_reference(watched(), reference()), live.judge(watched(), numbers(29, 10.0))
    assert live.coverage(now) is None
    assert live.slices(watched(), before, now, 5) == []


def test_coverage_of_intervals_falls_when_errors_grow() -> None:
    for error, share in ((10.0, 0.9), (20.0, 0.589)):
        found = live.coverage(live.judge(watched(), numbers(5_000, error)))
        assert found is not None
        assert (found.stated, found.rows) == (0.9, 5_000)
        assert found.live.value == pytest.approx(share, abs=0.02)
        assert (found.live.low or 0) < share < (found.live.high or 0)


def test_coverage_of_sets_and_log_loss_of_labels() -> None:
    probability = np.array([0.95, 0.95, 0.6, 0.6] * 10)
    sold = pd.Series([True, False, True, False] * 10, dtype="boolean")
    rows = pd.DataFrame({"score.0": probability, ACTUAL: sold, PREDICTION_ID: range(40)})
    model = watched(LABELS, binary(mass=0.8))  # 0.6 is uncertain: both labels are in the set
    judged = live.judge(model, rows)
    expected = -np.log(np.where(sold.to_numpy(dtype=bool), probability, 1 - probability))
    np.testing.assert_allclose(judged.losses, expected)
    found = live.coverage(judged)
    assert found is not None
    assert found.live.value == 0.75


def test_labels_that_the_model_does_not_know_are_left_out() -> None:
    kind = Column(name="kind", kind=Kind.CATEGORY, choices=("a", "b", "c"), role=Role.TARGET)
    outcome = Multiclass(("a", "b", "c"), 1.0, (0.0, 0.0, 0.0), None, Sets(0.9, 0.5))
    contract = Contract((LABELS.inputs[0], kind))
    model = msgspec.structs.replace(
        watched(contract), outcome=outcome, loss={"name": "log_loss", "objective": "multiclass"}
    )
    scores = {"score.0": [0.7, 0.2, 0.1], "score.1": [0.2, 0.3, 0.1], "score.2": [0.1, 0.5, 0.8]}
    judged = live.judge(model, pd.DataFrame({**scores, ACTUAL: ["a", "b", "unheard of"]}))
    np.testing.assert_allclose(judged.losses, -np.log([0.7, 0.3]))
    assert judged.covered is not None
    assert judged.covered.tolist() == [True, True]


def test_a_target_with_bins_is_judged_by_its_classes() -> None:
    model = msgspec.structs.replace(watched(LABELS, binary()), bounds=[100.0])
    rows = pd.DataFrame({"score.0": [0.9, 0.9], ACTUAL: [99.9, 100.0]})
    np.testing.assert_allclose(live.judge(model, rows).losses, -np.log([0.1, 0.9]))


def test_slices_are_judged_by_themselves_the_worst_first() -> None:
    rows = numbers(2_000, 5.0)
    south = rows["district"] == "South"
    rows.loc[south, ACTUAL] += 40
    rows.loc[1_000:1_050, "district"] = "East"
    before = live.judge_reference(watched(), reference())
    found = live.slices(watched(), before, live.judge(watched(), rows), 200)
    assert [(each.column, each.value) for each in found[:1]] == [("district", "South")]
    assert {each.value for each in found} == {"North", "South", "True", "False"}
    assert found[0].true.value > 30
    assert found[0].before is not None
    assert found[0].before.value < 10


def _keyed(rows: pd.DataFrame, keys: Callable[[int], str | None]) -> pd.DataFrame:
    return rows.assign(**{"key.flat": pd.Series([keys(place) for place in range(len(rows))], index=rows.index)})


def test_rows_of_one_key_count_as_one() -> None:
    single, before = numbers(400, 10.0), live.judge_reference(watched(), reference())
    repeated = pd.concat([single] * 25, ignore_index=True)
    narrow, wide, alone = (
        live.slices(watched(), before, live.judge(watched(), rows), 30)[0]
        for rows in (repeated, _keyed(repeated, lambda place: f"{place % 400}"), single)
    )
    width = [each.true.high - each.true.low for each in (narrow, wide, alone)]  # type: ignore[operator]
    assert width[0] < width[1] / 4
    assert width[1] == pytest.approx(width[2], rel=0.01)
