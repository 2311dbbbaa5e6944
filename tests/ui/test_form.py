"""The form: a field for whatever column a contract may have, whose values come back as the row that was shown."""

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ui import described, form, whatif
from ui.described import Column, Model, Reference, Spread
from validation import names

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


def model(column: Column, **spread: Any) -> Model:
    """One with that column, of which training saw so much."""
    target = Column(name="y", kind="real", role="target")
    reference = Reference(columns={column.name: Spread.model_validate(spread)})
    return Model(name="m", version="1", title="A model", contract=(column, target), reference=reference)


@given(columns(), st.booleans())
def test_what_a_form_shows_is_what_it_sends(drawn: tuple[Column, Any], many: bool) -> None:
    column, value = drawn
    described = model(column, names=5_000 if many else 0)
    assert form.sent(described, [form.shown(described, {"x": value})]) == {"x": value}
    assert 'data-column="x"' in form.markup(described)


def sent(column: Column, typed: str) -> Any:
    """What is sent of what was typed."""
    return form.sent(model(column), [json.dumps({"x": typed})])["x"]


def test_a_number_that_is_not_given_is_null_and_a_whole_one_an_integer() -> None:
    column = Column(name="x", kind="integer", nullable=True)
    assert sent(column, " ") is None
    assert (sent(column, "3.0"), type(sent(column, "3.0"))) == (3, int)
    assert sent(column, "9007199254740993") == 9007199254740993
    assert sent(column, "3.5") == 3.5  # the service says that it is no integer


@pytest.mark.parametrize("typed", ["1,200", "1_200", "12 km", "nan", "inf", "1e999", "٣"])
def test_what_is_no_number_is_left_as_it_was_typed_and_so_refused_by_the_service(typed: str) -> None:
    for kind in ("integer", "real"):
        assert sent(Column(name="x", kind=kind), typed) == typed


def test_nothing_is_clamped() -> None:
    assert sent(Column(name="x", kind="real", ge=0, le=10), "-5") == -5


@pytest.mark.parametrize(
    ("row", "shown"), [("2024-01-31T10:00:00Z", "2024-01-31T10:00:00"), ("2024-01-31T10:00", "2024-01-31T10:00:00")]
)
def test_the_browsers_field_for_moments_has_no_time_zone_and_perhaps_no_seconds(row: str, shown: str) -> None:
    column = Column(name="x", kind="timestamp")
    assert json.loads(form.shown(model(column), {"x": row})) == {"x": shown}
    assert sent(column, row[:16]) == shown


def test_marks_say_what_is_wrong_and_what_would_be_right() -> None:
    error = {"row": 0, "column": "x", "message": "'busines' is not a cabin", "expected": ["economic", "premium"]}
    reasons = {"x": ["'busines' is not a cabin. Known: economic, premium"]}
    said = {"answered": None, "errors": reasons, "again": 5.0, "said": "", "case": None}
    assert json.loads(form.marked(None, [error], again=5.0)) == said


def test_an_answer_is_that_of_a_case_until_the_row_or_the_answer_is_another() -> None:
    of, row, case = model(Column(name="x", kind="real")), {"x": 2.0}, {"id": "1"}
    told = form.marked('{"x": "2"}', case=case)
    assert form.case_of(of, told, row) == case
    assert form.case_of(of, form.marked('{"x": "2.0"}', case=case), row) == case, "it is the same row"
    for other in ("", form.marked('{"x": "2"}'), form.marked(None), form.marked('{"x": "3"}', case=case)):
        assert form.case_of(of, other, row) is None


def test_names_are_sent_as_the_service_reads_them() -> None:
    """In any case, where it takes them so, with single blanks; a name that it does not know stays as it was typed."""
    columns = [
        {"name": "state", "kind": "category", "choices": ["neu", "wie neu"], "any_case": True},
        {"name": "town", "kind": "category", "choices": ["Ås"], "unseen": "warn"},
        {"name": "y", "kind": "real", "role": "target"},
    ]
    read = Model.model_validate({"name": "m", "version": "1", "title": "M", "contract": columns})
    for typed, sent in (
        ({"state": "WIE  NEU ", "town": "A\u030as"}, {"state": "wie neu", "town": "Ås"}),
        ({"state": "Alt", "town": "ås"}, {"state": "Alt", "town": "ås"}),
        ({"state": None, "town": 7, "more": "NEU"}, {"state": None, "town": 7, "more": "NEU"}),
    ):
        assert read.read(typed) == sent
    row = form.sent(read, [json.dumps({"state": "Wie Neu", "town": "Ås"})])
    assert row == {"state": "wie neu", "town": "Ås"}
    assert whatif.values(read, read.input("state"), row["state"]) == ["neu", "wie neu"]
    assert form.markup(read).count("data-any-case") == 1


@given(st.text(st.sampled_from("aA\u030aé ß\u00a0\u200b\ufeff\t\u3000İ") | st.characters()))
def test_names_have_the_form_that_services_compare(text: str) -> None:
    assert described.normal(text) == names.normal(text)


def test_many_fields_begin_with_what_matters_most_and_fold_the_others() -> None:
    columns = tuple(Column(name=f"x{place}", kind="real") for place in range(form.MOST_SHOWN + 1))
    metrics = {"importance": {"columns": {"x20": 3.0, "x7": 2.0}}}
    target = Column(name="y", kind="real", role="target")
    markup = form.markup(Model(name="m", version="1", title="A", contract=(*columns, target), metrics=metrics))
    named = re.findall(r'data-column="(\w+)"', markup)
    assert named[:3] == ["x20", "x7", "x0"]
    assert sorted(named) == sorted(column.name for column in columns)
    assert markup[: markup.index("<details")].count("data-column") == form.FIRST
    few = Model(name="m", version="1", title="A", contract=(*columns[:3], target), metrics=metrics)
    assert re.findall(r'data-column="(\w+)"', form.markup(few)) == ["x0", "x1", "x2"]


@pytest.mark.parametrize(
    ("said", "deciles", "shown"),
    [
        (
            {"unit": "km"},
            [0, 1_200, *range(7), 9_800, 12_000],
            "mostly 1,200 to 9,800 km (80 %), 0 to 12,000",
        ),
        (
            {"kind": "integer"},
            [1_950, 1_999, *range(7), 2_010, 2_020],
            "mostly 1999 to 2010 (80 %), 1950 to 2020",
        ),
        ({}, [1, 1, *range(7), 9, 9], "In training 1 to 9"),
        ({"kind": "date"}, ["2020-01-01", *["2021-01-01"] * 9, "2022-01-01"], "mostly 2021-01-01 to 2021-01-01 (80 %)"),
        ({"ge": 0, "help": "Time"}, [], "Time; 0 or more"),
    ],
)
def test_a_field_says_what_was_usual_in_training(said: dict[str, Any], deciles: list[Any], shown: str) -> None:
    described = model(Column(**{"name": "x", "kind": "real", **said}), deciles=deciles)
    assert shown in form.markup(described)


def test_what_others_wrote_is_text_in_the_form() -> None:
    hostile = "<img src=x onerror=alert(1)>${alert(1)}"
    markup = form.markup(model(Column(name="x", kind="category", help=hostile, choices=(hostile, 'b"'))))
    assert "<img" not in markup
