"""How a model answers over all: rows that are made up as columns are distributed, means, bands and interactions."""

from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ui import backgrounds, dependence
from ui.described import Column, Model, Reference, Spread

NUMBERS = st.floats(-1e3, 1e3)
SPREADS: dict[str, Spread] = {
    "size": Spread(deciles=tuple(float(at) for at in range(11))),
    "colour": Spread(shares={"red": 0.5, "blue": 0.3, "green": 0.2}),
    "new": Spread(shares={"true": 0.25, "false": 0.75}),
    "day": Spread(deciles=tuple(f"2024-01-{1 + 2 * at:02}" for at in range(11)), missing=0.5),
}
COLUMNS = (
    Column(name="size", kind="real", unit="m"),
    Column(name="colour", kind="category"),
    Column(name="new", kind="flag"),
    Column(name="day", kind="date", nullable=True),
    Column(name="price", kind="real", role="target"),
)


@pytest.fixture
def model() -> Model:
    """Four columns of different kinds."""
    return Model(name="m", version="1", title="M", contract=COLUMNS, reference=Reference(rows=100, columns=SPREADS))


def test_made_up_rows_are_distributed_as_the_columns_are(model: Model) -> None:
    rows = backgrounds.rows(model, 40)
    assert rows == backgrounds.rows(model, 40)
    assert sorted(row["size"] for row in rows) == pytest.approx([10 * (place + 0.5) / 40 for place in range(40)])
    assert [sum(row["colour"] == name for row in rows) for name in ("red", "blue", "green")] == [20, 12, 8]
    assert sum(row["new"] for row in rows) == 10
    assert sum(row["day"] is None for row in rows) == 20
    assert {row["day"] for row in rows} - {None} <= {f"2024-01-{day:02}" for day in range(1, 22)}


def test_columns_of_which_nothing_is_published_stay_as_the_example() -> None:
    columns = (Column(name="x", kind="real", example=3.0), Column(name="c", kind="category"), COLUMNS[-1])
    bare = Model(name="m", version="1", title="M", contract=columns)
    assert backgrounds.rows(bare, 2) == [{"x": 3.0, "c": "unknown"}] * 2
    assert dependence.plan(bare).rows == []


def answers(model: Model, says: Any) -> tuple[list[dependence.Curve], list[dependence.Pair]]:
    plan = dependence.plan(model)
    return plan.read([says(row) for row in plan.rows])


@given(NUMBERS, NUMBERS, NUMBERS)
def test_what_adds_up_has_no_interaction_and_curves_of_its_parts(slope: float, red: float, new: float) -> None:
    model = Model(name="m", version="1", title="M", contract=COLUMNS, reference=Reference(rows=100, columns=SPREADS))

    def says(row: dict[str, Any]) -> float:
        return slope * float(row["size"]) + red * bool(row["colour"] == "red") + new * bool(row["new"])

    curves, pairs = answers(model, says)
    ranges = {each.column.name: each.range for each in curves}
    expected = {"size": 10 * abs(slope), "colour": abs(red), "new": abs(new), "day": 0.0}
    assert ranges == pytest.approx(expected, abs=1e-6)
    assert [each.range for each in curves] == sorted(ranges.values(), reverse=True)
    for each in curves:
        for point in each.points:
            assert point.low <= point.mean <= point.high
            assert point.high - point.low == pytest.approx(0, abs=1e-6)
    assert all(pair.size == pytest.approx(0, abs=1e-6) for pair in pairs)


def test_a_product_is_an_interaction(model: Model) -> None:
    curves, pairs = answers(model, lambda row: row["size"] * row["new"])
    assert [column.name for column in pairs[0].columns] == ["size", "new"]
    assert pairs[0].share > 0.2
    assert all(pair.size == pytest.approx(0, abs=1e-9) for pair in pairs[1:])
    [size] = [each for each in curves if each.column.name == "size"]
    assert size.points[-1].high - size.points[-1].low > 3
    assert size.points[-1].mean == pytest.approx(10 * 0.25, abs=0.2)


def test_rows_that_got_no_answer_are_left_out(model: Model) -> None:
    curves, _ = answers(model, lambda row: None if row["colour"] == "red" and row["new"] else row["size"])
    assert next(each for each in curves if each.column.name == "size").range == pytest.approx(10)
    assert answers(model, lambda _: None) == ([], [])


def test_a_service_answers_all_rows_of_the_plan(client: httpx.Client) -> None:
    flights = Model.model_validate(client.get("/v1/models/flights").json())
    plan = dependence.plan(flights)
    assert 0 < len(plan.rows) <= dependence.MOST_ROWS
    said = client.post("/v1/models/flights:predict", json={"instances": plan.rows})
    assert said.status_code == 200, said.text
    curves, pairs = plan.read([each["prediction"] for each in said.json()["predictions"]])
    assert [each.column.name for each in curves][:2] == ["duration_hours", "cabin"]
    assert len(pairs) == 6


@settings(max_examples=8)
@given(st.integers(1, 90), st.integers(0, 400))
def test_many_columns_are_asked_in_no_more_rows(columns: int, names: int) -> None:
    shares = {str(place): 1 / max(names, 1) for place in range(names)}
    contract = tuple(Column(name=f"c{place}", kind="category") for place in range(columns))
    reference = Reference(rows=9_000, columns={column.name: Spread(shares=shares) for column in contract})
    wide = Model(name="m", version="1", title="M", contract=(*contract, COLUMNS[-1]), reference=reference)
    plan = dependence.plan(wide)
    assert len(plan.rows) <= dependence.MOST_ROWS
    assert len(plan.single) == (min(columns, dependence.MOST_COLUMNS) if names > 1 else 0)
    assert plan.behind >= 10 or not plan.single
