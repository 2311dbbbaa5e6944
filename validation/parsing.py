"""How one raw text of a table becomes a value as requests carry it. Used by ingest only: requests are already clean."""

import contextlib
import datetime
import decimal
from collections.abc import Callable

from validation.contract import Column, Kind

ABSENT = frozenset({"", "na", "n/a", "nan", "null", "none"})
"""Texts that stand for a missing number or date. In a category only the empty text does: 'None' may be a name."""

_ISO = "%Y-%m-%d"
_FLAGS = {"true": True, "false": False, "yes": True, "no": False, "1": True, "0": False}


def dates(pattern: str) -> Callable[[str], str]:
    """A parser of dates in another format, as `datetime.strptime` writes formats, and in that of requests."""

    def parse(text: str) -> str:
        for known in (pattern, _ISO):
            with contextlib.suppress(ValueError):
                return datetime.datetime.strptime(text, known).date().isoformat()
        example = datetime.date(2023, 5, 31)
        raise ValueError(f"{text[:40]!r} is not a date like {example.strftime(pattern)} or {example.isoformat()}")

    return parse


def parse_text(column: Column, text: str) -> object:
    """The value that a raw text stands for, None where it stands for a missing one.

    Raises:
        ValueError: the text is not a value of this kind.
    """
    text = text.strip()
    if not text or (column.kind is not Kind.CATEGORY and text.lower() in ABSENT):
        return None
    if column.parse is not None:
        return column.parse(text)
    if column.kind in (Kind.REAL, Kind.INTEGER):
        return _number(text)
    if column.kind is Kind.FLAG:
        try:
            return _FLAGS[text.lower()]
        except KeyError:
            raise ValueError(f"{text[:40]!r} is neither true nor false") from None
    return text


def _number(text: str) -> float | int:
    try:
        return int(text) if text.lstrip("+-").isdigit() and len(text) < 20 else float(text.replace("_", "x"))
    except ValueError:
        raise ValueError(f"{text[:40]!r} is not a number") from None


def parse_typed(column: Column, value: object) -> object:
    """The request's form of a value that a typed file (Parquet) holds: dates as texts, decimals as numbers."""
    if isinstance(value, datetime.datetime) and column.kind is Kind.DATE and value.time() == datetime.time():
        return value.date().isoformat()
    if isinstance(value, decimal.Decimal):
        return float(value)
    return value.isoformat() if isinstance(value, datetime.date) else value
