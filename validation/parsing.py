"""How one cell of a raw table becomes a value as requests carry it. Requests themselves are clean, unless they say not.

A cell is a text, or where a typed file (Parquet) holds what the column holds, that: a number, a flag, a date. All else
of such a file comes as the text that a CSV file would have, so both formats are read in the same way.
"""

import contextlib
import datetime
import decimal
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from validation.contract import Column, Kind
from validation.errors import ContractError
from validation.names import Names, normal
from validation.numbers import Notation, Number, decimal_comma, decimal_point, plain
from validation.values import exact, quoted, reader

__all__ = [
    "ABSENT",
    "Flag",
    "dates",
    "decimal_comma",
    "decimal_point",
    "flag",
    "names",
    "number",
    "parse_text",
    "parse_typed",
    "parsed_or_kept",
    "timestamps",
]

ABSENT = frozenset({"", "na", "n/a", "nan", "null", "none"})
"""Texts that stand for a missing number or date. In a category only the empty text does: 'None' may be a name."""

_ISO = "%Y-%m-%d"
_FLAGS = {"true": True, "false": False, "yes": True, "no": False}


def dates(pattern: str) -> Callable[[str], str]:
    """A parser of dates in another format, as `datetime.strptime` writes formats, and in that of requests."""

    def parse(text: str) -> str:
        for known in (pattern, _ISO):
            with contextlib.suppress(ValueError):
                return datetime.datetime.strptime(text, known).date().isoformat()
        example = datetime.date(2023, 5, 31)
        raise ValueError(f"{text[:40]!r} is not a date like {example.strftime(pattern)} or {example.isoformat()}")

    return parse


def timestamps(pattern: str) -> Callable[[str], str]:
    """A parser of timestamps in another format, as `datetime.strptime` writes formats, and in that of requests."""

    def parse(text: str) -> str:
        with contextlib.suppress(ValueError):
            return datetime.datetime.strptime(text, pattern).isoformat()
        with contextlib.suppress(ValueError):
            return datetime.datetime.fromisoformat(text).isoformat()
        example = datetime.datetime(2023, 5, 31, 13, 45)
        raise ValueError(f"{text[:40]!r} is no timestamp like {example.strftime(pattern)} or {example.isoformat()}")

    return parse


def number(
    notation: Notation = decimal_point, *, unit: str = "", before: str = "", absent: Sequence[str] = ()
) -> Number:
    """A parser of numbers with a unit or a currency beside them, or with texts of the table's own for missing ones."""
    return Number(notation, unit, before, tuple(absent))


@dataclass(frozen=True)
class Flag:
    """The reader of flags that are written as two texts, in any case.

    Args:
        true: what stands for yes.
        false: what stands for no.
        absent: what stands for a missing flag, besides `ABSENT`.
    """

    true: str
    false: str
    absent: tuple[str, ...] = ()

    @cached_property
    def texts(self) -> dict[str, bool | None]:
        """What each text means, case folded."""
        return {
            self.true.casefold(): True,
            self.false.casefold(): False,
            **dict.fromkeys(map(str.casefold, self.absent)),
        }

    def __call__(self, text: str) -> bool | None:
        """The flag of a text, None where it is missing; raises ValueError if it is none."""
        try:
            return self.texts[text.casefold()]
        except KeyError:
            raise ValueError(f"{text[:40]!r} is neither {self.true!r} nor {self.false!r}") from None


def flag(*, true: str, false: str, absent: Sequence[str] = ()) -> Flag:
    """A parser of flags that are written as two texts, in any case."""
    return Flag(true, false, tuple(absent))


def names(*, absent: Sequence[str] = (), lower: bool = False) -> Names:
    """A parser of names, of which some stand for a missing one: "NA", "?"; in small letters if they differ by case."""
    return Names(tuple(absent), lower)


def parse_text(column: Column, text: str, notation: Notation = decimal_point) -> Any:
    """The value that a raw text stands for, None where it stands for a missing one.

    Args:
        column: whose text it is.
        text: as it stands in the table.
        notation: how the column's numbers are written, where the contract names no parser.

    Raises:
        ValueError: the text is not a value of this kind.
    """
    text = normal(text)
    if not text or (column.kind is not Kind.CATEGORY and text.lower() in ABSENT):
        return None
    if column.parse is not None:
        return column.parse(text)
    match column.kind:
        case Kind.REAL | Kind.INTEGER:
            return notation(text)
        case Kind.FLAG:
            return _flag(text)
        case Kind.TIMESTAMP if len(text) == len("2023-05-31"):  # how pandas writes a column of midnights
            return f"{text}T00:00:00"
    return text


def parsed_or_kept(column: Column, text: str) -> Any:
    """The value that a raw text stands for, or a text that is none of its kind as it is: the decoder refuses that."""
    try:
        return parse_text(column, text)
    except ValueError:
        return text


def _flag(text: str) -> bool:
    with contextlib.suppress(ValueError):
        if (number := plain(text)) in (0, 1):
            return bool(number)
    try:
        return _FLAGS[text.lower()]
    except KeyError:
        raise ValueError(f"{text[:40]!r} is neither true nor false") from None


def parse_typed(column: Column, cell: object) -> Any:
    """The request's form of a number, flag or date that a typed file holds in a column of such; None if it is missing.

    Raises:
        ValueError: it is not a value of this column: a time of day in a column of dates.
        ContractError: the column's own `parse` reads it as another value.
    """
    value = _plain(column, cell)
    if column.parse is None or value is None or isinstance(column.parse, Notation | Number):
        return value
    with contextlib.suppress(ValueError):
        parsed, read = column.parse(str(value)), reader(column)
        if parsed != value and read(parsed) != read(value):
            raise ContractError(
                f"The file has the {column.kind} {quoted(value)} in '{column.name}', which the column's `parse` reads "
                f"as {quoted(parsed)}. Leave `parse` out for this file, or bring the column as text."
            )
    return value


def _plain(column: Column, cell: object) -> Any:
    if cell is None:
        return None
    if isinstance(cell, datetime.datetime):
        midnight = column.kind is Kind.DATE and cell.time() == datetime.time()
        return cell.date().isoformat() if midnight else cell.isoformat()
    if isinstance(cell, datetime.date):
        return cell.isoformat() + ("T00:00:00" if column.kind is Kind.TIMESTAMP else "")
    if isinstance(cell, decimal.Decimal):
        return exact(cell)
    return cell
