"""The gates between bronze, silver and gold, and that they agree with the decoder on every contract."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from pandera.errors import SchemaErrors

from tests.strategies import any_rows
from tests.validation.test_decode_rows import DECODER, GOOD, WIDE, WORDS
from training.data import gates


def one_row(row: dict[str, Any]) -> pd.DataFrame:
    return pd.DataFrame({name: pd.Series([value], dtype=object).infer_objects() for name, value in row.items()})


@settings(max_examples=300)
@given(row=any_rows(WIDE, WORDS))
def test_gate_and_decoder_give_one_verdict(row: dict[str, Any]) -> None:
    try:
        gates.requests(WIDE, WORDS).validate(one_row(row), lazy=True)
        accepted = True
    except SchemaErrors:
        accepted = False
    assert accepted == (not DECODER.decode([row]).errors)


@pytest.mark.parametrize(("column", "value"), [("area", np.inf), ("rooms", 30.5), ("rooms", 0.0), ("area", -0.1)])
def test_typed_arrays_are_not_coerced(column: str, value: float) -> None:
    table = pd.DataFrame([GOOD] * 2).astype({"rooms": "float64"})
    table.loc[1, column] = value
    with pytest.raises(SchemaErrors) as caught:
        gates.requests(WIDE, WORDS).validate(table, lazy=True)
    assert gates.failures(WIDE, caught.value)["row"].tolist() == [1]


def test_reasons_are_the_decoders_words() -> None:
    table = pd.DataFrame([{**GOOD, "area": -1.0, "city": None}, GOOD])
    with pytest.raises(SchemaErrors) as caught:
        gates.requests(WIDE, WORDS).validate(table, lazy=True)
    failures = gates.failures(WIDE, caught.value)
    assert set(failures[["row", "column", "reason"]].itertuples(index=False, name=None)) == {
        (0, "city", "is missing"),
        (0, "area", "-1 is below the minimum of 0 m2"),
    }


def test_gold_is_finite_and_missing_only_where_allowed() -> None:
    good = pd.DataFrame({"a": [1.0, 2.0], "b": [np.nan, 1.0]})
    gates.gold(["a", "b"], {"b"}).validate(good, lazy=True)
    for bad in (good.assign(a=[np.nan, 1.0]), good.assign(b=[np.inf, 1.0]), good[["b", "a"]], good.assign(c=1.0)):
        with pytest.raises(SchemaErrors):
            gates.gold(["a", "b"], {"b"}).validate(bad, lazy=True)
