"""Raw tables in every format and spelling: one table has one meaning, and what has none is refused at once."""

import datetime
import decimal
import json
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openpyxl
import pandas as pd
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet as pq
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from problems.base import Problem
from problems.parameters import PARAMS
from training.data import clean, gates, ingest, source, tables
from training.workspace import Workspace, sha256
from validation.contract import Column, Contract, Kind, Role
from validation.errors import ContractError, TableError
from validation.numbers import decimal_comma, decimal_point
from validation.parsing import dates

KINDS = Problem(
    name="kinds",
    title="A column of every kind",
    contract=Contract(
        (
            Column(name="city", kind=Kind.CATEGORY),
            Column(name="shop", kind=Kind.CATEGORY, nullable=True),
            Column(name="size", kind=Kind.CATEGORY, choices=("1.0", "2.0"), nullable=True),
            Column(name="rooms", kind=Kind.INTEGER, nullable=True),
            Column(name="area", kind=Kind.REAL, nullable=True),
            Column(name="fee", kind=Kind.REAL, parse=decimal_comma, nullable=True),
            Column(name="new", kind=Kind.FLAG, nullable=True),
            Column(name="built", kind=Kind.DATE, parse=dates("%d.%m.%Y"), nullable=True),
            Column(name="sold", kind=Kind.TIMESTAMP, nullable=True),
            Column(name="price", kind=Kind.REAL, role=Role.TARGET),
            Column(name="number", kind=Kind.CATEGORY, role=Role.KEY, nullable=True),
        )
    ),
)
PLACE = Workspace(KINDS.name)


def problem(column: Column, target: Column | None = None) -> Problem:
    """A problem of one column, named `x`, and a price."""
    price = target or Column(name="price", kind=Kind.REAL, role=Role.TARGET)
    return Problem(name="kinds", title="One column", contract=Contract((column, price)))


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder whose parameters have the problem, as the current one."""
    monkeypatch.chdir(tmp_path)
    params = {"source": {}, "clean": {"quarantine_limit": 0.5}}
    PARAMS.write_text(yaml.safe_dump({"problems": ["kinds"], "kinds": params}))
    return tmp_path


def silver(path: Path, asked: Problem = KINDS) -> pd.DataFrame:
    """What ingest and clean make of a file."""
    source.main(asked, str(path))
    ingest.main(asked)
    clean.main(asked)
    return tables.read(PLACE.silver)


def written(name: str, columns: dict[str, Any]) -> Path:
    """A Parquet file of Arrow arrays or lists."""
    pq.write_table(pa.table(columns), name)
    return Path(name)


def cells(name: str, *texts: str, header: str = "x") -> Path:
    """A CSV file of one column of texts, and a price."""
    quoted = [f'"{text}",{place}.5' for place, text in enumerate(texts)]
    Path(name).write_text("\n".join([f"{header},price", *quoted]) + "\n")
    return Path(name)


WHOLE = st.none() | st.integers(-1_000, 10_000)
CENTS = st.none() | st.integers(-100_000, 2_000_000).map(lambda cents: decimal.Decimal(cents) / 100)
ROWS = st.fixed_dictionaries(
    {
        "city": st.sampled_from(["Recife", "Şişli", "a, b", "100"]),
        "shop": WHOLE,
        "size": st.sampled_from([None, 1.0, 2.0]),
        "rooms": WHOLE,
        "area": CENTS,
        "fee": CENTS,
        "new": st.sampled_from([None, True, False]),
        "built": st.none() | st.dates(datetime.date(1700, 1, 1)),
        "sold": st.none() | st.datetimes(datetime.datetime(1700, 1, 1), datetime.datetime(2200, 1, 1)),
        "price": st.integers(1, 99_999).map(float),
        "number": st.none() | st.sampled_from(["n1", "n2"]),
    }
)


def floats(values: list[Any]) -> pa.Array:
    return pa.array([float("nan") if value is None else float(value) for value in values], pa.float64())


def as_bytes(values: list[Any]) -> pa.Array:
    return pa.array([None if value is None else value.encode() for value in values], pa.binary())


FORMS: dict[str, list[Callable[[list[Any]], Any]]] = {
    "city": [pa.array, as_bytes, lambda v: pa.array(v).dictionary_encode(), lambda v: pa.array(v, pa.large_string())],
    "shop": [lambda v: pa.array(v, pa.int64()), floats, lambda v: pa.array(v, pa.decimal128(9, 0))],
    "size": [floats, lambda v: pa.array(v, pa.float32())],
    "rooms": [lambda v: pa.array(v, pa.int16()), floats, lambda v: pa.array(v, pa.decimal256(9, 2))],
    "area": [lambda v: pa.array(v, pa.decimal128(12, 2)), floats, lambda v: floats(v).dictionary_encode()],
    "fee": [lambda v: pa.array(v, pa.decimal128(12, 2)), floats],
    "new": [pa.array, lambda v: pa.array(v).cast(pa.int8()), floats, lambda v: pa.array(v).cast(pa.string())],
    "built": [lambda v: pa.array(v, pa.date32()), lambda v: pa.array(v, pa.date32()).cast(pa.timestamp("ms"))],
    "sold": [lambda v: pa.array(v, pa.timestamp("us")), lambda v: pa.array(v, pa.timestamp("ns", "UTC"))],
    "price": [pa.array, lambda v: pa.array(v, pa.int64())],
    "number": [pa.array, as_bytes],
}


def comma(value: decimal.Decimal | None) -> str:
    return "" if value is None else f"{value:,.2f}".translate(str.maketrans(",.", ".,"))


def csv_texts(name: str, values: list[Any], flags: bool) -> list[str]:
    """How a column stands in a CSV file: floats where cells are missing, fees with a comma, dates in another form."""
    if name == "fee":
        return [comma(value) for value in values]
    if name == "built":
        return ["" if day is None else f"{day.day:02}.{day.month:02}.{day.year}" for day in values]
    if name == "new" and flags:
        return ["" if value is None else str(float(value)) for value in values]
    if name in ("shop", "rooms") and None in values:
        return ["" if value is None else str(float(value)) for value in values]
    return ["" if value is None else str(value) for value in values]


def feather(forms: dict[str, Any]) -> Path:
    pa.feather.write_feather(pa.table(forms), "table.feather")
    return Path("table.feather")


def plainly(value: Any) -> Any:
    """A value as JSON and workbooks have it."""
    return float(value) if isinstance(value, decimal.Decimal) else value


def lines_of_json(columns: dict[str, list[Any]]) -> Path:
    rows = [dict(zip(columns, map(plainly, row), strict=True)) for row in zip(*columns.values(), strict=True)]
    Path("table.jsonl").write_text("".join(json.dumps(row, default=str) + "\n" for row in rows))
    return Path("table.jsonl")


def in_a_sheet(value: Any) -> bool:
    return not isinstance(value, datetime.date) or (value.year > 1900 and not getattr(value, "microsecond", 0))


def workbook(columns: dict[str, list[Any]]) -> Path:
    """A workbook of the same values; what its days since 1900 do not hold is written as text, as people have to."""
    book = openpyxl.Workbook()
    book.active.append(list(columns))
    for row in zip(*columns.values(), strict=True):
        book.active.append([str(value) if not in_a_sheet(value) else plainly(value) for value in row])
    book.save("table.xlsx")
    return Path("table.xlsx")


@settings(max_examples=40, deadline=None)
@given(rows=st.lists(ROWS, min_size=1, max_size=12), data=st.data())
def test_a_table_means_the_same_in_every_format(rows: list[dict[str, Any]], data: st.DataObject) -> None:
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    forms = {name: data.draw(st.sampled_from(FORMS[name]))(values) for name, values in columns.items()}
    flags = data.draw(st.booleans())
    pd.DataFrame({name: csv_texts(name, values, flags) for name, values in columns.items()}).to_csv(
        "table.csv", index=False
    )
    typed = ingest.read(written("table.parquet", forms), KINDS.contract)
    for path in (feather(forms), lines_of_json(columns), workbook(columns)):
        pd.testing.assert_frame_equal(ingest.read(path, KINDS.contract), typed)
    pd.testing.assert_frame_equal(ingest.read(Path("table.csv"), KINDS.contract), typed)
    assert typed[gates.UNREADABLE].isna().all()
    assert set(typed["shop"].dropna()) == {str(value) for value in columns["shop"] if value is not None}


@pytest.mark.parametrize(
    ("array", "says"),
    [
        (pa.array([[1], [2]]), "The column 'x' of table.parquet holds list<"),
        (pa.array([{"a": 1}, {"a": 2}]), "holds struct<a: int64>; a cell is one number, text, flag, date or time"),
        (pa.array([[("a", 1)], None], pa.map_(pa.string(), pa.int64())), "holds map<"),
        (pa.array([datetime.timedelta(1), None]), "holds duration"),
        (pa.array([b"\xff\xfe", b"a"]), "The column 'x' of table.parquet holds bytes that are no UTF-8 text"),
    ],
)
def test_what_holds_no_single_values_is_refused_and_the_old_table_stays(array: pa.Array, says: str) -> None:
    asked = problem(Column(name="x", kind=Kind.CATEGORY))
    kept = sha256(cells("good.csv", "a", "b"))
    source.main(asked, "good.csv")
    with pytest.raises(TableError) as caught:
        source.main(asked, str(written("table.parquet", {"x": array, "price": [1.0, 2.0]})))
    assert says in str(caught.value)
    assert PLACE.table is not None
    assert sha256(PLACE.table) == kept
    written("spare.parquet", {"x": ["a", "b"], "price": [1.0, 2.0], "spare.a": array})
    assert len(silver(Path("spare.parquet"), asked)) == 2  # what the contract does not ask for may be anything


def test_numbers_that_a_parse_of_texts_would_change_are_refused() -> None:
    asked = problem(Column(name="x", kind=Kind.REAL, parse=lambda text: float(text.replace(".", "").replace(",", "."))))
    assert silver(cells("table.csv", "1.250,5", "3"), asked)["x"].tolist() == [1250.5, 3]
    with pytest.raises(ContractError, match=r"the real 1250.5 in 'x', which the column's `parse` reads as 12505.0"):
        source.main(asked, str(written("table.parquet", {"x": [1250.5, 3.0], "price": [1.0, 2.0]})))


FORMS_OF_A_NAME = ("Şişli", unicodedata.normalize("NFD", "Şişli"), "\u00a0Şişli  ", "\ufeffŞişli")


@pytest.mark.parametrize("header", ["x", "\u00a0x ", '"x"'])
def test_a_name_is_one_category_whatever_its_form(header: str) -> None:
    found = silver(cells("table.csv", *FORMS_OF_A_NAME, header=header), problem(Column(name="x", kind=Kind.CATEGORY)))
    assert found["x"].tolist() == ["Şişli"] * 4


def test_headers_have_that_form_too() -> None:
    named = Column(name="x", kind=Kind.CATEGORY, source=unicodedata.normalize("NFD", "İlçe\u00a0adı"))
    assert silver(cells("table.csv", "a", header="İlçe  adı"), problem(named))["x"].tolist() == ["a"]
    with pytest.raises(TableError, match="two columns with the header 'İlçe adı'"):
        silver(cells("table.csv", "a", header=f"İlçe adı,{named.source}"), problem(named))


@pytest.mark.parametrize(
    ("texts", "values"),
    [
        (["45.485", "1.250.000", "950"], [45_485, 1_250_000, 950]),
        (["1,250,000", "1.5", "45,485"], [1_250_000, 1.5, 45_485]),
        (["1'250", "1’250.5", "7"], [1250, 1250.5, 7]),
        (["1 250", "1\u00a0250,5", "1\u202f000\u202f000"], [1250, 1250.5, 1_000_000]),
        (["12,5", "1.250", "-0,75"], [12.5, 1250, -0.75]),
        (["12,50,000", "1,25,000.5"], [1_250_000, 125_000.5]),
        (["45.485", "0.123"], [45.485, 0.123]),
        (["45.485", "45.48"], [45.485, 45.48]),
    ],
)
def test_the_way_in_which_numbers_are_written_is_read_off_the_column(texts: list[str], values: list[float]) -> None:
    for kind in (Kind.REAL, Kind.INTEGER):
        if kind is Kind.REAL or all(value == int(value) for value in values):
            found = silver(cells("table.csv", *texts, "", "n/a"), problem(Column(name="x", kind=kind, nullable=True)))
            assert found["x"].dropna().tolist() == values


def test_integers_leave_less_in_doubt() -> None:
    whole = Column(name="x", kind=Kind.INTEGER)
    assert silver(cells("table.csv", "45.485", "950"), problem(whole))["x"].tolist() == [45_485, 950]
    assert silver(cells("table.csv", "45,485", "950"), problem(whole))["x"].tolist() == [45_485, 950]


@pytest.mark.parametrize(
    ("texts", "says"),
    [
        (["45.485", "950"], "'45.485' may be 45.485 or 45,485, and none of its numbers says which"),
        (["45,485", "950"], "'45,485' may be 45,485 or 45.485, and none of its numbers says which"),
        (["12.5", "12,5"], "some of its numbers are written like '12.5' and others like '12,5'"),
    ],
)
def test_numbers_that_may_be_two_are_refused_with_the_parsers(texts: list[str], says: str) -> None:
    kept = sha256(cells("good.csv", "1.5", "2.5"))
    source.main(problem(Column(name="x", kind=Kind.REAL)), "good.csv")
    with pytest.raises(TableError) as caught:
        source.main(problem(Column(name="x", kind=Kind.REAL)), str(cells("table.csv", *texts)))
    assert f"The numbers of 'x' are ambiguous: {says}" in str(caught.value)
    assert "'x' with parse=decimal_comma, as in 1.250,5, or with parse=decimal_point" in str(caught.value)
    assert PLACE.table is not None
    assert sha256(PLACE.table) == kept
    asked = problem(Column(name="x", kind=Kind.REAL, parse=decimal_comma))
    assert len(silver(Path("table.csv"), asked)) + len(pd.read_csv(PLACE.quarantine)) == 2


def test_a_stray_number_of_the_other_kind_goes_to_quarantine() -> None:
    asked = problem(Column(name="x", kind=Kind.REAL))
    found = silver(cells("table.csv", *(f"{place}.25" for place in range(200)), "12,5"), asked)
    assert len(found) == 200
    assert "'12,5' is not a number like 1,250.5" in PLACE.quarantine.read_text()


@pytest.mark.parametrize("name", ["T.PARQUET", ".t.csv", "T.CSV.GZ", ".csv", "really-parquet.csv"])
def test_what_a_file_is_its_content_says(name: str) -> None:
    table = pd.DataFrame({"x": ["a", "b"], "price": [1.0, 2.0]})
    if "parquet" in name.lower():
        table.to_parquet(name)
    else:
        table.to_csv(name, index=False, compression="gzip" if name.endswith("GZ") else None)
    assert silver(Path(name), problem(Column(name="x", kind=Kind.CATEGORY)))["x"].tolist() == ["a", "b"]
    source.main(problem(Column(name="x", kind=Kind.CATEGORY)))  # the table is found again


def test_columns_without_a_header_are_called_as_pandas_calls_them() -> None:
    table = pd.DataFrame({"x": ["a", "b"], "price": [1.0, 2.0]}, index=[7, 8])
    table.to_csv("table.csv")
    assert list(silver(Path("table.csv"), problem(Column(name="x", kind=Kind.CATEGORY)))) == ["x", "price"]
    named = problem(Column(name="place", kind=Kind.INTEGER, source="Unnamed: 0"))
    assert silver(Path("table.csv"), named)["place"].tolist() == [7, 8]
    Path("two.csv").write_text(",,x,price\n1,2,a,3.5\n")
    assert silver(Path("two.csv"), problem(Column(name="y", kind=Kind.INTEGER, source="Unnamed: 1")))["y"].tolist() == [
        2
    ]


@pytest.mark.parametrize("odd", ["1_000", "²", "0x1", "na", " NaN", "", "-inf", "1e999", "٣", "+7", "9" * 30, "1,50"])
def test_numbers_read_all_at_once_are_those_read_one_by_one(odd: str) -> None:
    column, cells = Column(name="x", kind=Kind.REAL), pd.Series([*(f"{place}.5" for place in range(200)), odd])
    fast, why = ingest._parse_column(column, cells)
    slow, reasons = ingest._parse_column(Column(name="x", kind=Kind.REAL, parse=decimal_point), cells)
    pd.testing.assert_series_equal(fast, slow)
    assert why == reasons
