"""What is no table, or none to draft from: one sentence each, and nothing is left of it."""

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.project import ROOT
from tests.training.draft.drafting import column, drafted, drafted_from
from training.__main__ import main
from training.data import clean, ingest, source, split
from training.draft import draft, names
from training.workspace import Workspace
from validation.contract import Kind
from validation.errors import TableError

CHANCE = np.random.default_rng(3)
X = CHANCE.normal(size=300).round(3)
FRAME = pd.DataFrame({"x": X, "price": (X + CHANCE.normal(size=300)).round(3)})
LINES = FRAME.to_csv(index=False)


def zipped(text: str, method: int) -> bytes:
    """A zip file of a table whose header says that it is packed by this method."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a.csv", text)
    content = bytearray(buffer.getvalue())
    content[8] = content[content.find(b"PK\x01\x02") + 10] = method
    return bytes(content)


def parquet(**columns: Any) -> bytes:
    """A Parquet file of these columns, with `x` and a price unless there is one."""
    buffer = io.BytesIO()
    pq.write_table(pa.table({"x": pa.array(X), "price": pa.array(FRAME["price"]), **columns}), buffer)
    return buffer.getvalue()


def rotten() -> bytes:
    """A Parquet file with other bytes in its first column."""
    content = bytearray(parquet())
    content[60:200] = bytes(140)
    return bytes(content)


def records(**more: Any) -> bytes:
    """JSON's records, each with these members too."""
    return json.dumps([{**row, **more} for row in FRAME.to_dict("records")]).encode()


LISTS, BYTES = pa.array([[1]] * 300), pa.array([b"\xff\xfe", b"\xff"] * 150)
BAD: list[tuple[bytes, str]] = [
    (b"\n\n  \n", "table has no cells. Bring the table itself: CSV, TSV"),
    (b"\xef\xbb\xbf", "table has no cells"),
    (zipped(LINES, 99), "table is packed in a way that is not read here"),
    (b"BZh91AY&SY....", "table is a bzip2 file"),
    (b"\x28\xb5\x2f\xfd....", "table is a Zstandard file"),
    (b"\0\1\2" * 99, "its bytes are no text. Bring the table itself: CSV, TSV"),
    (LINES.encode("utf-16") + b"x", "table is damaged, or written in several encodings"),
    (b"\xff\xfe" + LINES.encode("utf-16-le")[:200] + b"\0\xd8" + LINES.encode("utf-16-le")[200:], "several encodings"),
    (rotten(), "table is damaged or cut off: "),
    (parquet()[:-9], "magic bytes not found in footer. Either the file is corrupted or this is not a parquet file."),
    (b"[" * 99_999, "table is no readable JSON: it is nested too deeply"),
    (records(price={"is": 1.5}), "The target 'price' holds list<item: null>; a cell is a single value. Choose"),
    (records(name="\ud800"), "table is no readable JSON: it has half of a character"),
    (records(**{"\ud800": 1}), "table is no readable JSON: it has half of a character"),
    (parquet(price=LISTS), "The target 'price' holds list<element: int64>; a cell is a single value."),
    (parquet(price=BYTES), "The target 'price' holds bytes that are no UTF-8 text. Choose another column."),
    (parquet(price=pa.array([np.inf, 1.0, 2.5, 4.0] * 75)), "75 rows have an infinite price. Mend them"),
    (parquet(x=pa.array([np.inf, 1.0, 2.5, 4.0] * 75)), "No column of table is left to predict 'price' from"),
    ((LINES + "1,2,3\n").encode(), "Line 302 of table has 3 cells, and its header 2. Mend"),
    ((LINES + '1,"2\n').encode(), "A quote that begins in line 302 of table does not end"),
    (b"Report\n\nx,price\n1,2\n", "Line 3 of table has 2 cells, and its header 1. Mend"),
    (b"Report,,\nx,price,\n" + b"1,2,\n" * 40, "no column 'price' to predict, but a cell. The headers"),
    (b"x,price\n1,2\n", "1 row has a target; a draft needs 30"),
    (b"x,price\n" + b"1,2\n1,\n" * 40, "Every row that has a price has '2': there is nothing to predict"),
    (b"x,price\n" + b"1,2\n1,3\n" * 40, "from: bring a table that has more. Left out: 'x' (every row"),
]  # fmt: skip


@pytest.mark.parametrize(("content", "says"), BAD)
def test_a_table_that_is_none_is_a_sentence_and_leaves_nothing(problems: Path, content: bytes, says: str) -> None:
    Path("table").write_bytes(content)
    before = Path("params.yaml").read_text()
    with pytest.raises(TableError) as caught:
        draft.main("table", "price")
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)
    assert ".." not in str(caught.value)
    assert not problems.exists() or not [*problems.iterdir()]
    assert not Workspace("table").folder.exists()
    assert Path("params.yaml").read_text() == before


@pytest.mark.parametrize(
    "content",
    [
        LINES.encode("utf-32"),
        f"\n\n{LINES}".encode(),
        LINES.replace("x", "{unit}").encode(),
        LINES.replace("x", "[unit]").encode(),
        parquet(picture=BYTES),
        parquet(parts=LISTS),
        records(nested={"a": 1}),
        (LINES + "1.5,2\n" * 60 + "\0001,2\n").encode(),
        parquet(x=pa.array([np.inf, *X[1:]])),
    ],
)
def test_a_table_with_something_odd_comes_to_its_split(here: Path, content: bytes) -> None:
    Path("table").write_bytes(content)
    problem = drafted_from(Path("table"))
    [feature] = problem.contract.inputs
    assert (feature.kind, problem.task) == (Kind.REAL, "regression")
    source.main(problem, "table")
    for stage in (ingest, clean, split):
        stage.main(problem)


def test_labels_that_differ_by_case_are_one_class(here: Path) -> None:
    text, problem, path = drafted({"x": X, "y": ["Red", "RED", "blue", "?"] * 75}, "y")
    assert problem.contract.target.choices == ("red", "blue")
    assert "'Red' (75 rows) and 'RED' (75 rows) are taken for one class, as are others that differ by case" in text
    source.main(problem, str(path))
    for stage in (ingest, clean, split):
        stage.main(problem)
    assert column(problem, "y").parse is not None


def test_what_could_not_be_drafted_is_called_by_its_name(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["draft", "--data", "no where.csv", "--target", "price"]) == 1
    assert capfd.readouterr().err == (
        "draft no_where: no where.csv does not exist. DATA takes the path or URL of a table.\n"
    )
    with pytest.raises(SystemExit, match="1"):
        main(["run", "", "--data", "http://[::1/x.csv", "--target", "price"])
    assert capfd.readouterr().err == "draft x: DATA='http://[::1/x.csv' is no URL: Invalid IPv6 URL.\n"
    assert names.of_problem("http://[::1/House prices.csv?x=1") == "house_prices"
    assert not (ROOT / "problems/no_where").exists()
