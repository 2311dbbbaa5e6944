"""Labelled rows join the table: answered rows whose true values have come, see `training.data.beside`.

They are newer than the table: what came last is what a retrained model is judged by, see `training.data.split.newest`.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from model.tabular import STORED
from problems.base import Problem
from training.data import copies, gates
from training.workspace import counted, say
from validation.contract import Column, Contract, Role
from validation.errors import TableError


def count(path: Path) -> int:
    """The rows of a Parquet file; raises TableError if it is none."""
    try:
        return int(pq.read_metadata(path).num_rows)
    except (OSError, pa.ArrowException) as error:
        raise TableError(f"{path} is no Parquet file: {error}.") from error


def in_clean_form(contract: Contract, path: Path) -> Contract:
    """The contract of a file of labelled rows: headers are its names, and values are what requests carry.

    Columns that may be missing, and keys, may be left out of the file.
    """
    there = set(pq.read_schema(path).names)
    columns = (replace(column, source=column.name, parse=None) for column in _stored(contract))
    optional = {column.name for column in contract.columns if column.nullable or column.role is Role.KEY}
    return Contract(tuple(column for column in columns if column.name in there or column.name not in optional))


def joined(contract: Contract, table: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    """A table with labelled rows behind it; `gates.LABELLED` has their places, which a row of the table has none of.

    A row that is in both stays once, in the table, with the place of the labelled one. Rows with equal inputs, target
    and keys are the same row; where a labelled row's keys are unknown, those with equal inputs and target are, one for
    one.

    Args:
        contract: whose columns they have.
        table: bronze rows.
        rows: the same of a file `in_clean_form`.
    """
    names = [column.name for column in (*contract.inputs, contract.target)]
    keys = [column.name for column in contract.keys]
    for column in _stored(contract):
        if column.name not in rows:
            rows[column.name] = pd.Series(None, index=rows.index, dtype=STORED.get(column.kind, "str"))
    known = rows[keys].notna().all(axis=1) & bool(keys)
    first = 0 if table.empty else int(table.index.max()) + 1
    rows = rows.set_axis(pd.RangeIndex(first, first + len(rows)))
    rows = rows.assign(**{gates.LABELLED: np.arange(len(rows), dtype=float)})
    known = known.set_axis(rows.index)
    again = rows[known].duplicated([*names, *keys])
    rows = rows.drop(index=again.index[again])
    known = known[rows.index]
    found = pd.concat(
        [copies.twins(table, rows[known], [*names, *keys]), copies.twins(table, rows[~known], names)]
    ).drop_duplicates()
    table = table.assign(**{gates.LABELLED: np.nan})
    table.loc[found.to_numpy(), gates.LABELLED] = rows.loc[found.index, gates.LABELLED].to_numpy()
    if len(found):
        say("ingest", f"{counted(len(found), 'labelled row')} in the table too, counted once")
    both: pd.DataFrame = pd.concat([table, rows.drop(index=found.index)[list(table)]])
    return both


def of(silver: pd.DataFrame) -> pd.Series:
    """Which rows are labelled ones; none of a table without."""
    if gates.LABELLED not in silver:
        return pd.Series(False, index=silver.index)
    return silver[gates.LABELLED].notna()


def arrival(problem: Problem, silver: pd.DataFrame) -> pd.Series:
    """The place of each labelled row; copies have that of the first, so that none is judged by its twin."""
    inputs = [column.name for column in problem.contract.inputs]
    rows = copies.hashes(silver, inputs, problem.contract.target.name)
    same = copies.identities(rows, copies.together(silver, inputs))
    first: pd.Series = silver[gates.LABELLED].groupby(same).transform("min")
    return first


def _stored(contract: Contract) -> list[Column]:
    """The columns of bronze."""
    return [column for column in contract.columns if column.role is not Role.FORBIDDEN]
