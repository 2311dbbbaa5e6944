"""Tables of visitors: read as their columns want it, written with what was added, or refused in a sentence."""

import tempfile
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.strategies import good_rows
from ui import tables
from ui.described import Column, Model
from ui.tables import TableError
from validation.contract import Column as Contracted
from validation.contract import Contract, Kind, Role
from validation.parsing import ABSENT, parse_text

NAMES = ["a", "NA", "null", " b;c ", 'say "no"', "1", "nan", "0x1", "São Paulo (SP)"]
CONTRACT = Contract(
    (
        Contracted(name="name", kind=Kind.CATEGORY, nullable=True),
        Contracted(name="number", kind=Kind.REAL, nullable=True),
        Contracted(name="whole", kind=Kind.INTEGER, nullable=True),
        Contracted(name="flag", kind=Kind.FLAG, nullable=True),
        Contracted(name="day", kind=Kind.DATE, role=Role.TIME),
        Contracted(name="moment", kind=Kind.TIMESTAMP, nullable=True),
        Contracted(name="target", kind=Kind.REAL, role=Role.TARGET),
    )
)
MODEL = Model(
    name="m",
    version="1",
    title="M",
    contract=tuple(Column.model_validate(each.describe()) for each in CONTRACT.columns),
    missing_texts=frozenset(ABSENT),
)
SUFFIXES = pytest.mark.parametrize("suffix", [".csv", ".parquet"])


def written(table: pd.DataFrame, suffix: str, folder: Path) -> Path:
    path = folder / f"table{suffix}"
    if suffix == ".csv":
        table.to_csv(path, index=False)
    else:
        table.to_parquet(path, index=False)
    return path


@SUFFIXES
@given(st.lists(good_rows(CONTRACT, {"name": NAMES}), min_size=1, max_size=8))
def test_rows_come_out_of_a_table_as_they_went_in(suffix: str, rows: list[dict[str, Any]]) -> None:
    rows = [{column.name: row.get(column.name) for column in CONTRACT.inputs} for row in rows]
    table = pd.DataFrame(rows, dtype=object)
    with tempfile.TemporaryDirectory() as folder:
        path = written(table.convert_dtypes() if suffix == ".parquet" else table, suffix, Path(folder))
        read = tables.read(path, MODEL)
    assert tables.rows(MODEL, read) == rows


@SUFFIXES
@given(
    st.lists(st.tuples(st.sampled_from(NAMES), st.dates().map(str)), min_size=1, max_size=8),
    st.sampled_from(["errors", "name"]),
)
def test_what_was_added_stands_behind_what_was_there(suffix: str, rows: list[tuple[str, str]], added: str) -> None:
    table = pd.DataFrame(rows, columns=["name", "day"])
    answers = [f"said {place}, twice" for place in range(len(rows))]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"answered{suffix}"
        tables.write(path, table, {added: answers})
        assert [left.name for left in path.parent.iterdir()] == [path.name]
        read = tables.read(path, MODEL)
    pd.testing.assert_frame_equal(read[["name", "day"]], table, check_dtype=False)
    assert list(read.iloc[:, -1]) == answers
    assert len(set(read.columns)) == 3


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        ("YES", {"flag": True}),
        ("0", {"flag": False}),
        ("maybe", {"flag": "maybe"}),
        ("1.0", {"flag": True}),
        ("100.0", {"name": "100"}),
        (" 1e3 ", {"number": 1000.0}),
        ("1_000", {"number": "1_000"}),
        ("NaN", {"number": None}),
        ("inf", {"number": "inf"}),
        ("9" * 400, {"number": "9" * 400}),
        ("12.0", {"whole": 12.0}),
        ("  ", {"name": None}),
        (" 2024-02-30", {"day": "2024-02-30"}),
    ],
)
def test_texts_become_what_their_columns_hold_or_stay_for_the_service_to_refuse(
    text: str, sent: dict[str, Any]
) -> None:
    [name] = sent
    assert tables.rows(MODEL, pd.DataFrame({name: [text]})) == [sent]


def test_what_parquet_holds_is_what_csv_would_have(tmp_path: Path) -> None:
    table = pd.DataFrame({"flag": [1.0, 0.0], "whole": [3.0, None], "day": ["2024-01-31"] * 2})
    rows, others = (
        tables.rows(MODEL, tables.read(written(table.assign(name=names), suffix, tmp_path), MODEL))
        for suffix, names in ((".parquet", pd.Series([100.0, None])), (".csv", pd.Series(["100.0", ""])))
    )
    assert rows == others
    assert rows[0] == {"name": "100", "flag": True, "whole": 3, "day": "2024-01-31"}
    table = pd.DataFrame({"name": [b"S\xc3\xa3o"], "day": ["2024-01-31"]})
    assert tables.rows(MODEL, tables.read(written(table, ".parquet", tmp_path), MODEL))[0]["name"] == "São"


def test_a_table_may_have_the_headers_of_the_one_that_was_learned_from(tmp_path: Path) -> None:
    columns = [column.model_dump() for column in MODEL.contract]
    described = [
        {**column, "source": {"name": "Firma", "day": "name", "number": "Preis (€)"}.get(column["name"], "")}
        | {"parsed": column["name"] in ("day", "number")}
        for column in columns
    ]
    model = Model.model_validate({**MODEL.model_dump(), "contract": described})
    path = tmp_path / "raw.csv"
    path.write_text('Firma;name;"Preis (€)";note\nA;31.12.2024;1.250,50;x\nB; ;12,00;y\n')
    read = tables.read(path, model)
    assert tables.headers_of(model, read) == {"name": "Firma", "number": "Preis (€)", "day": "name"}
    assert tables.rows(model, read) == [
        {"name": "A", "number": "1.250,50", "day": "31.12.2024"},
        {"name": "B", "number": "12,00", "day": None},
    ]
    path.write_text("name,day\nA,2024-12-31\n")  # as the contract calls them
    assert tables.rows(model, tables.read(path, model)) == [{"name": "A", "day": "2024-12-31"}]


def test_a_template_is_a_table_for_the_model(tmp_path: Path) -> None:
    example = {"name": "a;b", "number": 1.5, "whole": 3, "flag": True, "day": "2024-12-31", "moment": None}
    described = [{**column.model_dump(), "example": example.get(column.name)} for column in MODEL.contract]
    model = Model.model_validate({**MODEL.model_dump(), "contract": described})
    path = tmp_path / "template.csv"
    path.write_text(tables.template(model))
    assert tables.rows(model, tables.read(path, model)) == [example]


def test_a_template_has_the_decimal_mark_of_each_column(tmp_path: Path) -> None:
    columns = [
        Column(name="area", kind="real", parsed=True, decimal=",", example=1.25),
        Column(name="rooms", kind="integer", parsed=True, decimal=",", example=3),
        Column(name="weight", kind="real", example=0.5),
    ]
    model = Model.model_validate({**MODEL.model_dump(), "contract": columns})
    path = tmp_path / "template.csv"
    path.write_text(tables.template(model))
    assert path.read_text() == "area;rooms;weight\n1,25;3;0.5\n"
    assert tables.rows(model, tables.read(path, model)) == [{"area": "1,25", "rooms": "3", "weight": 0.5}]


def test_a_template_of_one_column_with_a_decimal_comma_is_read(tmp_path: Path) -> None:
    column = Column(name="area", kind="real", parsed=True, decimal=",", example=1.25)
    model = Model.model_validate({**MODEL.model_dump(), "contract": [column]})
    path = tmp_path / "template.csv"
    path.write_text(tables.template(model))
    assert tables.rows(model, tables.read(path, model)) == [{"area": "1,25"}]


@pytest.mark.parametrize("cell", ["1.250.000", "12,5", "1.250,00", "-0,25"])
def test_numbers_with_a_decimal_comma_are_refused(cell: str, tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text(f"day;number\n2024-01-31;45.485\n2024-01-31;{cell}\n")
    with pytest.raises(TableError, match=f"writes the numbers of number with a decimal comma .{cell}"):
        tables.read(path, MODEL)
    path.write_text(f"day;number\n2024-01-31;45.48\n2024-01-31;{cell}\n")
    assert tables.rows(MODEL, tables.read(path, MODEL))[1]["number"] == cell  # a mistake, for the service to name


@pytest.mark.parametrize("column", [column for column in CONTRACT.inputs if column.parse is None], ids=lambda c: c.name)
@pytest.mark.parametrize("text", [*sorted(ABSENT), "NA", " N/A ", "None"])
def test_a_text_is_missing_where_training_has_it_missing(column: Contracted, text: str) -> None:
    [row] = tables.rows(MODEL, pd.DataFrame({column.name: [text]}))
    assert row[column.name] == (None if parse_text(column, text) is None else text)


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_separators_and_marks_of_spreadsheets_are_understood(separator: str, tmp_path: Path) -> None:
    path = tmp_path / "table.CSV"
    lines = [["name ", "day", "note"], ["a", "2024-01-31", "x"]]
    path.write_bytes(b"\xef\xbb\xbf" + "\r\n".join(separator.join(line) for line in lines).encode())
    assert tables.rows(MODEL, tables.read(path, MODEL)) == [{"name": "a", "day": "2024-01-31"}]


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("a.xlsx", b"PK", "neither a .csv nor a .parquet"),
        ("a.csv", b"", "is empty"),
        ("a.csv", b" \n\n", "is empty"),
        ("a.csv", b"day\n", "has no rows"),
        ("a.csv", b"date\n1\n", "lacks the column day. It has: date"),
        ("a.csv", b"day,name\n2024-01-01,a,b,c\n", "has more fields than its header"),
        ("a.csv", b"day,name\n2024-01-01,a\n2024-01-01,a,b,c\n", "cannot be read as CSV: .* line 3"),
        ("a.csv", b'day\n"2024', "cannot be read as CSV"),
        ("a.csv", b"day\n\xff\xfe\n", "is not UTF-8"),
        ("a.csv", b"day\n2024-01-01\n" * 9_999 + b"\xff", "is not UTF-8"),
        ("a.csv", b"day\n\x00\x01\n", "cannot be read as CSV"),
        ("a.parquet", b"PAR1", "cannot be read as Parquet"),
    ],
)
def test_what_is_no_table_gets_a_sentence(name: str, content: bytes, sentence: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(TableError, match=sentence) as caught:
        tables.read(tmp_path / name, MODEL)
    assert "\n" not in str(caught.value)


WESTERN = [
    "München",
    "Straße",
    "GRÜN",
    "Genève",
    "Côte d’Or",
    "à\xa0la",
    "créée",
    "señor",
    "¿cuánto?",
    "São Paulo",
    "Århus",
    "5 €",
    "m²",
]


@given(
    st.lists(st.sampled_from(WESTERN), min_size=1, max_size=8),
    st.sampled_from([",", ";", "\t"]),
    st.sampled_from(["cp1252", "utf-8", "utf-8-sig", "utf-16"]),
)
def test_names_of_western_europe_are_read_as_excel_writes_them(names: list[str], separator: str, encoding: str) -> None:
    table = pd.DataFrame({"name": names, "day": "2024-12-31"})
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "table.csv"
        table.to_csv(path, index=False, sep=separator, encoding=encoding)
        read = tables.read(path, MODEL)
        assert read["name"].tolist() == names
        answered = path.with_name("answered.csv")
        tables.write(answered, read, {"prediction": [1.5] * len(names)})
        assert answered.read_bytes().startswith(b"\xef\xbb\xbf") is (separator == ";")
        assert f"name{separator}day{separator}prediction" in answered.read_text("utf-8-sig")
        assert tables.read(answered, MODEL)["name"].tolist() == names


@pytest.mark.parametrize(("text", "wanted"), [("JA ", True), ("nein", False), ("False", False), ("?", "?")])
def test_a_flag_is_read_in_the_tables_words_and_in_those_of_the_template(text: str, wanted: bool | str) -> None:
    flag = Column(name="wlan", kind="flag", parsed=True, texts={"ja": True, "nein": False})
    model = Model(name="m", version="1", title="M", contract=(flag,))
    assert tables.rows(model, pd.DataFrame({"wlan": [text]})) == [{"wlan": wanted}]


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("rent;day\n683,17 €;x\n1.250,5 €;y\n;z\n", "rent;day;prediction\n683,17 €;x;1,5\n1.250,5 €;y;2,25\n;z;3,0\n"),
        ("rent;day\n683.17;x\n1,250;y\n12;z\n", "rent;day;prediction\n683.17;x;1.5\n1,250;y;2.25\n12;z;3.0\n"),
    ],
)
def test_a_download_has_the_decimal_mark_of_the_upload(text: str, written: str, tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text(text)
    read = tables.read(path, Model(name="m", version="1", title="M", contract=(Column(name="day", kind="category"),)))
    tables.write(path, read, {"prediction": [1.5, 2.25, 3.0]})
    assert path.read_text("utf-8-sig") == written


@pytest.mark.parametrize(
    ("names", "encoding"),
    [
        ("Kadıköy,Şişli", "cp1254"),
        ("Łódź,Wrocław", "cp1250"),
        ("Москва,Казань", "cp1251"),
        ("Αθήνα,Πάτρα", "cp1253"),
        ("München,Straße", "cp850"),
        ("München,Straße", "mac_roman"),
        ("東京,大阪", "cp932"),
    ],
)
def test_what_may_be_another_code_page_is_refused(names: str, encoding: str, tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_bytes(("name,day\n" + "".join(f"{name},2024-12-31\n" for name in names.split(","))).encode(encoding))
    with pytest.raises(TableError, match=r"not UTF-8 text, and not surely Windows-1252\. Save it as “CSV"):
        tables.read(path, MODEL)
