"""Rows as the raw table writes them become rows of requests: its headers, and texts that the contract parses.

For callers who have a row of the table that a model was trained on, and not the names and forms of its contract.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from validation.contract import Column, Contract
from validation.names import normal
from validation.parsing import parsed_or_kept


def as_requested(contract: Contract, rows: Sequence[object]) -> list[object]:
    """Rows in the form of requests; what is no row or cannot be parsed stays as it is, to be refused by its place.

    Args:
        contract: of the model that is asked.
        rows: objects of cells by their headers, or by the columns' names where a row has no fewer of those. Texts are
            parsed as those of a table are; other cells are values already, and other headers are not sent.
    """
    named = {column.name: column for column in contract.inputs}
    headed = {column.source: column for column in contract.inputs}
    return [_row(named, headed, row) if isinstance(row, dict) else row for row in rows]


def _row(named: Mapping[str, Column], headed: Mapping[str, Column], row: dict[str, Any]) -> dict[str, Any]:
    cells = {normal(header): cell for header, cell in row.items()}
    columns = named if len(cells.keys() & named.keys()) >= len(cells.keys() & headed.keys()) else headed
    return {
        column.name: parsed_or_kept(column, cell) if isinstance(cell := cells[header], str) else cell
        for header, column in columns.items()
        if header in cells
    }
