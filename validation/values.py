"""One value of one column: the single place that decides whether it satisfies the contract.

The request decoder calls these readers on every value; the pandera gates call them wherever a column is not
already a typed array, and for their messages. So both give one verdict, in the same words.
"""

import contextlib
import datetime
import decimal
import functools
import math
import sys
from collections.abc import Callable, Collection

from validation.contract import Column, Kind, Unseen
from validation.names import Names, normal

Value = float | int | str | None
Reader = Callable[[object], Value]

LARGEST_INTEGER = 2**53
"""Integers beyond this have no exact double, so they would not be the same number on every transport."""
LONGEST_TEXT = 1_000
BELOW, ABOVE = "is below the minimum of", "is above the maximum of"
"""How a number out of bounds is told."""
_EPOCH = datetime.date(1970, 1, 1).toordinal()
_EPOCH_INSTANT = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
_FIRST_DAY = datetime.datetime(1970, 1, 1)
_MIDNIGHT = datetime.time()
_MICROSECOND = datetime.timedelta(microseconds=1)
_FIRST_INSTANT = (datetime.datetime.min.replace(tzinfo=datetime.UTC) - _EPOCH_INSTANT) // _MICROSECOND
_LAST_INSTANT = (datetime.datetime.max.replace(tzinfo=datetime.UTC) - _EPOCH_INSTANT) // _MICROSECOND


class InvalidValue(ValueError):
    """A value that its column cannot hold; the text says why."""


def quoted(value: object) -> str:
    """`value` as messages quote it, at most 60 characters."""
    try:
        text = repr(value)
    except ValueError:  # an integer of more than 4,300 digits has no decimal text in Python
        return "an enormous integer"
    return text if len(text) <= 60 else f"{text[:57]}…{text[-1]}"


def _within(column: Column, value: float) -> float:
    unit = f" {column.unit}" if column.unit else ""
    if column.ge is not None and value < column.ge:
        raise InvalidValue(f"{value:.15g} {BELOW} {column.ge:.15g}{unit}")
    if column.le is not None and value > column.le:
        raise InvalidValue(f"{value:.15g} {ABOVE} {column.le:.15g}{unit}")
    return value


def _real(column: Column) -> Reader:
    least = max(-sys.float_info.max if column.ge is None else column.ge, -sys.float_info.max)
    most = min(sys.float_info.max if column.le is None else column.le, sys.float_info.max)

    def read(value: object) -> float:
        if type(value) is not float and type(value) is not int:
            raise InvalidValue(f"{quoted(value)} is not a number")
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
        if least <= number <= most:  # as nearly all are
            return number
        if not math.isfinite(number):
            raise InvalidValue(f"{quoted(value)} is not a finite number")
        return _within(column, number)

    return read


def _integer(column: Column) -> Reader:
    def read(value: object) -> float:
        if type(value) is int:
            number = value
        elif type(value) is float and value.is_integer():
            number = int(value)
        else:
            raise InvalidValue(f"{quoted(value)} is not an integer")
        if abs(number) > LARGEST_INTEGER:
            raise InvalidValue(f"{quoted(value)} is beyond ±2^53, where integers stop being exact")
        return _within(column, float(number))

    return read


def _read_flag(value: object) -> float:
    if type(value) is not bool:
        raise InvalidValue(f"{quoted(value)} is neither true nor false")
    return float(value)


def _text(value: object) -> str:
    if type(value) is not str:
        raise InvalidValue(f"{quoted(value)} is not a string")
    if len(value) > LONGEST_TEXT:
        raise InvalidValue(f"a string of {len(value)} characters is too long; at most {LONGEST_TEXT}")
    text = normal(value)
    if not text:
        raise InvalidValue("an empty string says nothing; send null where a value is missing")
    return text


def _category(column: Column, choices: Collection[str] | None) -> Reader:
    noun = column.title
    article = "an" if noun[0].lower() in "aeiou" else "a"
    lets_pass = column.when_unseen(len(choices or ())) is Unseen.WARN
    in_any_case = isinstance(column.parse, Names) and column.parse.lower

    def read(value: object) -> str | None:
        if choices is not None and type(value) is str and value in choices:
            return value
        text = _text(value)  # only names that are not there as they are written cost this
        if choices is None or text in choices:
            return text
        if in_any_case and (folded := text.casefold()) in choices:
            return folded
        if lets_pass:
            return None
        raise InvalidValue(f"{quoted(value)} is not {article} {noun} that the model knows")

    return read


@functools.lru_cache(maxsize=10_000)  # a table has few different days, and a look costs a quarter
def _day(text: str) -> int | None:
    """Days since 1970 of a text of ten characters; None if it is not YYYY-MM-DD."""
    if text[4] == text[7] == "-":  # fromisoformat alone would also take 20240131 and 2024-W05-3
        with contextlib.suppress(ValueError):
            return datetime.date.fromisoformat(text).toordinal() - _EPOCH
    return None


def _read_date(value: object) -> int:
    if type(value) is str and len(value) == 10:
        day = _day(value)
        if day is not None:
            return day
    moment = _moment(value)  # pandas writes and holds days as their midnights
    if moment is None:
        raise InvalidValue(f"{quoted(value)} is not a date; dates are written YYYY-MM-DD{_epoch_hint(value)}")
    if moment.time() != _MIDNIGHT:
        raise InvalidValue(f"{quoted(value)} has a time of day; dates are written YYYY-MM-DD")
    return moment.toordinal() - _EPOCH


def _read_timestamp(value: object) -> int:
    moment = _moment(value)
    if moment is None:
        hint = _epoch_hint(value)
        raise InvalidValue(f"{quoted(value)} is not a timestamp; timestamps are written YYYY-MM-DDThh:mm:ss{hint}")
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=datetime.UTC)
    instant = (moment - _EPOCH_INSTANT) // _MICROSECOND
    if not _FIRST_INSTANT <= instant <= _LAST_INSTANT:  # an offset can lead out of the calendar
        raise InvalidValue(f"{quoted(value)} is not within the years 1 to 9999 of UTC")
    return instant


def _moment(value: object) -> datetime.datetime | None:
    """A text in ISO 8601 with a time of day, or what Python and pandas hold in its place, as it is written."""
    if isinstance(value, datetime.datetime):
        return value if value == value else None  # pandas' NaT is a datetime, and unlike itself  # noqa: PLR0124
    if isinstance(value, datetime.date):
        return datetime.datetime.combine(value, _MIDNIGHT)
    if type(value) is str and len(value) >= 19 and value[4] == value[7] == "-" and value[10] in "Tt ":
        with contextlib.suppress(ValueError, OverflowError):
            return datetime.datetime.fromisoformat(value)
    return None


def _epoch_hint(value: object) -> str:
    """A hint for a number, as which pandas writes times to JSON by default; empty for other values."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return '. A number counts from 1970: pandas writes text with to_json(date_format="iso")' if number else ""


def written(kind: Kind, value: float) -> str:
    """A number or time, as its reader gives it, as requests write it."""
    if kind is Kind.DATE:
        return (_FIRST_DAY + datetime.timedelta(days=value)).date().isoformat()
    if kind is Kind.TIMESTAMP:
        return (_FIRST_DAY + datetime.timedelta(microseconds=value)).isoformat(timespec="seconds")
    return f"{value:.15g}"


def exact(value: decimal.Decimal) -> float | int:
    """A decimal as JSON would have brought it: a whole number as an integer, another as a double."""
    whole = value.is_finite() and value == value.to_integral_value()
    return int(value) if whole else float(value)


def reader(column: Column, choices: Collection[str] | None = None) -> Reader:
    """The function that reads one non-null value of `column`.

    Args:
        column: whose values to read.
        choices: the values of a category, learned or declared; None where they are not known yet.

    Returns:
        A function from a JSON value to a float (numbers, flags), a text (None: a category's unseen value that the
        column lets pass), days since 1970 (dates) or microseconds since 1970 in UTC (timestamps). It raises
        InvalidValue.
    """
    match column.kind:
        case Kind.CATEGORY:
            return _category(column, choices if choices is not None else column.choices)
        case Kind.INTEGER:
            return _integer(column)
        case Kind.REAL:
            return _real(column)
        case Kind.FLAG:
            return _read_flag
        case Kind.DATE:
            return _read_date
        case Kind.TIMESTAMP:
            return _read_timestamp
