"""Pandera schemas rendered from the contract: what a table must be at bronze, silver and gold.

Pandera coerces nothing here (its `coerce=True` would turn 30.5 into 30), and every value that is not already in a
typed array is judged by the reader that requests go through, so a gate and the decoder give one verdict.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pandera.pandas as pa
from pandas.api import types

from model.tabular import STORED
from validation.contract import Column, Contract, Kind, Role
from validation.values import LARGEST_INTEGER, InvalidValue, Reader, reader

Vocabularies = Mapping[str, Collection[str]]
UNREADABLE = "_unreadable"
"""The bronze column that says which cells of a row could not be read, if any: a JSON object of reasons by column."""
LABELLED = "_labelled"
"""The column of bronze and silver, where there are labelled rows: the place of each among them, the oldest first."""
MISSING = "is missing"


def bronze(contract: Contract) -> pa.DataFrameSchema:
    """A parsed table: every column there, in its storage type, anything may be missing."""
    columns = {
        column.name: pa.Column(STORED.get(column.kind, "str"), nullable=True)
        for column in contract.columns
        if column.role is not Role.FORBIDDEN
    }
    columns[UNREADABLE] = pa.Column("str", nullable=True)
    columns[LABELLED] = pa.Column("float64", nullable=True, required=False)
    return pa.DataFrameSchema(columns, strict=True, index=pa.Index("int64", unique=True), name="bronze")


def silver(contract: Contract, vocabularies: Vocabularies | None = None) -> pa.DataFrameSchema:
    """A table that satisfies the contract.

    Args:
        contract: what a row is.
        vocabularies: the categories' values where they are known; training learns them behind this gate.
    """
    columns = {
        column.name: _render(column, (vocabularies or {}).get(column.name))
        for column in contract.columns
        if column.role is not Role.FORBIDDEN
    }
    return pa.DataFrameSchema(columns, strict=True, name="silver")


def requests(contract: Contract, vocabularies: Vocabularies) -> pa.DataFrameSchema:
    """Rows as callers send them: the inputs, keys if they like, nothing else."""
    inputs = {column.name: _render(column, vocabularies.get(column.name)) for column in contract.inputs}
    for column in contract.inputs:
        inputs[column.name].required = not column.nullable
    keys = {column.name: _render(column, None) for column in contract.keys}
    for key in keys.values():
        key.required = False
    return pa.DataFrameSchema({**inputs, **keys}, strict=True, name="requests")


def gold(features: Sequence[str], nullable: Collection[str]) -> pa.DataFrameSchema:
    """The model matrix: float64 throughout, NaN only in the features named in `nullable`."""
    finite = pa.Check(np.isfinite, name="finite", error="is infinite")
    columns = {name: pa.Column("float64", checks=finite, nullable=name in nullable) for name in features}
    return pa.DataFrameSchema(columns, strict=True, ordered=True, name="gold")


def failures(contract: Contract, errors: pa.errors.SchemaErrors) -> pd.DataFrame:
    """Why rows failed a silver gate.

    Args:
        contract: what the gate was rendered from.
        errors: what `validate(…, lazy=True)` raised.

    Returns:
        A line for each cell that failed: `row` by the table's index, `column`, and `reason`.
    """
    columns = {column.name: column for column in contract.columns}
    cases = errors.failure_cases
    cases = cases[cases["index"].notna() & cases["column"].isin(columns)]
    reasons = [_reason(columns[case.column], case.failure_case) for case in cases.itertuples()]
    lines = pd.DataFrame({"row": cases["index"].astype("int64"), "column": cases["column"], "reason": reasons})
    return lines.drop_duplicates(ignore_index=True)


def _reason(column: Column, value: Any) -> str:
    if pd.isna(value):
        return MISSING
    try:
        reader(column)(_plain(value))
    except InvalidValue as error:
        return str(error)
    return "is not one of the choices"


def _render(column: Column, choices: Collection[str] | None) -> pa.Column:
    def satisfies(series: pd.Series) -> pd.Series:
        return pd.Series(_verdicts(column, choices, series), index=series.index, dtype=bool)

    check = pa.Check(satisfies, name=column.kind.value, error=f"is not a valid {column.kind.value}")
    return pa.Column(checks=check, nullable=column.nullable)


def _verdicts(column: Column, choices: Collection[str] | None, series: pd.Series) -> np.ndarray:
    """For each non-null value whether the contract allows it."""
    kind = column.kind
    numeric = types.is_float_dtype(series.dtype) or types.is_integer_dtype(series.dtype)
    if kind in (Kind.REAL, Kind.INTEGER) and numeric:
        return _numbers(column, series.to_numpy())
    if kind in (Kind.DATE, Kind.TIMESTAMP) and types.is_datetime64_any_dtype(series.dtype):
        return np.ones(len(series), dtype=bool)
    read = reader(column, choices)
    verdicts = {value: _passes(read, value) for value in series.unique()} if kind is Kind.CATEGORY else None
    if verdicts is not None and all(type(value) is str for value in verdicts):
        return series.map(verdicts).to_numpy(dtype=bool)
    return np.array([_passes(read, value) for value in series], dtype=bool)


def _numbers(column: Column, numbers: np.ndarray) -> np.ndarray:
    good = np.isfinite(numbers)
    if column.kind is Kind.INTEGER:
        good &= (numbers == np.floor(numbers)) & (np.abs(numbers) <= LARGEST_INTEGER)
    if column.ge is not None:
        good &= numbers >= column.ge
    if column.le is not None:
        good &= numbers <= column.le
    return np.asarray(good)


def _plain(value: object) -> object:
    return value.item() if isinstance(value, np.generic) else value


def _passes(read: Reader, value: object) -> bool:
    try:
        read(_plain(value))
    except InvalidValue:
        return False
    return True
