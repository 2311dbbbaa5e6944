"""CSV cut at its records: whatever is in cells, the parts have the rows that the file has."""

import csv
import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring import delimited
from validation.errors import TableError

_CELLS = st.text(st.characters(codec="utf-8", exclude_characters="\0", exclude_categories=["Cs"]), max_size=6)
_ODD = st.sampled_from(["", '"', '""', "\n", "\r\n", "a\nb", ",", '",\n"', "\r"])


@given(
    rows=st.lists(st.tuples(_CELLS | _ODD, _CELLS | _ODD), max_size=30),
    step=st.integers(1, 8),
    block=st.integers(1, 40),
    end=st.sampled_from(["\n", "\r\n"]),
    mark=st.booleans(),
)
def test_parts_have_the_rows_of_the_file(
    rows: list[tuple[str, str]], step: int, block: int, end: str, mark: bool
) -> None:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator=end, quoting=csv.QUOTE_ALL)
    writer.writerow(["a", "b"])
    writer.writerows(rows)
    written = text.getvalue()
    file = io.BytesIO((b"\xef\xbb\xbf" if mark else b"") + written.encode())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(delimited, "_BLOCK", block)
        header = delimited.header(file, ["a", "b"], "it")
        spans = list(delimited.spans(file, header.end, step, "it"))
    assert header.names == ["a", "b"]
    read = [delimited.read(file, header, span, "it") for span in spans]
    assert [row for part in read for row in zip(*part.table.to_pydict().values(), strict=True)] == rows
    places = np.concatenate([part.places for part in read]) if read else np.empty(0)
    assert places.tolist() == list(range(len(rows)))
    assert all(span.rows <= step for span in spans)


def test_empty_lines_are_no_rows_and_ragged_ones_are_told() -> None:
    file = io.BytesIO(b"\r\na;b\r\n\r\n1;2\r\n3\r\n\r\n4;5;6\r\n7;8")
    header = delimited.header(file, ["a", "b"], "it")
    assert (header.names, header.delimiter) == (["a", "b"], ";")
    [span] = delimited.spans(file, header.end, 10, "it")
    part = delimited.read(file, header, span, "it")
    assert part.table.to_pylist() == [{"a": "1", "b": "2"}, {"a": "7", "b": "8"}]
    assert part.places.tolist() == [0, 3]
    assert part.ragged == {
        1: "the line has 1 cells, and the header 2",
        2: "the line has 3 cells, and the header 2",
    }


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "has no header"),
        (b"\xffa,b\n", "not UTF-8"),
        (b"a,b\n\xff,1\n", "It should be UTF-8"),
        (b'a,b\n1,"2\n3,4\n', "has a quote that is not closed"),
    ],
)
def test_what_is_no_csv_is_refused(content: bytes, sentence: str) -> None:
    def read(file: io.BytesIO) -> None:
        header = delimited.header(file, ["a", "b"], "it")
        for span in delimited.spans(file, header.end, 10, "it"):
            delimited.read(file, header, span, "it")

    with pytest.raises(TableError, match=sentence):
        read(io.BytesIO(content))
