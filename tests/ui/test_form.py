"""The form: a field for whatever column a contract may have, whose values come back as the row that was shown."""

from typing import Any

import gradio as gr
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ui import form
from ui.described import Column, Model

FLAG, NUMBER = st.booleans(), st.integers(-1_000, 1_000)
DATES = st.dates().map(lambda day: day.isoformat())
MOMENTS = st.datetimes().map(lambda moment: moment.replace(microsecond=0).isoformat())
NAMES = st.lists(st.text("abcdefgh ", min_size=1, max_size=20).filter(str.strip), min_size=1, max_size=8, unique=True)


@st.composite
def columns(draw: st.DrawFn) -> tuple[Column, Any]:
    """A column of any kind, and one of its values."""
    kind = draw(st.sampled_from(["category", "flag", "integer", "real", "date", "timestamp", "named"]))
    said: dict[str, Any] = {"name": "x", "kind": kind, "nullable": draw(st.booleans()), "help": draw(st.text())}
    match kind:
        case "category":
            said["choices"] = draw(NAMES)
            said["unseen"] = draw(st.sampled_from(["reject", "warn"]))
            values: st.SearchStrategy[Any] = st.sampled_from(said["choices"])
        case "flag":
            values = FLAG
        case "integer" | "real":
            said |= draw(st.sampled_from([{}, {"ge": -1_000.0}, {"ge": -1_000.0, "le": 1_000.0}, {"unit": "km"}]))
            values = NUMBER if kind == "integer" else NUMBER.map(lambda number: number / 8)
        case "date" | "timestamp":
            values = DATES if kind == "date" else MOMENTS
        case _:
            said["kind"] = "category"
            values = st.text(min_size=1).filter(str.strip)
    if draw(st.booleans()):
        said["example"] = draw(values)
    return Column(**said), draw(st.none() | values if said["nullable"] else values)


def model(column: Column) -> Model:
    """One with that column."""
    target = Column(name="y", kind="real", role="target")
    return Model(name="m", version="1", title="A model", contract=(column, target))


async def suggest(column: str, text: str) -> list[str]:
    return [column, text]


@given(columns(), st.booleans())
def test_what_a_form_shows_is_what_it_sends(drawn: tuple[Column, Any], many: bool) -> None:
    column, value = drawn
    many = many and column.kind == "category" and not column.choices
    described = model(column)
    widget: Any = form.widget(column, suggest if many else None)
    [shown] = form.shown(described, {"x": value})
    arrived = widget.preprocess(widget.postprocess(shown))
    assert form.sent(described, [arrived]) == {"x": value}
    assert widget.interactive or isinstance(widget, gr.HTML)  # in a rendering others are only shown by default


def test_a_number_that_is_not_given_is_null_and_a_whole_one_an_integer() -> None:
    described = model(Column(name="x", kind="integer", nullable=True))
    assert form.sent(described, [None]) == {"x": None}
    [sent] = form.sent(described, [3.0]).values()
    assert (sent, type(sent)) == (3, int)
    assert form.sent(described, [3.5]) == {"x": 3.5}  # the service says that it is no integer


@pytest.mark.parametrize(
    ("sent", "shown"), [("2024-01-31T10:00:00Z", "2024-01-31T10:00:00"), ("2024-01-31T10:00", "2024-01-31T10:00:00")]
)
def test_the_browsers_field_for_moments_has_no_time_zone_and_perhaps_no_seconds(sent: str, shown: str) -> None:
    described = model(Column(name="x", kind="timestamp"))
    assert form.shown(described, {"x": sent}) == [shown]
    assert form.sent(described, [sent[:16]]) == {"x": shown}


def test_errors_stand_below_their_column_and_are_escaped() -> None:
    described = model(Column(name="x", kind="integer"))
    [mark] = form.marked(described.inputs, [{"row": 0, "column": "x", "message": "'<b>' is not an integer"}])
    assert mark["visible"]
    assert "&lt;b&gt;" in mark["value"]
    [mark] = form.marked(described.inputs, [])
    assert not mark["visible"]
