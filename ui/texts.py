"""Formatting of values for people."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from ui.described import Column, Model

MISSING = "not given"


def number(value: float) -> str:
    """A number with its significant digits only: 2,086.18, 0.0332, 12."""
    if not math.isfinite(value):
        return str(value)
    size = abs(value)
    if size >= 100_000:
        return f"{value:,.0f}"
    if size >= 1 or value == 0:
        return _short(f"{value:,.2f}")
    return _short(f"{value:.3g}") if size >= 1e-4 else f"{value:.2e}"


def _short(text: str) -> str:
    """Drop the zeros of a whole number; other numbers keep two decimals, as prices do."""
    return text.removesuffix(".00")


def signed(value: float) -> str:
    """A difference, with its sign."""
    return f"+{number(value)}" if value > 0 else number(value).replace("-", "−")  # noqa: RUF001 a minus, as in print


def points(share: float) -> str:
    """A difference of probabilities in percentage points, with its sign."""
    return f"{100 * share:+.1f}".replace("-", "−")  # noqa: RUF001 a minus, as in print


def percent(share: float) -> str:
    """A probability or a share: 73.2 %; with more digits near 0 and 100 %."""
    if 0 < share < 0.001 or 0.999 < share < 1:
        return f"{100 * share:.2g} %" if share < 0.5 else f"{100 * share:.5g} %"
    return f"{100 * share:.1f} %"


def with_unit(value: float, unit: str | None) -> str:
    """A number and its unit."""
    return number(value) + after(unit)


def after(unit: str | None) -> str:
    """A unit as it stands after a number: " USD", " × 10,000 USD", or ""."""  # noqa: RUF002 times, as in print
    if not unit:
        return ""
    return f" × {unit}" if unit[0].isdigit() else f" {unit}"  # noqa: RUF001 as above


def of_column(column: Column, value: Any) -> str:
    """A value of a column: with its unit, yes or no for flags."""
    if value is None:
        return MISSING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        exact = f"{value:.15g}"  # unrounded, so that different values look different
        return exact + after(column.unit)
    return str(value)


def titled(warning: str, model: Model) -> str:
    """A warning of the service, "distance_km: ...", with its column's title in place of the name."""
    name, colon, rest = warning.partition(": ")
    return f"{model.title_of(name)}{colon}{rest}"


def allowed(column: Column) -> str:
    """The range of a column: "0 to 48 h", "0 USD or more", or ""."""
    unit = after(column.unit)
    if column.ge is not None and column.le is not None:
        return f"{_end(column, column.ge)} to {_end(column, column.le)}{unit}"
    if column.ge is not None:
        return f"{_end(column, column.ge)}{unit} or more"
    return f"{_end(column, column.le)}{unit} or less" if column.le is not None else ""


def usual(column: Column, deciles: Sequence[Any]) -> str:
    """Which values were usual in training: "in training mostly 8 to 65 h (80 %), 0 to 72 in all"."""
    if not deciles:
        return ""
    least, low, *_, high, most = (_end(column, decile) for decile in deciles)
    unit = after(column.unit)
    if (low, high) == (least, most):
        return f"in training {least} to {most}{unit}"
    return f"in training mostly {low} to {high}{unit} (80 %), {least} to {most} in all"


def _end(column: Column, value: Any) -> str:
    if isinstance(value, str):
        return value[:16].replace("T", " ")  # without the seconds
    if column.kind != "integer":
        return number(value)
    # a number without a unit may be a year
    return f"{value:,.0f}" if column.unit or abs(value) >= 10_000 else f"{value:.0f}"


def sentences(*parts: str) -> str:
    """Those of the parts that are not empty, one after the other, with a capital at the beginning."""
    text = "; ".join(part for part in parts if part)
    return text[:1].upper() + text[1:]


def reason(error: Mapping[str, Any]) -> str:
    """Why a value was refused, and what would not be."""
    expected = error.get("expected")
    return f"{error['message']}. Known: {', '.join(expected)}" if expected else str(error["message"])


def span(low: float | None, high: float | None, unit: str | None) -> str:
    """Numbers from `low` on and below `high`: "from 20 to 48 h", "below 20 h", "from 48 h on", or ""."""
    if low is not None and high is not None:
        return f"from {_bound(low)} to {_bound(high)}{after(unit)}"
    if low is not None:
        return f"from {_bound(low)}{after(unit)} on"
    return f"below {_bound(high)}{after(unit)}" if high is not None else ""


def _bound(value: float) -> str:
    """A number that divides others, of which nobody reads the decimals of thousands."""
    return f"{value:,.0f}" if abs(value) >= 1_000 else number(value)


def wait(seconds: float) -> str:
    """How long to wait, rounded up: "5 seconds", "34 minutes", "8 hours"."""
    for size, unit in ((3_600, "hour"), (60, "minute")):
        if seconds > size:
            return f"{math.ceil(seconds / size)} {unit}s"
    return f"{math.ceil(seconds)} second{'' if seconds == 1 else 's'}"
