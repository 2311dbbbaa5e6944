"""Raw table → bronze: the contract's names and values, every unreadable cell noted beside its row."""

import csv
import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from problems.base import Problem
from training import tables
from training.workspace import Workspace, say
from validation import gates
from validation.contract import Column, Contract, Kind, Role
from validation.errors import TableError
from validation.parsing import parse_text, parse_typed
from validation.values import InvalidValue, reader


def main(problem: Problem) -> None:
    """Parse the raw table; raises TableError with a sentence if it is not the table of this problem."""
    workspace = Workspace(problem.name)
    path = _raw_file(workspace)
    raw = _read(path)
    table = _parse(problem.contract, raw, path)
    unreadable = int(table[gates.UNREADABLE].notna().sum())
    gates.bronze(problem.contract).validate(table, lazy=True)
    tables.write(workspace.bronze, table)
    say(
        "ingest", f"{len(table):,} rows of {path.name}" + (f", {unreadable:,} with unreadable cells" * bool(unreadable))
    )


def _raw_file(workspace: Workspace) -> Path:
    files = sorted(workspace.raw.glob("*")) if workspace.raw.is_dir() else []
    if len(files) != 1:
        raise TableError(
            f"{workspace.raw} must hold the raw table and nothing else; run `make train` to bring it there."
        )
    return files[0]


def _read(path: Path) -> pd.DataFrame:
    if path.stat().st_size == 0:
        raise TableError(f"{path} is empty.")
    try:
        if path.suffix == ".parquet":
            return pd.read_parquet(path)
        header = pd.read_csv(path, header=None, nrows=1, dtype=str, encoding="utf-8-sig", na_filter=False)
        names = [str(name).strip() for name in header.iloc[0]]
        _check_headers(names, path)
        return pd.read_csv(
            path,
            header=None,
            skiprows=1,
            names=names,
            dtype=str,
            encoding="utf-8-sig",
            na_filter=False,
            index_col=False,
        )
    except UnicodeDecodeError as error:
        raise TableError(
            f"{path.name} is not UTF-8 text (byte {error.start} is 0x{error.object[error.start]:02x}). "
            "Save it as UTF-8, for example with `iconv -f latin1 -t utf-8`."
        ) from error
    except (pd.errors.ParserError, pd.errors.EmptyDataError, EOFError, csv.Error) as error:
        raise TableError(f"{path.name} is not a readable CSV table: {str(error).strip()}.") from error
    except (pa.ArrowInvalid, OSError) as error:
        raise TableError(f"{path.name} is damaged or cut off: {str(error).strip()}.") from error


def _check_headers(names: list[str], path: Path) -> None:
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled:
        raise TableError(f"{path.name} has two columns with the header {doubled[0]!r}; rename or remove one.")
    if len(names) == 1 and any(mark in names[0] for mark in ";\t|"):
        raise TableError(f"{path.name} does not separate its columns with commas; save it with commas.")


def _parse(contract: Contract, raw: pd.DataFrame, path: Path) -> pd.DataFrame:
    wanted = [column for column in contract.columns if column.role is not Role.FORBIDDEN]
    _check_columns(wanted, [str(name) for name in raw.columns], path)
    if raw.empty:
        raise TableError(f"{path.name} has headers and no rows.")
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


def _check_columns(wanted: list[Column], present: list[str], path: Path) -> None:
    missing = [column for column in wanted if column.source not in present and column.role is not Role.KEY]
    missing += [column for column in wanted if column.source not in present and column.role is Role.KEY]
    if not missing:
        return
    spare = [name for name in present if name not in {column.source for column in wanted}]
    parts = []
    for column in missing:
        close = difflib.get_close_matches(column.source, spare, n=1) or difflib.get_close_matches(
            column.name, spare, n=1
        )
        parts.append(f"{column.source!r}" + (f" (renamed to {close[0]!r}?)" if close else ""))
    raise TableError(
        f"{path.name} lacks the column{'s' if len(parts) > 1 else ''} {', '.join(parts)}. "
        f"It has: {', '.join(map(repr, present[:30]))}."
    )


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
    value: Any = parse_text(column, cell) if isinstance(cell, str) else parse_typed(_python(cell))
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
