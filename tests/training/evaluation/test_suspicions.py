import numpy as np
import pandas as pd
import pytest

from problems.base import Problem
from training.data.split import SplitParams, assign, missed, shares_of
from training.evaluation import suspicions
from training.learning import tasks
from validation.contract import Column, Contract, Kind, Role

SHARES = SplitParams(validation=0.02, calibration=0.08, test=0.2, seed=1)
RANDOM = np.random.default_rng(1)
ROWS = 400
PRICE = RANDOM.lognormal(5, 1, ROWS)


def found(target: Column, table: dict[str, object], time: bool = False) -> list[str]:
    inputs = [Column(name=name, kind=Kind.REAL) for name in table if name not in ("year", target.name)]
    years = [Column(name="year", kind=Kind.DATE, role=Role.TIME)] if time else []
    problem = Problem(name="p", title="", contract=Contract((*inputs, *years, target)))
    silver = pd.DataFrame(table)
    split = assign(silver["year"] if time else pd.Series(RANDOM.random(ROWS)), SHARES)
    return suspicions.find(tasks.of(problem, silver), silver, split, SHARES)


@pytest.mark.parametrize("twin", [np.log(PRICE), -PRICE, PRICE * 5.1 + 3, np.where(np.arange(ROWS) % 3, PRICE, np.nan)])
def test_a_column_that_is_the_target_in_other_words_is_named(twin: np.ndarray) -> None:
    price = Column(name="price", kind=Kind.REAL, role=Role.TARGET)
    noisy = PRICE * RANDOM.lognormal(0, 0.3, ROWS)
    [said] = found(price, {"near": noisy, "twin": twin, "price": PRICE})
    assert said.startswith("`twin` gives `price` away")


def test_a_column_that_tells_two_classes_apart_by_itself_is_named() -> None:
    left = Column(name="left", kind=Kind.FLAG, role=Role.TARGET)
    goes = pd.Series(RANDOM.random(ROWS) < 0.3, dtype="boolean")
    days = np.where(goes, 0.0, RANDOM.integers(1, 900, ROWS))
    [said] = found(left, {"days_after": days, "noise": RANDOM.random(ROWS), "left": goes})
    assert said.startswith("`days_after` gives `left` away")


def test_a_number_that_is_only_0_and_1_is_asked_about() -> None:
    [said] = found(
        Column(name="left", kind=Kind.INTEGER, role=Role.TARGET),
        {"noise": RANDOM.random(ROWS), "left": (RANDOM.random(ROWS) < 0.3).astype(int)},
    )
    assert "`left` is only ever 0 or 1 and is learned as a number. Declare it `kind=Kind.FLAG`" in said


def test_a_time_with_few_values_is_told_with_the_shares_it_gave() -> None:
    years = pd.to_datetime(pd.Series(2015 + np.arange(ROWS) // 50, dtype="str"))
    [said] = found(Column(name="price", kind=Kind.REAL, role=Role.TARGET), {"year": years, "price": PRICE}, time=True)
    assert "`year` has too few different values for the shares that were asked for" in said
    assert "train 50%, validation 12%, calibration 12%, test 25%" in said


@pytest.mark.parametrize(("times", "short"), [(4, True), (6, False), (50, False)])
def test_shares_that_miss_by_far(times: int, short: bool) -> None:
    labels = assign(pd.Series(np.arange(ROWS) * times // ROWS), SHARES)
    assert ("train" in missed(shares_of(labels), SHARES)) == short
