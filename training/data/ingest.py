"""Raw table → bronze: the contract's names and values, every unreadable cell noted beside its row."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pandas as pd
from pandas.api import types

from model import tabular
from problems.base import Problem
from training.data import beside, gates, labelled, raw, tables
from training.workspace import Workspace, read_json, say, sha256
from validation.classes import demand_listed
from validation.contract import Column, Contract, Kind
from validation.errors import BoxwoodError, ContractError, TableError
from validation.names import normal
from validation.numbers import Ambiguous, Notation, decimal_comma, decimal_point, has_decimals, notation
from validation.parsing import parse_text, parse_typed
from validation.values import InvalidValue, quoted, reader


def main(problem: Problem) -> None:
    """Parse the raw table; raises TableError with a sentence if it is not the table of this problem."""
    workspace = Workspace(problem.name)
    path = _raw_file(workspace)
    table = read(path, problem.contract, read_json(workspace.source).get("sheet"))
    if workspace.labelled.exists():
        rows = read(workspace.labelled, labelled.in_clean_form(problem.contract, workspace.labelled))
        table = labelled.joined(problem.contract, table, rows)
    unreadable = int(table[gates.UNREADABLE].notna().sum())
    gates.bronze(problem.contract).validate(table, lazy=True)
    tables.write(workspace.bronze, table)
    say(
        "ingest",
        f"{len(table):,} rows of {path.name}"
        + (f", {unreadable:,} with cells that are no values of the contract" * bool(unreadable)),
    )


def _raw_file(workspace: Workspace) -> Path:
    path = workspace.table
    if path is None:
        raise TableError(f"{workspace.raw} must hold one raw table; run `make train` to bring it there.")
    if sha256(path) != beside.of_table(read_json(workspace.source)):
        raise TableError(f"{path} was changed after it was brought here; bring the table again with DATA=path-or-URL.")
    return path


def read(path: Path, contract: Contract, sheet: str | None = None) -> pd.DataFrame:
    """A raw table as bronze has it.

    Args:
        path: a file in a format of `rawtable.READ`.
        contract: whose headers it must have; others are allowed.
        sheet: which sheet of a workbook.

    Returns:
        The contract's columns in storage types, and for each row which of its cells could not be read, a JSON object of
        reasons by column; the index counts the file's rows from 0.

    Raises:
        TableError: it is not the table of the contract, or a column can be read in more than one way.
        ContractError: a `parse` failed, or reads other values than a typed file has; there are more than two classes,
            and the contract lists none.
    """
    return parsed(contract, raw.read(path, contract, sheet))


def parsed(contract: Contract, cells: pd.DataFrame) -> pd.DataFrame:
    """The cells of a table, or of a part of it, as bronze has them; returns and raises as `read`.

    Args:
        contract: whose columns they are.
        cells: as `raw.read` returns them.
    """
    table: dict[str, Any] = {}
    unreadable: dict[int, dict[str, str]] = {}
    for column in raw.wanted(contract):
        values, bad = _parse_column(column, cells[column.name])
        table[column.name] = values
        for row, reason in bad.items():
            unreadable.setdefault(row, {})[column.name] = reason
    target = contract.target
    if target.kind is Kind.CATEGORY and target.choices is None:
        demand_listed(target.name, sorted(table[target.name].dropna().unique()))
    notes = {row: msgspec.json.encode(reasons).decode() for row, reasons in unreadable.items()}
    table[gates.UNREADABLE] = pd.Series(notes, dtype="str").reindex(cells.index)
    return pd.DataFrame(table, index=cells.index)


def _parse_column(column: Column, cells: pd.Series) -> tuple[pd.Series, Mapping[int, str]]:
    """A raw column's values in storage type, and by row why a cell could not be read; reads each distinct cell once."""
    if column.parse is None:
        if column.kind is Kind.REAL and types.is_numeric_dtype(cells.dtype):
            return cells.astype("float64"), {}
        cells = raw.restored(column, cells)
    codes, uniques = pd.factorize(cells, use_na_sentinel=True)
    try:
        values, reasons = read_distinct(column, list(uniques))
    except _ParserFailed as error:
        row = int(cells.index[np.flatnonzero(codes == error.place)[0]]) + 1
        raise ContractError(
            f"The `parse` of '{column.name}' failed in row {row} on {quoted(uniques[error.place])}: "
            f"{type(error.__cause__).__name__}: {error.__cause__}. It raises ValueError for a text that is no value."
        ) from error.__cause__
    distinct = pd.Series([*values, None], dtype=tabular.STORED.get(column.kind, "str"))
    parsed = distinct.take(codes).set_axis(cells.index)  # a missing cell has code -1, the None at the end
    bad_places = np.flatnonzero(np.isin(codes, list(reasons))).tolist()
    return parsed, {int(cells.index[place]): reasons[int(codes[place])] for place in bad_places}


class _ParserFailed(Exception):
    """A contract's `parse` failed on the cell at `place`; the cause is its exception."""

    def __init__(self, place: int) -> None:
        self.place = place
        super().__init__()


def read_distinct(column: Column, cells: Sequence[object]) -> tuple[list[Any], dict[int, str]]:
    """The values of cells, None where missing or unreadable, and by position why a cell could not be read."""
    if column.kind is Kind.CATEGORY and column.parse is None and all(type(cell) is str for cell in cells):
        return [normal(str(cell)) or None for cell in cells], {}  # every text is a name, and there may be one a row
    values: list[Any] = _plain_numbers(column, cells)
    if values and any(has_decimals(str(cell)) for cell in cells):
        return values, {}  # all are plain numbers, and one of them has a decimal point for certain
    way = _notation(column, cells)
    values = values if way is decimal_point else []
    reasons: dict[int, str] = {}
    for place, cell in enumerate([] if values else cells):
        try:
            values.append(_cell(column, cell, way))
        except ValueError as error:
            values.append(None)
            reasons[place] = str(error)
        except BoxwoodError:
            raise
        except Exception as error:
            raise _ParserFailed(place) from error
    return values, reasons


def _notation(column: Column, cells: Sequence[object]) -> Notation:
    """How a column's numbers are written; raises TableError where that is ambiguous."""
    if column.kind not in (Kind.REAL, Kind.INTEGER) or column.parse is not None:
        return decimal_point
    texts = [normal(cell) for cell in cells if type(cell) is str]
    try:
        way = notation(texts, whole=column.kind is Kind.INTEGER)
    except Ambiguous as error:
        raise TableError(
            f"The numbers of {column.source!r} are ambiguous: {error}. Say in the contract how they are "
            f"written: '{column.name}' with parse=decimal_comma, as in {decimal_comma.example}, or with "
            f"parse=decimal_point, as in {decimal_point.example} (both are in validation.parsing)."
        ) from error
    if way is decimal_comma:
        say("ingest", f"the numbers of {column.source!r} are read with a decimal comma, like {way.example}")
    return way


def _plain_numbers(column: Column, cells: Sequence[object]) -> list[float]:
    """The numbers that `_cell` would read, ten times as fast; empty if any cell is not the plain text of a number."""
    if column.kind is not Kind.REAL or column.parse is not None:
        return []
    try:
        plain = all(type(cell) is str and "_" not in cell for cell in cells)  # float() would take 1_000
        return [float(cell) for cell in cells] if plain else []  # type: ignore[arg-type]  # texts, as was asked
    except ValueError:
        return []


def _cell(column: Column, cell: object, way: Notation) -> object:
    value = _python(parse_text(column, cell, way) if isinstance(cell, str) else parse_typed(column, _python(cell)))
    if value is None or value is pd.NaT or (isinstance(value, float) and math.isnan(value)):
        return None
    if column.kind in (Kind.DATE, Kind.TIMESTAMP):
        # an impossible date is unreadable: no datetime array can hold it
        stored = int(reader(column)(value))  # type: ignore[arg-type]  # a date's reader returns an int
        return np.datetime64(stored, "D") if column.kind is Kind.DATE else np.datetime64(stored, "us")
    if column.kind is Kind.CATEGORY:
        return _name(value)
    if column.kind is Kind.FLAG:
        return bool(reader(column)(value))
    if isinstance(value, int) and column.kind is Kind.INTEGER:
        return reader(column)(value)  # before it becomes a double that may be another number
    if not isinstance(value, int | float):
        raise InvalidValue(f"{str(value)[:40]!r} is not a number")
    return float(value)


def _name(value: object) -> str | None:
    if not isinstance(value, str | int | float):
        raise InvalidValue(f"{quoted(value)} is not a string")
    return normal(str(value)) or None


def _python(cell: object) -> Any:
    return cell.item() if isinstance(cell, np.generic) and not isinstance(cell, np.datetime64) else cell
