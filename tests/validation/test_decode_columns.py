"""Tables to columns: the verdicts on their rows, in the same words, and the same values to the bit."""

import datetime
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from tests.strategies import ODD_VALUES, any_rows, good_rows
from tests.validation.test_decode_rows import GOOD, WIDE, WORDS
from validation.decode import MOST_ERRORS, Decoded, to_arrays
from validation.decode_columns import FEW, ColumnDecoder
from validation.decode_rows import RowDecoder
from validation.lookup import Lookup
from validation.table import Table, Values

DAYS, HOURS = 86_400e6, 3_600e6
RANGES = {"rooms": (2.0, 6.0), "area": (20.0, 200.0), "built": (-7_300.0, 19_000.0), "listed": (0.0, 1.8e15)}
ROWS = RowDecoder(WIDE, WORDS, RANGES, {"city": Lookup(WORDS["city"])})
COLUMNS = ColumnDecoder(ROWS)
MANY = FEW + 8
_NUMBERS = ["?", "i1", "i8", "u1", "u8", "f2", "f4", "f8", "g"]
_TIMES = ["M8[Y]", "M8[D]", "M8[s]", "M8[us]", "M8[ns]", "M8[ps]", "M8[as]"]


def column(rows: list[dict[str, Any]]) -> dict[str, Values]:
    """Rows as columns; a value that a row does not have is null."""
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: [row.get(name) for row in rows] for name in names}


def agree(table: Table, *, border: int | None = None) -> Decoded:
    """Decode a table by its columns, in one part or in two, and by its rows; both must say the same."""
    by_rows = ROWS.decode(table.rows())
    parts = [table] if border is None else [table[:border], table[border:]]
    by_columns = Decoded()
    inputs = [to_arrays(WIDE.inputs, COLUMNS.decode(part, by_columns).inputs) for part in parts]
    for name in ("total", "positions", "warnings", "warned", "errors", "error_count", "compared"):
        assert getattr(by_columns, name) == getattr(by_rows, name), name
    for name, expected in to_arrays(WIDE.inputs, by_rows.inputs).items():
        values = np.concatenate([part[name] for part in inputs])
        assert values.dtype == expected.dtype
        assert values.tolist() == expected.tolist() if expected.dtype == object else same_bits(values, expected), name
    return by_columns


def same_bits(values: np.ndarray, expected: np.ndarray) -> bool:
    """Whether numbers are the same, negative zeros and all, and missing in the same places."""
    if expected.dtype.kind == "M":
        return bool(np.array_equal(values.view(np.int64), expected.view(np.int64)))
    return np.array_equal(values, expected, equal_nan=True) and np.array_equal(np.signbit(values), np.signbit(expected))


@st.composite
def tables(draw: st.DrawFn, rows: st.SearchStrategy[dict[str, Any]]) -> Table:
    """Tables of enough rows to be read by columns, a few different ones among them."""
    different = draw(st.lists(rows, min_size=1, max_size=5))
    places = draw(st.lists(st.integers(0, len(different) - 1), min_size=FEW + 1, max_size=MANY))
    return Table(column([different[place] for place in places]), len(places))


@given(table=tables(good_rows(WIDE, WORDS)))
def test_good_tables_are_good_rows(table: Table) -> None:
    agree(table)


@given(table=tables(any_rows(WIDE, WORDS)), border=st.none() | st.integers(0, MANY))
def test_tables_get_the_verdicts_on_their_rows(table: Table, border: int | None) -> None:
    agree(table, border=border)


@given(data=st.data(), name=st.sampled_from([*GOOD, "number", "price", "surplus"]))
def test_columns_of_odd_values_do_too(data: st.DataObject, name: str) -> None:
    odd = data.draw(st.lists(ODD_VALUES | st.floats(), min_size=MANY, max_size=MANY))
    agree(Table({**column([GOOD] * MANY), name: odd}, MANY))


@given(data=st.data(), name=st.sampled_from([*GOOD, "number"]), kind=st.sampled_from(_NUMBERS + _TIMES))
def test_typed_columns_do_too(data: st.DataObject, name: str, kind: str) -> None:
    values = data.draw(arrays.arrays(np.dtype(kind), MANY))
    agree(Table({**column([GOOD] * MANY), name: values}, MANY))


@given(data=st.data(), name=st.sampled_from(["built", "listed"]), kind=st.sampled_from(_TIMES))
def test_typed_times_of_the_calendar_do_too(data: st.DataObject, name: str, kind: str) -> None:
    written = data.draw(
        st.lists(st.datetimes(datetime.datetime(1700, 1, 1), datetime.datetime(2200, 1, 1)), min_size=MANY)
    )
    agree(Table({**column([GOOD] * MANY), name: np.array(written[:MANY], dtype="M8[us]").astype(kind)}, MANY))


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("number", np.array([2**53 - 1, 2**53, 2**53 + 1, -(2**53), -(2**53) - 1, 0], dtype="i8")),
        ("number", np.array([2**53, 2**53 + 1, 2**64 - 1], dtype="u8")),
        ("number", [2**53 + 1, 2**53, -(2**53) - 1, 10**400, None, 1]),
        ("rooms", np.array([-0.0, 3.0, 3.5, np.nan, np.inf])),
        ("area", np.array([-0.0, np.nan, np.inf, -np.inf, 1e308, 219.0])),
        ("area", np.array([0x7E00, 0xFE00, 0x7C01, 0xFC01], dtype="u2").view("f2")),
        ("area", [1.0, float("nan"), -float("nan"), None]),
        ("area", [1.0, float("nan"), None, 10**400, True]),
        ("area", np.array([1, 2**60 + 1], dtype="i8")),
        ("new", [True, None, 1, np.True_]),
        ("city", [np.str_("Rome"), "Rome", "São", None, 1, ["Rome"]]),
        ("shop", ["a", "", " a ", "z", None]),
        ("built", np.array(["9999-12-31", "10000-01-01", "0001-01-01", "0000-12-31", "NaT"], dtype="M8[D]")),
        ("listed", np.array(["9999-12-31T23:59:59", "10000-01-01", "NaT"], dtype="M8[s]")),
    ],
)
def test_the_ends_of_what_is_good(name: str, values: Values) -> None:
    whole = values[np.arange(MANY) % len(values)] if isinstance(values, np.ndarray) else [*values, *values] * MANY
    agree(Table({**column([GOOD] * MANY), name: whole[:MANY]}, MANY))


def test_errors_are_counted_to_their_end_and_listed_to_theirs() -> None:
    decoded = agree(
        Table(column([{**GOOD, "rooms": 0, "city": "Romee"}] * 2 * MOST_ERRORS), 2 * MOST_ERRORS), border=60
    )
    assert (len(decoded.errors), decoded.error_count) == (MOST_ERRORS, 4 * MOST_ERRORS)


def test_good_rows_are_never_looked_at_one_by_one() -> None:
    """Only what is odd is: an unseen name, a number far from training, a refused value."""
    read: list[object] = []

    class Watched(RowDecoder):
        def decode(self, rows: Sequence[object], *rest: Any) -> Decoded:
            read.extend(rows)
            return super().decode(rows, *rest)

    odd = [{**GOOD, "shop": "z"}, {**GOOD, "area": 9e3}, {**GOOD, "rooms": 99}]
    table = Table(column([GOOD] * MANY + odd + [GOOD] * MANY), 2 * MANY + 3)
    ColumnDecoder(Watched(WIDE, WORDS, RANGES)).decode(table)
    assert read == odd


def test_a_key_column_is_judged_and_may_be_left_out() -> None:
    good = column([GOOD] * MANY)
    assert not agree(Table(good, MANY)).error_count
    assert agree(Table({**good, "number": [*range(MANY - 1), "x"]}, MANY)).error_count == 1


@pytest.mark.parametrize("rows", [0, 5, MANY])
def test_rows_without_columns_are_rows(rows: int) -> None:
    decoded = agree(Table({}, rows))
    assert (decoded.total, decoded.error_count) == (rows, 5 * rows)


@pytest.mark.parametrize("values", [[1] * 3, np.ones(3), np.ones((2, 2))])
def test_columns_have_a_value_for_each_row(values: Values) -> None:
    with pytest.raises(ValueError, match=r"has 3 values for 2 rows|has one dimension"):
        Table({"a": values}, 2)


@pytest.mark.parametrize("kind", ["i8", "f8", "M8[D]", "M8[us]"])
def test_what_is_decoded_is_nobody_elses(kind: str) -> None:
    """Features may write into what they get, whatever brought it."""
    values = np.full(MANY, 3).astype(kind)
    values.setflags(write=False)
    name = "built" if kind == "M8[D]" else "listed" if kind == "M8[us]" else "rooms"
    inputs = agree(Table({**column([GOOD] * MANY), name: values}, MANY)).inputs
    assert isinstance(inputs, dict)
    assert inputs[name].flags.writeable
    assert not np.shares_memory(inputs[name], values)


def test_the_keys_of_tables_are_as_many_as_their_rows() -> None:
    decoded = agree(Table(column([GOOD] * 3 * MANY), 3 * MANY), border=2 * MANY + 20)
    assert len(decoded.keys) == len(decoded.positions)


def test_a_part_of_a_table_is_a_table() -> None:
    table = Table({"a": np.arange(5.0), "b": list("vwxyz")}, 5)
    assert table[3:9].rows() == [{"a": 3.0, "b": "y"}, {"a": 4.0, "b": "z"}]
    assert (len(table[5:]), table[5:].rows()) == (0, [])
