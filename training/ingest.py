"""Raw table → bronze: the contract's names and values, every unreadable cell noted beside its row."""

import difflib
import warnings
import zlib
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from problems.base import Problem
from training import tables
from training.workspace import Workspace, read_json, say, sha256
from validation import gates
from validation.contract import Column, Contract, Kind, Role
from validation.errors import TableError
from validation.parsing import parse_text, parse_typed
from validation.values import InvalidValue, reader

_MOST_HEADERS = 30
"""As many a message names; comparing thousands with thousands would take minutes."""


def main(problem: Problem) -> None:
    """Parse the raw table; raises TableError with a sentence if it is not the table of this problem."""
    workspace = Workspace(problem.name)
    path = _raw_file(workspace)
    table = _parse(_wanted(problem.contract), read(path, problem.contract))
    unreadable = int(table[gates.UNREADABLE].notna().sum())
    gates.bronze(problem.contract).validate(table, lazy=True)
    tables.write(workspace.bronze, table)
    say(
        "ingest", f"{len(table):,} rows of {path.name}" + (f", {unreadable:,} with unreadable cells" * bool(unreadable))
    )


def _raw_file(workspace: Workspace) -> Path:
    path = workspace.table
    if path is None:
        raise TableError(f"{workspace.raw} must hold one raw table; run `make train` to bring it there.")
    if sha256(path) != read_json(workspace.source)["sha256"]:
        raise TableError(f"{path} was changed after it was brought here; bring the table again with DATA=path-or-URL.")
    return path


def _wanted(contract: Contract) -> list[Column]:
    return [column for column in contract.columns if column.role is not Role.FORBIDDEN]


def read(path: Path, contract: Contract) -> pd.DataFrame:
    """The cells of a raw table.

    Args:
        path: a CSV file, compressed or not, or a Parquet file.
        contract: whose headers it must have; others are allowed.

    Returns:
        Texts, or what the Parquet file holds, by header; the index counts the file's rows from 0.

    Raises:
        TableError: it is empty, damaged, in another encoding, or lacks or doubles a header.
    """
    raw = _read(path, _wanted(contract))
    if raw.empty:
        raise TableError(f"{path.name} has headers and no rows.")
    return raw


def _read(path: Path, wanted: Sequence[Column]) -> pd.DataFrame:
    if path.stat().st_size == 0:
        raise TableError(f"{path.name} is empty.")
    try:
        return _read_parquet(path, wanted) if path.suffix == ".parquet" else _read_csv(path, wanted)
    except UnicodeDecodeError as error:
        raise TableError(
            f"{path.name} is not UTF-8 text (byte {error.start} is 0x{error.object[error.start]:02x}). "
            "Save it as UTF-8, for example with `iconv -f latin1 -t utf-8`."
        ) from error
    except (pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise TableError(f"{path.name} is not a readable CSV table: {str(error).strip()}.") from error
    except pd.errors.ParserWarning as error:
        raise TableError(
            f"{path.name} has rows with more cells than the header; nothing says what they are."
        ) from error
    except (pa.ArrowInvalid, EOFError, OSError, zlib.error) as error:
        raise TableError(f"{path.name} is damaged or cut off: {str(error).strip()}.") from error


def _read_parquet(path: Path, wanted: Sequence[Column]) -> pd.DataFrame:
    _check_headers(pq.read_schema(path).names, wanted, path)
    table: pd.DataFrame = pq.read_table(path).to_pandas(ignore_metadata=True)  # an index of pandas' is a column to us
    return table


def _read_csv(path: Path, wanted: Sequence[Column]) -> pd.DataFrame:
    encoded: dict[str, Any] = {"header": None, "dtype": str, "encoding": "utf-8-sig"}
    encoded |= {"na_filter": False, "skip_blank_lines": False}
    header = pd.read_csv(path, nrows=1, **encoded)
    names = [str(name).strip() for name in header.iloc[0]]
    if len(names) == 1 and any(mark in names[0] for mark in ";\t|"):
        raise TableError(f"{path.name} does not separate its columns with commas; save it with commas.")
    _check_headers(names, wanted, path)
    with warnings.catch_warnings():
        warnings.simplefilter("error", pd.errors.ParserWarning)  # pandas would drop surplus cells with a warning
        cells: pd.DataFrame = pd.read_csv(path, skiprows=1, names=names, index_col=False, **encoded)
    return cells[(cells != "").any(axis="columns")]  # blank lines are no rows, and still count in row numbers


def _check_headers(present: list[str], wanted: Sequence[Column], path: Path) -> None:
    doubled = sorted(name for name, times in Counter(present).items() if times > 1)
    if doubled:
        raise TableError(f"{path.name} has two columns with the header {doubled[0]!r}; rename or remove one.")
    there = set(present)
    missing = [column for column in wanted if column.source not in there]
    if not missing:
        return
    expected = {column.source for column in wanted}
    spare = [name for name in present if name not in expected][:_MOST_HEADERS]
    what = ("columns " if len(missing) > 1 else "column ") + ", ".join(
        _lacking(column, spare) for column in missing[:_MOST_HEADERS]
    )
    more = f" and {len(missing) - _MOST_HEADERS:,} more" if len(missing) > _MOST_HEADERS else ""
    raise TableError(f"{path.name} lacks the {what}{more}. It has: {', '.join(map(repr, present[:_MOST_HEADERS]))}.")


def _lacking(column: Column, spare: list[str]) -> str:
    close = [*difflib.get_close_matches(column.source, spare, n=1), *difflib.get_close_matches(column.name, spare, n=1)]
    return f"{column.source!r}" + (f" (renamed to {close[0]!r}?)" if close else "")


def _parse(wanted: Sequence[Column], raw: pd.DataFrame) -> pd.DataFrame:
    table: dict[str, Any] = {}
    unreadable: dict[int, list[str]] = {}
    for column in wanted:
        values, bad = _parse_column(column, raw[column.source])
        table[column.name] = values
        for row, reason in bad.items():
            unreadable.setdefault(row, []).append(f"{column.name}: {reason}")
    notes = pd.Series({row: "; ".join(reasons) for row, reasons in unreadable.items()}, dtype="str")
    table[gates.UNREADABLE] = notes.reindex(raw.index)
    return pd.DataFrame(table, index=raw.index)


def _parse_column(column: Column, raw: pd.Series) -> tuple[pd.Series, Mapping[int, str]]:
    """A raw column's values in storage type, and why which rows could not be read. Each distinct text is read once."""
    codes, uniques = pd.factorize(raw, use_na_sentinel=True)
    values: list[Any] = _plain_numbers(column, list(uniques))
    reasons: dict[int, str] = {}
    for code, cell in enumerate([] if values else uniques):
        try:
            values.append(_cell(column, cell))
        except ValueError as error:
            values.append(None)
            reasons[code] = str(error)
    distinct = pd.Series([*values, None], dtype=gates.STORED.get(column.kind, "str"))
    parsed = distinct.take(codes).set_axis(raw.index)  # a missing cell has code -1, the None at the end
    bad_places = np.flatnonzero(np.isin(codes, list(reasons))).tolist()
    bad = {int(raw.index[place]): reasons[int(codes[place])] for place in bad_places}
    return parsed, bad


def _plain_numbers(column: Column, cells: Sequence[object]) -> list[float]:
    """All cells as `_cell` reads them, ten times as fast, or none: where any is not a plain text of a real number."""
    if column.kind is not Kind.REAL or column.parse is not None:
        return []
    try:
        plain = all(type(cell) is str and "_" not in cell for cell in cells)  # float() would take 1_000
        return [float(cell) for cell in cells] if plain else []  # type: ignore[arg-type]  # texts, as was asked
    except ValueError:
        return []


def _cell(column: Column, cell: object) -> object:
    value: Any = parse_text(column, cell) if isinstance(cell, str) else parse_typed(column, _python(cell))
    if pd.isna(value):
        return None
    if column.kind in (Kind.DATE, Kind.TIMESTAMP):
        # an impossible date is unreadable: no datetime array can hold it
        stored = int(reader(column)(value))  # type: ignore[arg-type]  # a date's reader returns an int
        return np.datetime64(stored, "D") if column.kind is Kind.DATE else np.datetime64(stored, "us")
    if column.kind is Kind.CATEGORY:
        return str(value)
    if column.kind is Kind.FLAG:
        return bool(reader(column)(value))
    if isinstance(value, int) and column.kind is Kind.INTEGER:
        return reader(column)(value)  # before it becomes a double that may be another number
    if not isinstance(value, int | float):
        raise InvalidValue(f"{str(value)[:40]!r} is not a number")
    return float(value)


def _python(cell: object) -> object:
    return cell.item() if isinstance(cell, np.generic) and not isinstance(cell, np.datetime64) else cell
