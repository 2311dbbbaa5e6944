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


def test_performance_is_that_of_held_out_rows_and_of_labelled_ones() -> None:
    rows = numbers(2_000, 12.0)
    rows.loc[:999, ACTUAL] = np.nan
    before, now = live.judge_reference(watched(), reference()), live.judge(watched(), rows)
    found = live.performance(before, now)
    assert found is not None
    assert (found.metric, found.labelled) == ("mae", 1_000)
    assert found.before.value == pytest.approx(10 * np.sqrt(2 / np.pi), rel=0.04)
    errors = (rows[ACTUAL] - rows["score.0"]).abs()
    assert found.true is not None
    assert found.true.value == pytest.approx(errors.mean())
    assert found.true.low is not None
    assert found.true.low < 12 * np.sqrt(2 / np.pi) < (found.true.high or 0)


def test_the_root_of_squared_errors_is_judged_where_the_model_was_trained_on_them() -> None:
    squared = msgspec.structs.replace(watched(), loss={"name": "rmse", "objective": "regression"})
    found = live.performance(live.judge_reference(squared, reference()), live.judge(squared, numbers(3_000, 10.0)))
    assert found is not None
    assert found.metric == "rmse"
    assert found.before.value == pytest.approx(10, rel=0.05)


def test_of_few_labelled_rows_nothing_is_said() -> None:
    before, now = live.judge_reference(watched(), reference()), live.judge(watched(), numbers(29, 10.0))
    assert live.performance(before, now) is None
    assert live.coverage(now) is None
    assert live.degraded(before, now) is None
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


@pytest.mark.parametrize(
    ("error", "tests", "surely"), [(10.0, 1, False), (10.4, 1, False), (13.0, 1, True), (13.0, 200, True)]
)
def test_a_loss_is_degraded_if_it_is_surely_more_than_five_per_cent_larger(
    error: float, tests: int, surely: bool
) -> None:
    before = live.judge_reference(watched(), reference())
    found = live.degraded(before, live.judge(watched(), numbers(2_000, error)), tests=tests)
    assert found is not None
    assert found.surely is surely
    assert found.ratio.value == pytest.approx(error / 10, rel=0.06)


def test_more_tests_ask_for_more() -> None:
    before = live.judge_reference(watched(), reference())
    now = live.judge(watched(), numbers(1_000, 12.0))
    one, many = live.degraded(before, now), live.degraded(before, now, tests=10**6)
    assert one is not None
    assert many is not None
    assert (one.surely, many.surely) == (True, False)


def test_unchanged_errors_are_rarely_called_worse() -> None:
    before = live.judge_reference(watched(), reference())
    found = [live.degraded(before, live.judge(watched(), numbers(500, 10.0, seed))) for seed in range(100)]
    assert sum(each is not None and each.surely for each in found) <= 1


def _keyed(rows: pd.DataFrame, keys: Callable[[int], str | None]) -> pd.DataFrame:
    return rows.assign(**{"key.flat": pd.Series([keys(place) for place in range(len(rows))], index=rows.index)})


def test_rows_of_one_key_count_as_one() -> None:
    single = numbers(400, 10.0)
    repeated = pd.concat([single] * 25, ignore_index=True)
    narrow, wide = (
        live.performance(live.judge_reference(watched(), reference()), live.judge(watched(), rows))
        for rows in (repeated, _keyed(repeated, lambda place: f"{place % 400}"))
    )
    alone = live.performance(live.judge_reference(watched(), reference()), live.judge(watched(), single))
    width = [each.true.high - each.true.low for each in (narrow, wide, alone)]  # type: ignore[operator,union-attr]
    assert width[0] < width[1] / 4
    assert width[1] == pytest.approx(width[2], rel=0.01)
