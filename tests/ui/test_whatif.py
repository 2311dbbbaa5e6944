"""What if: values that the contract allows, answers where they belong, and examples that the service takes."""

from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.strategies import good_values
from ui import examples, lines, whatif
from ui.charts import Axis, bars_axis
from ui.described import Column, Model, Reference, Spread
from validation import contract
from validation.contract import Kind
from validation.decode_rows import RowDecoder

BOUNDS = st.floats(-1e6, 1e6)
NAMES = st.lists(st.text("abc", min_size=1, max_size=3), max_size=60, unique=True)
TARGET = contract.Column(name="y", kind=Kind.REAL, role=contract.Role.TARGET)


@st.composite
def varied(draw: st.DrawFn) -> tuple[contract.Column, Spread, Any, list[str]]:
    """A column of any kind, perhaps what training saw of it, and a value of a row."""
    kind = draw(st.sampled_from(Kind))
    said: dict[str, Any] = {"name": "x", "kind": kind, "nullable": draw(st.booleans())}
    names = draw(NAMES) if kind is Kind.CATEGORY else []
    if kind is Kind.CATEGORY:
        said["unseen"] = contract.Unseen.WARN if not names else draw(st.sampled_from(contract.Unseen))
    if kind in (Kind.REAL, Kind.INTEGER):
        low, high = sorted(draw(st.tuples(BOUNDS, BOUNDS)))
        if kind is Kind.INTEGER:
            low, high = float(int(low)), float(int(high))
        said |= draw(st.sampled_from([{}, {"ge": low}, {"le": high}, {"ge": low, "le": high}]))
    column = contract.Column(**said)
    values = good_values(column, names).filter(lambda value: not isinstance(value, float) or abs(value) < 1e12)
    seen = st.lists(values.filter(lambda value: value is not None), min_size=11, max_size=11).map(sorted)
    ordered = kind in (Kind.REAL, Kind.INTEGER, Kind.DATE, Kind.TIMESTAMP)
    spread = Spread(deciles=tuple(draw(seen))) if ordered and draw(st.booleans()) else Spread()
    return column, spread, draw(values), names


def described(column: contract.Column, spread: Spread, names: list[str]) -> Model:
    """As a service that learned these names says it."""
    said = [each.describe() for each in (column, TARGET)]
    said[0] |= {"choices": names} if column.kind is Kind.CATEGORY else {}
    columns = tuple(Column.model_validate(each) for each in said)
    return Model(name="m", version="1", title="M", contract=columns, reference=Reference(columns={"x": spread}))


@given(varied())
def test_values_to_try_are_allowed_different_and_have_the_one_of_now(
    drawn: tuple[contract.Column, Spread, Any, list[str]],
) -> None:
    column, spread, now, names = drawn
    model = described(column, spread, names)
    shown = model.input("x")
    tried = whatif.values(model, shown, now)
    rows = whatif.rows({"x": now}, shown, tried)
    decoded = RowDecoder(contract.Contract((column, TARGET)), {"x": names}).decode(rows)
    assert not decoded.errors
    assert len({repr(value) for value in tried}) == len(tried) <= max(whatif.POINTS, whatif.MOST_CHOICES) + 2
    assert now in tried
    points = whatif.points(shown, tried, [{"prediction": place} for place in range(len(tried))])
    assert [point.at for point in points] == sorted(point.at for point in points)
    assert all(point.answer == {"prediction": tried.index(point.value)} for point in points)


@given(st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=20))
def test_an_axis_holds_its_values_in_their_order(values: list[float]) -> None:
    axis = Axis.over(values)
    places = [axis.place(value) for value in sorted(values)]
    assert all(0 <= place <= 1 for place in places)
    assert places == sorted(places)


def test_bars_begin_at_nothing() -> None:
    class Bar:
        at, low, high = 0.0, None, None

        def __init__(self, value: float) -> None:
            self.value = value

    assert bars_axis([Bar(5.0), Bar(7.0)]).low == 0
    assert bars_axis([Bar(-5.0), Bar(7.0)]).low < -5


@pytest.mark.parametrize("typed", ["nan", "inf", "far", "2024-31-01", "", True])
@pytest.mark.parametrize("kind", ["real", "integer", "date", "timestamp"])
def test_what_somebody_typed_is_tried_whatever_it_is(kind: str, typed: Any) -> None:
    """The service says what is wrong with it."""
    marks = ["2020-01-01", "2021-01-01"] if kind in ("date", "timestamp") else [0, 100]
    model, column = seen(kind, marks)
    assert typed in whatif.values(model, column, typed)
    assert typed in whatif.few(model, column, typed, whatif.DOWN)


MARKS = st.lists(st.floats(-1e6, 1e6), min_size=11, max_size=11).map(sorted)
DAYS = st.lists(st.dates(), min_size=11, max_size=11).map(lambda days: [day.isoformat() for day in sorted(days)])


def seen(kind: str, marks: list[Any]) -> tuple[Model, Column]:
    """A model that saw these deciles of a column."""
    column = Column(name="x", kind=kind, unit="km" if kind == "real" else None)
    target = Column(name="y", kind="real", role="target")
    reference = Reference(columns={"x": Spread(deciles=tuple(marks))})
    return Model(name="m", version="1", title="M", contract=(column, target), reference=reference), column


@given(st.sampled_from(["real", "integer", "date", "timestamp"]), st.data())
def test_ticks_are_on_the_axis_in_order_and_told_apart(kind: str, data: st.DataObject) -> None:
    marks: list[Any] = data.draw(DAYS if kind in ("date", "timestamp") else MARKS)
    model, column = seen(kind, [round(mark) for mark in marks] if kind == "integer" else marks)
    span = lines.span(model, column, None)
    ticks = lines.ticks(column, span.low, span.high)
    places = [at for at, _ in ticks]
    assert places == sorted(places)
    assert all(span.low <= at <= span.high for at in places)
    assert len({text for _, text in ticks}) == len(ticks) <= 2 * lines.MOST_TICKS + 1


@given(MARKS, st.floats(-1e12, 1e12))
def test_a_chart_holds_most_training_rows_and_no_extreme_value_decides_it(marks: list[float], now: float) -> None:
    model, column = seen("real", marks)
    span = lines.span(model, column, now)
    assert span.low <= marks[1] <= marks[-2] <= span.high
    width = (marks[-2] - marks[1]) or (marks[-1] - marks[0]) or 1.0
    assert span.high - span.low <= 4.5 * width * (1 + 1e-9)
    assert lines.span(model, column, None).within


@pytest.mark.parametrize(
    ("kind", "low", "high", "texts"),
    [
        ("date", "2019-09-26", "2022-06-11", ["2020-01", "2020-07", "2021-01", "2021-07", "2022-01"]),
        ("date", "2023-01-30", "2023-02-09", ["2023-01-30", "2023-02-01", "2023-02-03", "2023-02-05", "2023-02-07"]),
        ("date", "1950-06-01", "2020-06-01", ["1960", "1970", "1980", "1990", "2000", "2010", "2020"]),
        (
            "timestamp",
            "2024-03-01T06:10",
            "2024-03-02T06:10",
            ["03-01 12:00", "03-01 18:00", "03-02 00:00", "03-02 06:00"],
        ),
        ("integer", 0, 3, ["0", "1", "2", "3"]),
        ("real", 0.66, 7.29, ["1", "2", "3", "4", "5", "6", "7"]),
        ("real", 0.0, 8_684.8, ["0", "2,000", "4,000", "6,000", "8,000"]),
    ],
)
def test_ticks_are_round(kind: str, low: Any, high: Any, texts: list[str]) -> None:
    column = Column(name="x", kind=kind)
    found = [text for _, text in lines.ticks(column, lines.line(column, low), lines.line(column, high))]
    assert found[: len(texts)] == texts


def test_a_service_answers_its_examples_and_every_value_to_try(client: httpx.Client) -> None:
    model = Model.model_validate(client.get("/v1/models/flights").json())
    rows = examples.rows(model)
    assert len(rows) == examples.MOST
    tried = list(rows)
    for column in model.inputs:
        tried += whatif.rows(rows[0], column, whatif.values(model, column, rows[0][column.name]))
    answer = client.post("/v1/models/flights:predict", json={"instances": tried})
    assert answer.status_code == 200, answer.text
    assert not any(said["warnings"] for said in answer.json()["predictions"])


def test_examples_need_nothing_but_a_contract() -> None:
    """A service that publishes none has the contract's, which nobody varies: other values may contradict each other."""
    columns = (
        Column(name="x", kind="category", choices=("a", "b"), example="b"),
        Column(name="n", kind="integer", example=3),
        Column(name="f", kind="flag"),
        Column(name="y", kind="real", role="target"),
    )
    model = Model(name="m", version="1", title="M", contract=columns)
    first = {"x": "b", "n": 3, "f": False}
    assert examples.rows(model) == [first]
    other = {"x": "a", "n": 5, "f": True}
    published = model.model_copy(update={"metrics": {"examples": [first, other, {"x": "a"}]}})
    assert examples.rows(published) == [first, other]
