"""Raw files: every way of writing a table is read, and what is none is called what it is."""

import gzip
import io
import zipfile
from pathlib import Path

import openpyxl
import pytest

from tests.training.data.test_formats import PLACE, cells, here, problem, silver  # noqa: F401 a fixture that each uses
from training.data import ingest, source, tables
from validation.contract import Column, Kind
from validation.errors import SettingsError, TableError

X = problem(Column(name="x", kind=Kind.CATEGORY))
COMMAS = "x,price\nŞişli,1.5\nÇankırı,2.5\n"


def zipped(*names: str) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name in names:
            archive.writestr(name, COMMAS)
    return stream.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        COMMAS.encode(),
        COMMAS.encode("utf-8-sig"),
        COMMAS.encode("utf-16"),
        COMMAS.encode("utf-16-le"),
        COMMAS.encode("utf-16-be"),
        COMMAS.replace(",", ";").encode(),
        COMMAS.replace(",", "\t").encode(),
        COMMAS.replace(",", "|").encode(),
        COMMAS.replace(",", "^").encode(),
        COMMAS.replace("Şişli", "'Şişli'").replace("x,price", "'x','price'").encode(),
        COMMAS.replace("\n", "\r\n").encode(),
        b"x;net, of tax;price\n" + "Şişli;1,5;1.5\nÇankırı;2,5;2.5\n".encode(),
        gzip.compress(COMMAS.encode("utf-16"), mtime=0),
        zipped("folder/", "folder/table.csv", "__MACOSX/._table.csv"),
        '[{"x": "Şişli", "price": 1.5}, {"x": "Çankırı", "price": 2.5}]'.encode(),
        '\n{"x": "Şişli", "price": 1.5}\n\n{"x": "Çankırı", "price": 2.5, "more": NaN}\n'.encode(),
    ],
)
def test_every_writing_of_a_table_is_read(content: bytes) -> None:
    Path("table").write_bytes(content)
    found = silver(Path("table"), X)
    assert found["x"].tolist() == ["Şişli", "Çankırı"]
    assert found["price"].tolist() == [1.5, 2.5]


LETTERS = {
    "cp1252": "Zürich,Genève,café,été,à la carte,ça,Straße,São Paulo,Århus,señor,Malmö,Übung,Bäcker",
    "cp1254": "İstanbul,Şişli,Kadıköy,Beşiktaş,Iğdır,Çankırı,Muğla,Ağrı",
    "cp1250": "Łódź,Kraków,Gdańsk,Příbram,Žďár,Wrocław,Poznań",
    "cp1251": "Москва,Санкт-Петербург,цена",
    "cp1253": "Αθήνα,Θεσσαλονίκη",
    "gb18030": "北京,上海,广州,价格,城市",
    "cp932": "東京,大阪,価格",
    "cp949": "서울,부산",
}


@pytest.mark.parametrize("encoding", LETTERS)
def test_letters_say_their_encoding(encoding: str) -> None:
    names = LETTERS[encoding].split(",")
    Path("table.csv").write_bytes("".join(["x,price\n", *(f"{name},1.5\n" for name in names)]).encode(encoding))
    assert ingest.read(Path("table.csv"), X.contract)["x"].tolist() == names


def test_a_guessed_encoding_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    Path("table.csv").write_bytes("x,price\nSão,1.5\n".encode("latin1"))
    assert ingest.read(Path("table.csv"), X.contract)["x"].tolist() == ["São"]
    assert "table.csv is read as cp1252, a guess: 'São'; if these look wrong" in capsys.readouterr().out


def sheets(*names: str) -> Path:
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name in names:
        sheet = book.create_sheet(name)
        for row in ([None, "x", "price"], [None, "a", 1.5], [None, None, None], [None, 7, 2.5]):
            sheet.append(row if name != "empty" else [])
    book.save("book.xlsx")
    return Path("book.xlsx")


def test_the_sheet_of_a_workbook() -> None:
    assert silver(sheets("one", "empty"), X)["x"].tolist() == ["a", "7"]
    with pytest.raises(TableError, match=r"book\.xlsx has the sheets 'one', 'two': say which with SHEET='one'"):
        source.main(X, str(sheets("one", "two")))
    with pytest.raises(TableError, match=r"book\.xlsx has no sheet 'three'\. It has: 'one', 'two'"):
        source.main(X, "book.xlsx", "three")
    source.main(X, "book.xlsx", "two")
    ingest.main(X)
    assert tables.read(PLACE.bronze)["x"].tolist() == ["a", "7"]
    with pytest.raises(SettingsError, match="SHEET=two is of a table that is brought now"):
        source.main(X, sheet="two")
    with pytest.raises(TableError, match=r"table\.csv is no workbook, so it has no sheet 'one'"):
        source.main(X, str(cells("table.csv", "a")), "one")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"<!doctype html><title>Sign in</title>", "is a web page or XML. Bring the table itself"),
        (b"%PDF-1.7 ...", "is a PDF document"),
        (b"x,price\n\0\1\2\0\0,1\n" * 9, "is no table that Boxwood reads: its bytes are no text"),
        (b"[1, 2, 3]", "is JSON and no table. Bring an array of records, or a record a line"),
        (b'{"x": ["a"], "price": [1.5]}', "The column 'x' of table holds list"),
        (b'{"x": ["a"], "price": [1.5]', "is no readable JSON"),
        (b'[{"x": {"y": 1}, "price": 1.5}]', "The column 'x' of table holds list"),
        (zipped("a.csv", "b.csv"), "holds 2 files: 'a.csv', 'b.csv'. Bring one table."),
        (zipped(), "holds 0 files. Bring one table."),
        (zipped("a.csv")[:-20], "is damaged or cut off"),
        (b"PK\x03\x04rest", "is damaged or cut off"),
        (b"\xd0\xcf\x11\xe0" + "EncryptedPackage".encode("utf-16-le"), "is an encrypted workbook. Save it without"),
        (b"\xd0\xcf\x11\xe0 nothing", "is no readable workbook"),
        (gzip.compress(b"", mtime=0), "holds an empty file"),
    ],
)
def test_a_file_that_is_no_table_is_called_what_it_is(content: bytes, says: str) -> None:
    Path("table").write_bytes(content)
    with pytest.raises(TableError) as caught:
        source.main(problem(Column(name="x", kind=Kind.CATEGORY, parse=str.strip)), "table")
    assert says in str(caught.value)
