"""What the answers to a table say together."""

from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ui import tables
from ui.described import Column, Model
from ui.summary import ENDS, Answered

MODEL = Model(
    name="m",
    version="1",
    title="M",
    contract=(
        Column(name="kind", kind="category"),
        Column(name="x", kind="real"),
        Column(name="y", kind="real", role="target", unit="EUR"),
    ),
)


def said(value: float) -> dict[str, Any]:
    return {"prediction": value, "warnings": None}


@given(st.lists(st.none() | st.floats(-1e6, 1e6), max_size=120), st.integers(1, 50))
def test_ends_and_bars_are_those_of_all_rows_however_they_come_in_parts(values: list[float | None], part: int) -> None:
    answered = Answered(MODEL)
    for first in range(0, len(values), part):
        some = values[first : first + part]
        rows = [{"kind": "a" if value is None or value > 0 else "b", "x": value} for value in some]
        answered.take(first, rows, [None if value is None else said(value) for value in some], [])
    summary = answered.summary()
    good = sorted((value for value in values if value is not None), reverse=True)
    highest, lowest = ([end.answer["prediction"] for end in ends] for ends in summary.ends)
    assert highest == good[:ENDS]
    assert lowest == good[ENDS:][::-1][:ENDS]
    assert all(values[end.number - 1] == end.answer["prediction"] for ends in summary.ends for end in ends)
    if summary.bars:
        assert sum(bar.rows for bar in summary.bars) == len(good)
    for _, groups in summary.groups:
        assert sum(group.rows for group in groups) == len(good)
        mean = sum(group.rows * group.mean for group in groups) / len(good)
        assert mean == pytest.approx(sum(good) / len(good), abs=1e-6)


def test_groups_of_a_raw_table_are_by_what_the_contract_reads() -> None:
    wlan = Column(name="wlan", kind="flag", source="WLAN", parsed=True, texts={"ja": True, "nein": False, "?": None})
    state = Column(name="state", kind="category", choices=("alt", "neu"), parsed=True, any_case=True)
    missing = frozenset({"", "n/a"})
    model = Model(name="m", version="1", title="M", contract=(wlan, state, MODEL.target), missing_texts=missing)
    texts = ["Ja", "ja", "JA ", "Nein", "nein", "?", "n/a"] * 3
    answered = Answered(model)
    states = ["neu", "NEU", "Neu ", "alt", "Alt", "neu", "neu"] * 3
    rows = tables.rows(model, pd.DataFrame({"WLAN": texts, "state": states}))
    answered.take(0, rows, [said(float(place)) for place in range(len(rows))], [])
    found = [{group.name: group.rows for group in groups} for _, groups in answered.summary().groups]
    assert {True: 9, False: 6, None: 6} in found
    assert {"neu": 15, "alt": 6} in found


def test_of_two_classes_the_probability_of_the_last_is_what_orders() -> None:
    answered = Answered(MODEL)
    answers = [
        {"prediction": "Yes" if place > 15 else "No", "probabilities": {"No": 1 - place / 30, "Yes": place / 30}}
        for place in range(30)
    ]
    answered.take(0, [{"kind": "a", "x": 1.0}] * 30, answers, ["why"] * 30)
    summary = answered.summary()
    assert summary.of == "Yes"
    assert [end.number for end in summary.ends[0]] == [30, 29, 28, 27, 26]
    assert summary.ends[0][0].reasons == "why"
    assert {bar.label: bar.rows for bar in summary.bars} == {"Yes": 14, "No": 16}
    assert summary.groups == []  # one name divides nothing


def test_of_several_classes_the_surest_come_first() -> None:
    answered = Answered(MODEL)
    for share in (0.4, 0.9, 0.5):
        rest = {"b": (1 - share) / 2, "c": (1 - share) / 2}
        answered.take(0, [{"kind": "a", "x": 1.0}], [{"prediction": "a", "probabilities": {"a": share, **rest}}], [])
    summary = answered.summary()
    assert summary.of == ""
    assert [end.answer["probabilities"]["a"] for end in summary.ends[0]] == [0.9, 0.5, 0.4]
