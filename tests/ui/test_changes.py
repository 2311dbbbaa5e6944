"""Changes of the answer: what is found reaches the goal, is allowed, and has nothing in it that is not needed."""

import asyncio
import math
from collections.abc import Mapping, Sequence
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ui import changes, goals, lines
from ui.described import Column, Model, Reference, Row, Spread

TARGET = Column(name="y", kind="real", role="target", unit="USD")
NAMES = ("a", "b", "c")
WARNED = "x_0: is not like training"
KINDS = ("real", "integer", "category", "flag", "date")


def column(name: str, kind: str) -> Column:
    bounds: dict[str, Any] = {"ge": -50.0, "le": 50.0} if kind in ("real", "integer") else {}
    return Column(name=name, kind=kind, choices=NAMES if kind == "category" else None, **bounds)


def spread(kind: str) -> Spread:
    match kind:
        case "real":
            return Spread(deciles=tuple(-50.0 + 100 * (place / 10) ** 2 for place in range(11)))
        case "integer":
            return Spread(deciles=tuple(range(-50, 51, 10)))
        case "date":
            return Spread(deciles=tuple(f"20{year}-03-01" for year in range(10, 21)))
        case _:
            return Spread(shares={"a": 0.5, "b": 0.3, "c": 0.2})


def value(kind: str) -> st.SearchStrategy[Any]:
    return {
        "real": st.floats(-50, 50).map(lambda number: round(number, 3)),
        "integer": st.integers(-50, 50),
        "category": st.sampled_from(NAMES),
        "flag": st.booleans(),
        "date": st.dates().filter(lambda day: 2010 <= day.year < 2020).map(str),
    }[kind]


class Stump:
    """A tree model of a few splits: a sum over columns of what is on either side of a threshold."""

    def __init__(self, model: Model, splits: Sequence[tuple[int, float, float]]) -> None:
        self.model, self.splits, self.seen = model, splits, list[Row]()

    def number(self, row: Row) -> float:
        total = 0.0
        for place, threshold, effect in self.splits:
            told = self.model.inputs[place % len(self.model.inputs)]
            total += effect if self.at(told, row[told.name]) > threshold else 0.0
        return total

    def at(self, told: Column, value: Any) -> float:
        """A value as a share of the column's range."""
        if told.kind == "category":
            return NAMES.index(value) / 2
        if told.kind == "flag":
            return float(value)
        marks = lines.deciles(self.model, told)
        return (lines.line(told, value) - marks[0]) / (marks[-1] - marks[0])

    def answer(self, row: Row) -> dict[str, Any]:
        warned = isinstance(row.get("x_0"), float) and row["x_0"] > 40
        return {"prediction": self.number(row), "warnings": [WARNED] if warned else []}

    async def ask(self, rows: list[Row]) -> list[Mapping[str, Any] | None]:
        self.seen += rows
        return [None if row.get("x_1") == "c" else self.answer(row) for row in rows]


@st.composite
def asked(draw: st.DrawFn) -> tuple[Stump, Row, goals.Bound, set[str]]:
    """A model, a row of it, a number to reach, and the columns that may change."""
    kinds = draw(st.lists(st.sampled_from(KINDS), min_size=1, max_size=5))
    columns = [column(f"x_{place}", kind) for place, kind in enumerate(kinds)]
    spreads = {told.name: spread(told.kind) for told in columns}
    model = Model(name="m", version="1", title="M", contract=(*columns, TARGET), reference=Reference(columns=spreads))
    splits = st.tuples(st.integers(0, 4), st.floats(0, 1), st.sampled_from([-3.0, -1.0, 1.0, 2.0]))
    stump = Stump(model, draw(st.lists(splits, min_size=1, max_size=8)))
    row = {told.name: draw(value(told.kind)) for told in columns}
    goal = goals.Bound(stump.number(row) + draw(st.sampled_from([0.5, 1.5, 3.5])), above=True)
    return stump, row, goal, draw(st.sets(st.sampled_from(sorted(row))))


def found(stump: Stump, row: Row, goal: goals.Goal, allowed: set[str]) -> list[changes.Change]:
    asking = changes.Asking(stump.model, row, stump.answer(row), goal, stump.ask)
    result = asyncio.run(changes.search(asking, allowed))
    assert asking.asked == len(stump.seen) <= changes.MOST_ROWS
    return result


@given(asked())
@settings(max_examples=200)
def test_changes_reach_the_goal_and_nothing_in_them_can_be_left_out(
    drawn: tuple[Stump, Row, goals.Bound, set[str]],
) -> None:
    stump, row, goal, allowed = drawn
    ways = found(stump, row, goal, allowed)
    assert len(ways) <= changes.MOST_FOUND
    for way in ways:
        after = way.of(row)
        assert after in stump.seen
        assert goal.reached(stump.answer(after))
        assert way.answer == stump.answer(after)
        assert {name for name in row if row[name] != after[name]} == way.columns <= allowed
        for move in way.moves:
            back = {**after, move.column: row[move.column]}
            assert not goal.reached(stump.answer(back)) or back.get("x_1") == "c" or stump.answer(back)["warnings"]


@given(asked())
def test_changes_stay_within_limits_and_training_and_bring_no_warning(
    drawn: tuple[Stump, Row, goals.Bound, set[str]],
) -> None:
    stump, row, goal, allowed = drawn
    for way in found(stump, row, goal, allowed):
        for move in way.moves:
            told = stump.model.input(move.column)
            assert move.cost > 0
            if lines.curved(told):
                marks, at = lines.deciles(stump.model, told), lines.line(told, move.value)
                assert marks[0] <= at <= marks[-1] or min(at, marks[0]) >= lines.line(told, row[told.name])
                assert told.ge is None or told.ge <= at <= (told.le or math.inf)
            else:
                assert move.value in (*NAMES, True, False)
        assert not set(way.answer["warnings"]) - set(stump.answer(row)["warnings"])


@given(asked())
def test_different_ways_are_of_different_columns_the_fewest_first(
    drawn: tuple[Stump, Row, goals.Bound, set[str]],
) -> None:
    ways = found(*drawn)
    for place, way in enumerate(ways):
        assert not any(way.columns >= other.columns for other in ways[:place] + ways[place + 1 :])
    assert [way.cost for way in ways] == sorted(way.cost for way in ways)


@given(asked())
def test_nothing_is_found_where_nothing_may_change_or_nothing_is_enough(
    drawn: tuple[Stump, Row, goals.Bound, set[str]],
) -> None:
    stump, row, _, allowed = drawn
    assert found(stump, row, goals.Bound(1e9, above=True), allowed) == []
    stump.seen.clear()
    assert found(stump, row, goals.Bound(-1e9, above=False), set()) == []
    assert stump.seen == []


@given(st.integers(-40, 25), st.integers(-49, 25))
def test_a_number_moves_no_farther_than_to_the_threshold(now: int, threshold: int) -> None:
    """Over one threshold the way is as short as the values are fine: a thousandth of the range."""
    told = column("x_0", "real")
    model = Model(
        name="m", version="1", title="M", contract=(told, TARGET), reference=Reference(columns={"x_0": spread("real")})
    )
    stump = Stump(model, [(0, (threshold + 50) / 100, 5.0)])
    row = {"x_0": float(now)}
    goal = goals.Bound(2.5, above=threshold >= now)
    [way] = found(stump, row, goal, {"x_0"})
    assert abs(way.of(row)["x_0"] - threshold) <= 0.2 + 1e-9


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=12).map(sorted), st.floats(-2e6, 2e6), st.floats(-2e6, 2e6))
def test_ranks_follow_the_order_of_values(marks: list[float], one: float, other: float) -> None:
    low, high = sorted((one, other))
    assert lines.rank(marks, low) <= lines.rank(marks, high) + 1e-9
    assert 0 <= lines.rank(marks, marks[0]) <= lines.rank(marks, marks[-1]) <= 1


@pytest.mark.parametrize(
    ("answer", "above", "bound"),
    [
        ({"prediction": 853.85, "interval": {"low": 794.49, "high": 913.22}}, False, 794.0),
        ({"prediction": 853.85, "interval": {"low": 794.49, "high": 913.22}}, True, 914.0),
        ({"prediction": 200.0}, True, 220.0),
        ({"prediction": 0.0}, False, -1.0),
    ],
)
def test_the_number_to_reach_is_beyond_the_interval_and_round(
    answer: dict[str, Any], above: bool, bound: float
) -> None:
    assert goals.bound(answer, above=above) == bound


def test_of_several_classes_any_other_or_the_one_that_is_wanted() -> None:
    shares = {"low": 0.6, "middle": 0.3, "high": 0.1}
    now = {"prediction": "low", "probabilities": shares}
    other = {"prediction": "middle", "probabilities": shares | {"low": 0.3, "middle": 0.6}}
    assert not goals.Other("low").reached(now)
    assert goals.Other("low").reached(other)
    assert not goals.Other("low", "high").reached(other)
    assert goals.Other("low").nearness(other) > goals.Other("low").nearness(now)


def test_a_service_changes_its_answers_as_the_search_says(client: httpx.Client) -> None:
    """On the real thing: a fare gets cheaper, and each way is checked by asking anew."""
    model = Model.model_validate(client.get("/v1/models/flights").json())
    row = {each.name: each.example for each in model.inputs}

    async def ask(rows: list[Row]) -> list[Mapping[str, Any] | None]:
        answer = client.post("/v1/models/flights:predict", json={"instances": rows}, params={"partial": "true"})
        predictions: list[Mapping[str, Any] | None] = answer.json()["predictions"]
        return predictions

    [now] = [said for said in asyncio.run(ask([row])) if said]
    goal = goals.Bound(goals.bound(now, above=True), above=True)
    asking = changes.Asking(model, row, now, goal, ask)
    ways = asyncio.run(changes.search(asking, set(row)))
    assert len(ways) >= 2
    assert asking.asked <= changes.MOST_ROWS
    for way in ways:
        [again] = asyncio.run(ask([way.of(row)]))
        assert again is not None
        assert goal.reached(again)
        assert not again["warnings"]
