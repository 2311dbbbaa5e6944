"""Tables between stages: Parquet on disk, pandas in between, NumPy columns for features."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from model import tabular
from training.workspace import atomic_file
from validation.contract import Column, Contract, Kind
from validation.decode import Columns
from validation.errors import TableError
from validation.table import Table
from validation.wire import RowError

if TYPE_CHECKING:
    from model.predictor import Predictor  # with LightGBM, which most stages do without

_CELLS = 1_000_000


def read(path: Path) -> pd.DataFrame:
    """A table that an earlier stage wrote."""
    return pd.read_parquet(path)


def write(path: Path, table: pd.DataFrame, notes: Mapping[bytes, bytes] | None = None) -> None:
    """Write a table whole or not at all; `notes` go into the metadata of the file."""
    arrow = pa.Table.from_pandas(table)
    with atomic_file(path) as temporary:
        pq.write_table(arrow.replace_schema_metadata({**(arrow.schema.metadata or {}), **(notes or {})}), temporary)


def inputs(contract: Contract, table: pd.DataFrame) -> Columns:
    """The contract's inputs as features take them: the arrays that the request decoder makes of the same rows."""
    return {column.name: array(column, table[column.name]) for column in contract.inputs}


def target(contract: Contract, table: pd.DataFrame) -> np.ndarray:
    """What the model learns, shape (rows,)."""
    return array(contract.target, table[contract.target.name])


def array(column: Column, series: pd.Series) -> np.ndarray:
    """A column as features take it, shape (rows,)."""
    if column.kind is Kind.CATEGORY:
        return series.astype(object).where(series.notna(), None).to_numpy(dtype=object)
    if column.kind is Kind.DATE:
        return series.to_numpy().astype("datetime64[D]")
    if column.kind is Kind.TIMESTAMP:
        return series.to_numpy().astype("datetime64[us]")
    return series.to_numpy(dtype="float64", na_value=float("nan"))


def floats(column: Column, values: np.ndarray) -> np.ndarray:
    """Numbers, flags and times as floats, NaN where there is none. Times are days or microseconds from 1970.

    Args:
        column: which; no category.
        values: as features take them, shape (rows,).
    """
    unit = {Kind.DATE: "datetime64[D]", Kind.TIMESTAMP: "datetime64[us]"}.get(column.kind)
    return values if unit is None else np.where(np.isnat(values), np.nan, values.astype(unit).astype(np.int64))


def rows(contract: Contract, table: pd.DataFrame) -> list[dict[str, object]]:
    """Table rows as requests carry them: the inputs, dates as text, null where missing."""
    texts = {column.name: _requested(column, table[column.name]) for column in contract.inputs}
    return [dict(zip(texts, values, strict=True)) for values in zip(*texts.values(), strict=True)]


def in_parts(contract: Contract, table: pd.DataFrame) -> Iterator[tuple[int, list[dict[str, object]]]]:
    """The start of each part of a table, and its `rows`; those of the whole table may take gigabytes."""
    for start, part in _parts(contract, table):
        yield start, rows(contract, part)


def _parts(contract: Contract, table: pd.DataFrame) -> Iterator[tuple[int, pd.DataFrame]]:
    step = max(_CELLS // len(contract.inputs), 1)
    return ((start, table.iloc[start : start + step]) for start in range(0, len(table), step))


def requested(contract: Contract, table: pd.DataFrame) -> Table:
    """The inputs of a table as a caller would send them."""
    return tabular.table(table[[column.name for column in contract.inputs]])


def ask(predictor: "Predictor", table: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Ask a model for rows of a table as a caller would.

    Args:
        predictor: the model.
        table: silver rows.

    Returns:
        The places of the rows that got an answer, shape (answers,), and their scores, shape (answers, outputs).

    Raises:
        TableError: the model refuses every row.
    """
    places, scores = [], []
    refused: list[RowError] = []
    for start, part in _parts(predictor.contract, table):
        decoded = predictor.decode(requested(predictor.contract, part))
        refused += decoded.errors[:1]
        if decoded.positions:
            places.append(np.array(decoded.positions) + start)
            scores.append(predictor.scores(decoded.inputs))
    if not places:
        raise TableError(
            "The model refuses every row of the test split, "
            f"the first because {refused[0].column}: {refused[0].message}."
        )
    return np.concatenate(places), np.concatenate(scores)


def _requested(column: Column, series: pd.Series) -> list[object]:
    if column.kind is Kind.DATE:
        values: list[object] = list(series.dt.strftime("%Y-%m-%d"))
    elif column.kind is Kind.TIMESTAMP:
        values = [instant.isoformat() for instant in series.dt.to_pydatetime()]
    elif column.kind is Kind.INTEGER:
        values = [None if pd.isna(value) else int(value) for value in series]
    else:
        values = series.tolist()
    return [None if missing else value for value, missing in zip(values, series.isna(), strict=True)]
