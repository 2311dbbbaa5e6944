"""Tables as they come: cells of any type, more columns than wanted, wide headers, links and patterns."""

import itertools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from model.predictor import Predictor
from scoring import typed
from tests.scoring import made
from tests.scoring.runs import contents, score, verify

_ZONES = (None, "UTC", "Europe/Istanbul", "Nowhere/At_All")
_FIXED = [
    *(pa.int8(), pa.uint16(), pa.int64(), pa.uint64(), pa.float16(), pa.float32(), pa.float64()),
    *(pa.decimal128(38, 4), pa.decimal256(76, -3), pa.date32(), pa.date64(), pa.month_day_nano_interval()),
    *(pa.time32("s"), pa.time64("us"), pa.time64("ns"), pa.duration("s"), pa.duration("ns")),
    *itertools.starmap(pa.timestamp, itertools.product(("s", "ms", "us", "ns"), _ZONES)),
]
_ROWS = 20


def _column(kind: pa.DataType, content: bytes) -> pa.Array:
    """Any bytes as a column of a type, every third missing."""
    valid = pa.py_buffer(bytes([0b01101101, 0b11011011, 0b10110110]))
    if kind in _FIXED:
        size = kind.bit_width // 8 * _ROWS
        return pa.Array.from_buffers(kind, _ROWS, [valid, pa.py_buffer((content * size)[:size])])
    ends = pa.array(np.linspace(0, len(content), _ROWS + 1).astype(np.int32)).buffers()[1]
    cells = [valid, ends, pa.py_buffer(content)]
    texts = pa.Array.from_buffers(pa.binary() if kind == pa.binary() else pa.string(), _ROWS, cells)
    if pa.types.is_dictionary(kind):
        return texts.dictionary_encode()
    if pa.types.is_list(kind):
        return pa.ListArray.from_arrays(list(range(_ROWS + 1)), texts)
    if pa.types.is_struct(kind):
        return pa.StructArray.from_arrays([texts], ["a"])
    return texts.cast(kind)


_TEXTS = [pa.string(), pa.large_string(), pa.binary(), pa.dictionary(pa.int32(), pa.string())]
_NESTED = [pa.list_(pa.string()), pa.struct([("a", pa.string())])]


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    place=st.integers(0, 7),
    kind=st.sampled_from([*_FIXED, *_TEXTS, *_NESTED]),
    content=st.binary(min_size=1, max_size=300),
)
def test_any_column_in_any_place_ends_with_a_sentence(
    place: int, kind: pa.DataType, content: bytes, rows: list[made.Row], bundle: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:  # fmt: skip
    folder = tmp_path_factory.mktemp("any")
    table = made.table(rows[:_ROWS])
    table = table.set_column(place, table.schema.names[place], _column(kind, content))
    with pa.ipc.new_file(folder / "in.arrow", table.schema) as file:
        file.write_table(table)
    code = score(folder / "in.arrow", folder / "out", bundle)
    assert code == int(len(made.answers(folder / "out")) == 0)
    assert verify(folder / "out") == 0


def test_a_text_that_is_not_utf8_is_a_refused_row(rows: list[made.Row], bundle: Path, tmp_path: Path) -> None:
    table = made.table(rows[:100])
    cells = pa.array([text.encode() for text in table["cabin"].to_pylist()[:-1]] + [b"Econ\xf3mica"], pa.binary())
    texts = pa.Array.from_buffers(pa.string(), 100, cells.buffers())
    table = table.set_column(table.schema.get_field_index("cabin"), "cabin", texts)
    (tmp_path / "in").mkdir()
    pq.write_table(table, tmp_path / "in/b.parquet")
    made.write(tmp_path / "in/c.parquet", rows[:100])
    assert score(tmp_path / "in", tmp_path / "out", bundle) == 0
    [reason] = made.refused(tmp_path / "out")
    assert (reason["file"], reason["row"]) == ("b.parquet", 99)
    assert reason["reason"] == r"b'Econ\xf3mica' is not a string"
    assert verify(tmp_path / "out") == 0


def lines(rows: list[made.Row], folder: Path) -> list[str]:
    made.write(folder / "lines.txt", rows[:20])
    return (folder / "lines.txt").read_text().splitlines()


@pytest.mark.parametrize(
    ("odd", "drop", "sentence"),
    [
        (lambda text: [f"{line},," for line in text], ["--drop", ""], "To leave out such columns: --drop ''."),
        (lambda text: [f"{text[0]},my note", *(f"{line},x" for line in text[1:])], ["--drop", "my note"], "'my note'."),
        (
            lambda text: [text[0] + ",n" * 100_000, *(line + ",1" * 100_000 for line in text[1:3])],
            ["--drop", "n"],
            "--drop n.",
        ),
        (
            lambda text: [",".join([text[0], *map(str, range(30_000))]), *(line + ",1" * 30_000 for line in text[1:3])],
            ["--drop-others"],
            "--drop-others, of which there are 30,000.",
        ),
    ],
)
def test_what_the_sentence_says_leaves_columns_out(
    odd: Callable[[list[str]], list[str]], drop: list[str], sentence: str, rows: list[made.Row], bundle: Path,
    tmp_path: Path, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    source, out = tmp_path / "in.csv", tmp_path / "out"
    source.write_text("\n".join(odd(lines(rows, tmp_path))))
    assert score(source, out, bundle, "--workers", "1") == 1
    assert capsys.readouterr().err.endswith(f"{sentence}\n")
    assert score(source, out, bundle, "--workers", "1", *drop) == 0
    assert verify(out) == 0
    assert score(source, out, bundle, "--workers", "1", "--drop", "else") == 1
    assert f"was begun with {drop[0]}" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "options", "sentence"),
    [
        ("\r".join, [], "Its lines end with CR alone"),
        (lambda text: "x" * 140_000, [], "has no header that is CSV"),
        (
            "\n".join,
            ["--drop", "origin"],
            "--drop leaves out the column 'origin', which the model needs",
        ),
    ],
)
def test_what_cannot_be_scored_writes_nothing(
    content: Callable[[list[str]], str], options: list[str], sentence: str, rows: list[made.Row], bundle: Path,
    tmp_path: Path, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    (tmp_path / "in.csv").write_text(content(lines(rows, tmp_path)))
    assert score(tmp_path / "in.csv", tmp_path / "out", bundle, "--workers", "1", *options) == 1
    assert sentence in capsys.readouterr().err
    assert not list((tmp_path / "out").rglob("*"))


def test_what_is_left_out_is_said(
    rows: list[made.Row], bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made.write(tmp_path / "_x.parquet", rows[:10])
    assert score(tmp_path / "_x.parquet", tmp_path / "out", bundle) == 1
    assert "whose names begin with _ or . are left out" in capsys.readouterr().err
    days = [{name: value for name, value in row.items() if name != "date"} for row in rows[:10]]
    made.write(tmp_path / "hive/date=2022-01-01/a.parquet", days)
    assert score(tmp_path / "hive", tmp_path / "out", bundle) == 1
    assert "What the names of folders say is not read" in capsys.readouterr().err


def test_an_output_that_the_pattern_finds_is_no_input(
    rows: list[made.Row], bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made.write(tmp_path / "in/x/a.parquet", rows[:100])
    out = tmp_path / "in/out"
    for _ in range(2):
        assert score(f"{tmp_path}/in/*/*.parquet", out, bundle) == 0
    assert sorted(contents(out)) == ["part-00000.parquet"]
    (tmp_path / "link").symlink_to(tmp_path / "in")
    assert score(tmp_path / "in", tmp_path / "link/other", bundle) == 1
    assert "lies in the input" in capsys.readouterr().err


@given(groups=st.lists(st.integers(0, 9), max_size=12), rows=st.integers(1, 30))
def test_parts_are_all_rows_once_and_name_the_groups_that_hold_them(groups: list[int], rows: int) -> None:
    ends = [0, *itertools.accumulate(groups)]
    following = 0
    for span in typed.spans(groups, rows):
        assert span.first == following == ends[span.start] + span.skipped
        following += span.rows
        assert ends[span.start + 1] > span.first
        assert ends[span.stop - 1] < following <= ends[span.stop]
        assert span.rows == rows or following == ends[-1]
    assert following == ends[-1]


def test_a_part_of_an_arrow_file_reads_its_own_batches(predictor: Predictor, tmp_path: Path) -> None:
    made.write(tmp_path / "in.arrow", made.rows(predictor, 20_000), max_chunksize=1_000)
    size = (tmp_path / "in.arrow").stat().st_size
    names = ["duration_hours", "date"]
    with pa.OSFile(str(tmp_path / "in.arrow")) as source:
        spans = list(typed.spans(typed.arrow_groups(source)[1], 2_000))

    def read(span: typed.Span) -> tuple[list[float], int]:
        with _Counted(tmp_path / "in.arrow") as file:
            batches = list(typed.arrow(pa.PythonFile(file, "r"), span, lambda _: names, 1 << 16))
            return [cell for batch in batches for cell in batch.column("duration_hours").to_pylist()], file.bytes_read

    found = [read(span) for span in spans]
    expected = [row["duration_hours"] for row in made.rows(predictor, 20_000)]
    assert np.array_equal([cell for cells, _ in found for cell in cells], expected)
    assert sum(count for _, count in found) < size


class _Counted:
    """A file that counts the bytes which are read of it."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb")
        self.bytes_read = 0
        self.seek, self.tell, self.close = self._file.seek, self._file.tell, self._file.close

    @property
    def closed(self) -> bool:
        return self._file.closed

    def read(self, count: int = -1) -> bytes:
        content = self._file.read(count)
        self.bytes_read += len(content)
        return content

    def __enter__(self) -> "_Counted":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()
