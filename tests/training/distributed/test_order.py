"""The split of a row from the row alone: the same as from the whole table, whatever way that is cut."""

from collections import Counter

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from problems.base import Problem
from tests.training.conftest import GONE, PRICE, problem, table
from training.data.split import SPLITS, SplitParams, assign, labels_of, missed, shares_of
from training.distributed import order
from validation.errors import TableError

SHARES = SplitParams(validation=0.1, calibration=0.1, test=0.2, seed=3)


def silver(asked: Problem, rows: int) -> pd.DataFrame:
    """Rows with their places in a file."""
    drawn = table(rows).astype({"day": "datetime64[us]"})
    names = [column.name for column in asked.contract.columns]
    places = {order.FILE: np.uint64(7), order.ROW: np.arange(rows, dtype=np.uint64)}
    return drawn[names].assign(**places)  # type: ignore[arg-type]  # scalars and arrays


@given(st.lists(st.integers(0, 60), min_size=4, max_size=300), st.integers(1, 7))
def test_borders_of_added_counts_are_those_of_the_rows(days: list[int], parts: int) -> None:
    asked = problem(PRICE, in_time=True)
    whole = pd.Series(days)
    counts: Counter[int] = Counter()
    for part in range(parts):
        counts.update(Counter(days[part::parts]))
    if len(set(days)) < 4:
        with pytest.raises(TableError, match="needs four at least"):
            order.in_time(asked, counts, SHARES)
        return
    expected = assign(whole, SHARES)
    if len(set(days)) < len(days) / 2 and "train" in missed(shares_of(expected), SHARES):
        with pytest.raises(TableError, match="rows of one time stay together"):
            order.in_time(asked, counts, SHARES)
        return
    how = order.in_time(asked, counts, SHARES)
    assert labels_of(whole.to_numpy(), how.borders).tolist() == expected.tolist()


@pytest.mark.parametrize("in_time", [True, False])
@given(rows=st.integers(1, 400), data=st.data())
def test_a_row_has_the_split_that_it_has_in_the_whole(rows: int, data: st.DataObject, in_time: bool) -> None:
    asked = problem(PRICE, in_time=in_time)
    whole = silver(asked, 400)
    counts = Counter(order.times(asked, whole).tolist()) if in_time else Counter[int]()
    how = order.in_time(asked, counts, SHARES) if in_time else order.by_chance(SHARES, order.Alone())
    labels = how.labels(asked, whole)
    some = data.draw(st.lists(st.integers(0, 399), min_size=1, max_size=rows))
    assert how.labels(asked, whole.iloc[some]).tolist() == labels[some].tolist()


def test_without_a_time_shares_are_met_by_chance_and_copies_stay_together() -> None:
    asked = problem(GONE, in_time=False)
    rows = silver(asked, 20_000)
    how = order.by_chance(SHARES, order.alone(asked, rows, len(rows)))
    assert how.alone == order.Alone()
    shares = pd.Series(how.labels(asked, rows)).value_counts(normalize=True)
    assert [shares[name] for name in SPLITS] == pytest.approx([0.6, 0.1, 0.1, 0.2], abs=0.015)
    elsewhere = rows.assign(**{order.FILE: np.uint64(8)})
    assert how.labels(asked, elsewhere).tolist() == how.labels(asked, rows).tolist()
    other = order.by_chance(SplitParams(0.1, 0.1, 0.2, seed=4), how.alone)
    assert (other.labels(asked, rows) != how.labels(asked, rows)).mean() > 0.3


def test_equal_rows_that_are_no_copies_are_drawn_one_by_one() -> None:
    asked = problem(GONE, in_time=False)
    rows = silver(asked, 2_000)
    one = rows.assign(city="Oslo", area=1.0, day=rows["day"].iloc[0])
    assert order.alone(asked, one, len(one)) == order.Alone(all=True)
    mixed = pd.concat([rows, one.head(500)], ignore_index=True)
    mixed[order.ROW] = np.arange(len(mixed), dtype=np.uint64)
    found = order.alone(asked, mixed, len(mixed))
    assert len(found.inputs) == 1
    labels = order.by_chance(SHARES, found).labels(asked, mixed)
    assert len(set(labels[2_000:])) == 4
    assert labels[:2_000].tolist() == order.by_chance(SHARES, order.Alone()).labels(asked, rows).tolist()
