"""Raw table → bronze: the contract's names and values, every unreadable cell noted beside its row."""

import difflib
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from problems.base import Problem
from training import tables
from training.workspace import Workspace, say
from validation import gates
from validation.contract import Column, Kind, Role
from validation.errors import TableError
from validation.parsing import parse_text, parse_typed
from validation.values import InvalidValue, reader


def main(problem: Problem) -> None:
    """Parse the raw table; raises TableError with a sentence if it is not the table of this problem."""
    workspace = Workspace(problem.name)
    path = _raw_file(workspace)
    wanted = [column for column in problem.contract.columns if column.role is not Role.FORBIDDEN]
    raw = _read(path, wanted)
    if raw.empty:
        raise TableError(f"{path.name} has headers and no rows.")
    table = _parse(wanted, raw)
    unreadable = int(table[gates.UNREADABLE].notna().sum())
    gates.bronze(problem.contract).validate(table, lazy=True)
    tables.write(workspace.bronze, table)
    say(
        "ingest", f"{len(table):,} rows of {path.name}" + (f", {unreadable:,} with unreadable cells" * bool(unreadable))
    )


def _raw_file(workspace: Workspace) -> Path:
    files = sorted(path for path in workspace.raw.glob("*") if path != workspace.source)
    if len(files) != 1:
        raise TableError(f"{workspace.raw} must hold one raw table; run `make train` to bring it there.")
    return files[0]


def _read(path: Path, wanted: Sequence[Column]) -> pd.DataFrame:
    """The file's cells, once its headers are known to be those of the contract."""
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
    except (pa.ArrowInvalid, EOFError, OSError) as error:
        raise TableError(f"{path.name} is damaged or cut off: {str(error).strip()}.") from error


def _read_parquet(path: Path, wanted: Sequence[Column]) -> pd.DataFrame:
    _check_headers(pq.read_schema(path).names, wanted, path)
    return pd.read_parquet(path)


def _read_csv(path: Path, wanted: Sequence[Column]) -> pd.DataFrame:
    encoded: dict[str, Any] = {"header": None, "dtype": str, "encoding": "utf-8-sig", "na_filter": False}
    header = pd.read_csv(path, nrows=1, **encoded)
    names = [str(name).strip() for name in header.iloc[0]]
    if len(names) == 1 and any(mark in names[0] for mark in ";\t|"):
        raise TableError(f"{path.name} does not separate its columns with commas; save it with commas.")
    _check_headers(names, wanted, path)
    with warnings.catch_warnings():
        warnings.simplefilter("error", pd.errors.ParserWarning)  # pandas would drop surplus cells with a warning
        cells: pd.DataFrame = pd.read_csv(path, skiprows=1, names=names, index_col=False, **encoded)
    return cells


def _check_headers(present: list[str], wanted: Sequence[Column], path: Path) -> None:
    doubled = sorted({name for name in present if present.count(name) > 1})
    if doubled:
        raise TableError(f"{path.name} has two columns with the header {doubled[0]!r}; rename or remove one.")
    missing = [column for column in wanted if column.source not in present]
    if not missing:
        return
    spare = [name for name in present if name not in {column.source for column in wanted}]
    what = ("columns " if len(missing) > 1 else "column ") + ", ".join(_lacking(column, spare) for column in missing)
    raise TableError(f"{path.name} lacks the {what}. It has: {', '.join(map(repr, present[:30]))}.")


def _lacking(column: Column, spare: list[str]) -> str:
    close = [*difflib.get_close_matches(column.source, spare, n=1), *difflib.get_close_matches(column.name, spare, n=1)]
    return f"{column.source!r}" + (f" (renamed to {close[0]!r}?)" if close else "")


def _parse(wanted: Sequence[Column], raw: pd.DataFrame) -> pd.DataFrame:
    table: dict[str, Any] = {}
    unreadable: dict[int, list[str]] = {}
    for column in wanted:
        values, bad = _parse_column(column, raw[column.source].reset_index(drop=True))
        table[column.name] = values
        for row, reason in bad.items():
            unreadable.setdefault(row, []).append(f"{column.name}: {reason}")
    notes = pd.Series({row: "; ".join(reasons) for row, reasons in unreadable.items()}, dtype="str")
    table[gates.UNREADABLE] = notes.reindex(range(len(raw)))
    return pd.DataFrame(table, index=pd.RangeIndex(len(raw)))


def _parse_column(column: Column, raw: pd.Series) -> tuple[pd.Series, Mapping[int, str]]:
    """A raw column's values in storage type, and why which rows could not be read. Each distinct text is read once."""
    codes, uniques = pd.factorize(raw, use_na_sentinel=True)
    values: list[Any] = []
    reasons: dict[int, str] = {}
    for code, cell in enumerate(uniques):
        try:
            values.append(_cell(column, cell))
        except ValueError as error:
            values.append(None)
            reasons[code] = str(error)
    distinct = pd.Series([*values, None], dtype=gates.STORED.get(column.kind, "str"))
    column_values = distinct.take(codes).reset_index(drop=True)  # a missing cell has code -1, the None at the end
    bad = {int(row): reasons[int(codes[row])] for row in np.flatnonzero(np.isin(codes, list(reasons)))}
    return column_values, bad


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
    if not isinstance(value, int | float):
        raise InvalidValue(f"{str(value)[:40]!r} is not a number")
    return float(value)


def _python(cell: object) -> object:
    return cell.item() if isinstance(cell, np.generic) and not isinstance(cell, np.datetime64) else cell
