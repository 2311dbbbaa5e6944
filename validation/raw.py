"""Rows as the raw table writes them become rows of requests: its headers, and texts that the contract parses.

For callers who have a row of the table that a model was trained on, and not the names and forms of its contract.
"""

import contextlib
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from validation.contract import Column, Contract
from validation.names import normal
from validation.parsing import parse_text, parsed_or_kept
from validation.values import InvalidValue, Reader, quoted

_LONGEST = 60
"""Longer texts are quoted in part, and no form of theirs is suggested."""


def as_requested(contract: Contract, rows: Sequence[object]) -> list[object]:
    """Rows in the form of requests; what is no row or cannot be parsed stays as it is, to be refused by its place.

    Args:
        contract: of the model that is asked.
        rows: objects of cells by their headers, or by the columns' names where a row has no fewer of those. Texts are
            parsed as those of a table are; other cells are values already, and other headers are not sent.

    Returns:
        A row each, or an InvalidValue in the place of one that has two cells for a column.
    """
    named = {column.name: column for column in contract.inputs}
    headed = {column.source: column for column in contract.inputs}
    return [_row(named, headed, row) if isinstance(row, dict) else row for row in rows]


def _row(
    named: Mapping[str, Column], headed: Mapping[str, Column], row: dict[str, Any]
) -> dict[str, Any] | InvalidValue:
    cells = {normal(header): cell for header, cell in row.items()}
    columns = named if len(cells.keys() & named.keys()) >= len(cells.keys() & headed.keys()) else headed
    if len(cells) < len(row) and (doubled := _doubled(columns, row)):
        return doubled
    return {
        column.name: parsed_or_kept(column, cell) if isinstance(cell := cells[header], str) else cell
        for header, column in columns.items()
        if header in cells
    }


def _doubled(columns: Mapping[str, Column], row: Mapping[str, object]) -> InvalidValue | None:
    """Why a row is refused two of whose headers are one column's; None if it has no such."""
    written: dict[str, str] = {}
    for header in row:
        first = written.setdefault(normal(header), header)
        if first is not header and normal(header) in columns:
            return InvalidValue(f"{quoted(first)} and {quoted(header)} are one header; send one of the two cells")
    return None


def hint(column: Column, read: Reader, value: object) -> str:
    """What a request should say in place of a text that raw tables have, for the end of a message.

    Args:
        column: whose value was refused.
        read: its reader.
        value: what was refused; the hint is empty where the column's `parse` makes nothing of it either.
    """
    if type(value) is not str or column.parse is None or len(value) > _LONGEST:
        return ""
    with contextlib.suppress(Exception):  # a problem's own `parse` may raise anything, and the row is refused already
        parsed = parse_text(column, value)
        if parsed != value and (column.nullable if parsed is None else read(parsed) is not None):
            right = msgspec.json.encode(parsed).decode()
            return f"; send {right}, or rows as the raw table writes them with ?raw=true"
    return ""
