"""CSV, TSV and their kin: the encoding, the delimiter and the quotes of a text file, and its cells as texts."""

import codecs
import csv
import re
import warnings
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from training.data import encodings
from training.data.rawtable import BRING, Loaded, RawTable
from validation.errors import TableError

_SAMPLE = 1 << 18
_SAMPLE_ROWS = 200
_CHUNK = 1 << 22
_USUAL, _RARE = (",", ";", "\t", "|"), ("^", "~", "\x01", "\x1f", ":", " ")
_CALLED = {";": "semicolons", "\t": "tabs", " ": "blanks", ":": "colons", "|": "bars"}
_MARKS = {
    codecs.BOM_UTF32_LE: "utf-32",  # before that of UTF-16, with which it begins
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_SHOWN, _LONGEST = 3, 30
"""How many cells a guess shows, and of how many letters at most."""


class Dialect(NamedTuple):
    """How a text file writes a table."""

    delimiter: str
    quote: str = '"'
    escape: str | None = None


def read(path: Path, name: str) -> RawTable:
    """The cells of a text file, as texts; raises TableError with `name` if it is none."""
    encoding, guessed = _encoding(path, name)
    sample = _sample(path, encoding)
    lines = re.split(r"\r?\n|\r", sample)  # as pandas does; splitlines breaks at form feeds too
    blank = next((place for place, line in enumerate(lines) if line.strip()), len(lines))  # before the header
    if blank == len(lines):
        raise TableError(f"{name} has no cells. {BRING}")
    dialect = _dialect("\n".join([*lines[blank:], ""]))
    options: dict[str, Any] = {"header": None, "dtype": str, "encoding": encoding, "na_filter": False}
    options |= {"skip_blank_lines": False, "sep": dialect.delimiter, "quotechar": dialect.quote}
    options |= {"escapechar": dialect.escape, "compression": None}
    header = [str(text) for text in pd.read_csv(path, nrows=1, skiprows=blank, **options).iloc[0]]

    def load() -> Loaded:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)  # pandas would drop surplus cells with a warning
            cells = pd.read_csv(path, skiprows=blank + 1, names=range(len(header)), index_col=False, **options)
        cells = cells[(cells != "").any(axis="columns")]  # blank lines are no rows, and still count in row numbers
        return Loaded(cells.index, lambda place: cells[place])

    remarks = [_guessed(path, name, encoding, dialect.delimiter)] if guessed else []
    if dialect.delimiter != ",":
        remarks.append(f"{name} separates its columns with {_CALLED.get(dialect.delimiter, repr(dialect.delimiter))}")
    return RawTable(name, header, load, remarks=remarks, delimiter=dialect.delimiter)


def _encoding(path: Path, name: str) -> tuple[str, bool]:
    """The encoding of a text file, and whether it is a guess; raises TableError if it is no text."""
    with path.open("rb") as file:
        start = file.read(1 << 12)
    for mark, encoding in _MARKS.items():
        if start.startswith(mark):
            return encoding, False
    if b"\0" in start:
        even, odd = start[::2].count(0), start[1::2].count(0)
        if max(even, odd) > len(start) / 8 and min(even, odd) < max(even, odd) / 8:
            return ("utf-16-be" if even > odd else "utf-16-le"), False
        raise TableError(f"{name} is no table that Boxwood reads: its bytes are no text. {BRING}")
    if _is_utf8(path):
        return "utf-8-sig", False
    return _guess(_telling(path), name), True


def _guess(lines: bytes, name: str) -> str:
    encoding = encodings.guess(lines)
    if encoding is None or any(ord(letter) < 9 for letter in lines.decode(encoding, "replace")[:1_000]):
        raise TableError(
            f"{name} is no table that Boxwood reads: its bytes are no text in any usual encoding. Save it as UTF-8."
        )
    return encoding


def _guessed(path: Path, name: str, encoding: str, delimiter: str) -> str:
    """What a person is told of a guess: cells by which it can be judged, words first, each with letters of its own."""
    cells = re.split(rf"[{re.escape(delimiter)}\r\n]+", _telling(path).decode(encoding, "replace"))
    shown: list[str] = []
    for words, most in ((True, _SHOWN - 1), (False, _SHOWN)):  # a sign of a currency goes wrong where no letter does
        for cell in dict.fromkeys(each.strip().strip("\"'")[:_LONGEST] for each in cells):
            telling = {each for each in cell if not each.isascii() and not each.isspace() and each.isalpha() is words}
            if telling - set("".join(shown)) and len(shown) < most:
                shown.append(cell)
    listed = ", ".join(f"'{cell}'" for cell in shown)
    return f"{name} is read as {encoding}, a guess: {listed}; if these look wrong, save the file as UTF-8"


def _is_utf8(path: Path) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")()
    with path.open("rb") as file:
        try:
            while chunk := file.read(_CHUNK):
                decoder.decode(chunk)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return False
    return True


def _telling(path: Path) -> bytes:
    """The lines that are not ASCII, which say most of an encoding, up to a quarter of a megabyte."""
    lines: list[bytes] = []
    size = 0
    with path.open("rb") as file:
        for line in file:
            if not line.isascii():
                lines.append(line)
                size += len(line)
            if size > _SAMPLE:
                break
    return b"".join(lines)


def _sample(path: Path, encoding: str) -> str:
    """The file's first lines, whole unless there is no second one."""
    with path.open(encoding=encoding, errors="replace", newline="") as file:
        text = file.read(_SAMPLE)
    end = text.rfind("\n")
    return text[: end + 1] if len(text) == _SAMPLE and end > 0 else text


def _dialect(sample: str) -> Dialect:
    """What separates the cells: the delimiter by which most rows have as many cells as the header, and most cells."""
    first = sample.split("\n", 1)[0]
    quote = "'" if first.strip()[:1] == "'" and first.count("'") > 1 and '"' not in first else '"'
    escape = "\\" if '\\"' in sample and '""' not in sample else None
    for marks in (_USUAL, _RARE):
        measured = {mark: _fits(sample, Dialect(mark, quote, escape)) for mark in marks if mark in first}
        regular = {mark: columns for mark, (columns, share) in measured.items() if share >= 0.9 and columns > 1}
        if regular:
            return Dialect(max(regular, key=lambda mark: regular[mark]), quote, escape)
        if marks is _USUAL and any(columns > 1 for columns, _ in measured.values()):
            return Dialect(max(measured, key=lambda mark: (measured[mark][1], measured[mark][0])), quote, escape)
    return Dialect(",", quote, escape)


def _fits(sample: str, dialect: Dialect) -> tuple[int, float]:
    """How many cells the header has, and the share of the first rows that have as many."""
    options: dict[str, Any] = {"delimiter": dialect.delimiter, "quotechar": dialect.quote}
    rows = csv.reader(sample.splitlines(keepends=True), escapechar=dialect.escape, **options)
    lengths: list[int] = []
    try:
        for row in rows:
            if row:
                lengths.append(len(row))
            if len(lengths) > _SAMPLE_ROWS:
                break
    except csv.Error:
        return 0, 0.0
    if not lengths:
        return 0, 0.0
    header, *others = lengths
    return header, (Counter(others)[header] / len(others) if others else 1.0)
