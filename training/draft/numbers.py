"""Numbers in texts: how they are written, what stands beside them, and whether all of them are whole."""

import contextlib
import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from training.draft.evidence import Evidence
from training.draft.found import MISSING, Doubt, Found, Parser
from training.draft.literals import literal
from training.workspace import counted
from validation.contract import Kind
from validation.numbers import Ambiguous, Notation, Number, decimal_comma, decimal_point, has_decimals, notation
from validation.parsing import ABSENT
from validation.values import LARGEST_INTEGER

_BESIDE = re.compile(
    r"[+-]?(?P<before>[^\d+\-.,()'\s]{0,4})\s?(?P<number>[+-]?(?:\d[\d.,'\u2019 ]*\d|\d|[.,]\d+)[.,]?(?:[eE][+-]?\d+)?)"
    r"\s?(?P<unit>[^\d\s.,+\-:/_'][^\d:]{0,11})?"
)
_LEADING_ZERO = re.compile(r"0[0-9]+")
_UNITS = {"€": "EUR", "$": "USD", "£": "GBP", "US$": "USD", "R$": "BRL", "₺": "TRY", "₹": "INR", "¥": "JPY"}
_BEFORE = {*map(str.casefold, _UNITS), *["a$", "c$", "chf", "eur", "usd", "gbp", "try", "rs", "kr", "₽", "~", "ca"]}
_USUAL = {
    *_BEFORE,
    *("%", "°", "°c", "°f", "m²", "m³", "ft²", "m", "km", "cm", "mm", "mi", "ft", "in", "ha", "px"),
    *("kg", "g", "mg", "lb", "t", "l", "ml", "h", "min", "s", "ms", "kwh", "kw", "w", "v", "hz", "mb", "gb", "kb"),
}
_MOST_STRAYS = 3
STRAY_SHARE = 0.01
"""The share of rows without a number that a column of numbers may have; they go to quarantine."""
_TELLING = 20_000


@dataclass(frozen=True)
class _Written:
    """How the texts of a column write numbers, and which of them are none."""

    way: Notation
    certain: bool
    unit: str
    before: str
    strays: list[int]
    usual: Notation | None


def find(evidence: Evidence, usual: Notation | None = None) -> Found | None:
    """The numbers of a column of texts; None if it holds something else.

    Args:
        evidence: the column.
        usual: how the table's other columns write numbers, for those that may be written in two ways.
    """
    texts = evidence.texts
    absent = np.array([text.lower() in ABSENT for text in texts], dtype=bool)
    plain = _plain(texts, absent)
    if plain is not None and not any(map(_LEADING_ZERO.fullmatch, texts)):
        return _settled(evidence, texts, absent, plain, usual)
    written = _written(evidence, texts, absent, usual)
    if written is None:
        return None
    strays = np.zeros(len(texts), dtype=bool)
    strays[written.strays] = True
    return _beside(evidence, texts, absent, strays, written)


def typed(evidence: Evidence) -> Found:
    """The numbers of a typed file's column."""
    values = np.array([float(cell) for cell in evidence.cells], dtype=np.float64)  # type: ignore[arg-type]  # numbers
    whole = bool(np.all(values == np.floor(values))) and bool(np.all(np.abs(values) <= LARGEST_INTEGER))
    has_missing = bool((evidence.codes < 0).any())
    is_integer = whole and (evidence.kind is Kind.INTEGER or has_missing)
    endless = infinite(evidence)
    doubts = (Doubt(6, f"{counted(endless, 'row')} with an infinite number go to quarantine"),) if endless else ()
    return Found(Kind.INTEGER if is_integer else Kind.REAL, values, ~np.isfinite(values), doubts=doubts)


def infinite(evidence: Evidence) -> int:
    """How many rows of a typed file's column have an infinite number."""
    if evidence.kind not in (Kind.INTEGER, Kind.REAL):
        return 0
    endless = [isinstance(cell, float) and math.isinf(cell) for cell in evidence.cells]
    return evidence.rows_of(np.array(endless, dtype=bool))


def _plain(texts: Sequence[str], absent: np.ndarray) -> np.ndarray | None:
    """Numbers as Python writes them; None if a text is none."""
    try:
        numbers = [np.nan if gone else float(text) for text, gone in zip(texts, absent, strict=True)]
    except ValueError:
        return None
    values = np.array(numbers, dtype=np.float64)
    odd = any("_" in text for text in texts) or not np.isfinite(values[~absent]).all()
    return None if odd or absent.all() else values


def _settled(
    evidence: Evidence, texts: Sequence[str], absent: np.ndarray, values: np.ndarray, usual: Notation | None
) -> Found | None:
    """A column of plain numbers; its notation may still be in doubt: 45.485."""
    numbers = [text for text, gone in zip(texts, absent, strict=True) if not gone]
    kind = _kind(evidence, numbers, values[~absent])
    if kind is None:
        return None
    if kind is Kind.INTEGER or not _is_ambiguous(numbers):
        return Found(kind, values, absent)
    way = usual or decimal_point
    values = np.array([np.nan if gone else way(text) for text, gone in zip(texts, absent, strict=True)])
    example, value = next((text, way(text)) for text in numbers if "." in text or "," in text)
    kind = Kind.INTEGER if bool(np.all(values[~absent] == np.floor(values[~absent]))) else Kind.REAL
    parser = Parser(way, way.name, (way.name,))
    return Found(kind, values, absent, parser, doubts=(_doubted(example, value, way, usual),), undecided=True)


def _doubted(example: str, value: float, way: Notation, usual: Notation | None) -> Doubt:
    """What to say of numbers that may be written in two ways."""
    other = decimal_point if way is decimal_comma else decimal_comma
    why = ", as the table's other columns write numbers" if usual is not None else ""
    return Doubt(
        5 if usual is not None else 8,
        f"{example!r} is read as {value:g}{why}; if that is wrong, its notation is `{other.name}`",
    )


def _is_ambiguous(numbers: Sequence[str]) -> bool:
    if any(map(has_decimals, numbers)):  # they are plain, so none of them has a comma
        return False
    with contextlib.suppress(Ambiguous):
        notation(numbers, whole=False)
        return False
    return True


def _kind(evidence: Evidence, numbers: Sequence[str], values: np.ndarray) -> Kind | None:
    """Integer or real; None for names made of digits, and for integers that no double holds."""
    if not bool(np.all(values == np.floor(values))):
        return Kind.REAL
    if np.abs(values).max() > LARGEST_INTEGER:
        return None if all(text.lstrip("+-").isdigit() for text in numbers) else Kind.REAL
    if any("." in text or "," in text for text in numbers):
        has_missing = bool((evidence.codes < 0).any())
        return Kind.INTEGER if has_missing and all(text.endswith(".0") for text in numbers) else Kind.REAL
    return Kind.INTEGER


def _written(evidence: Evidence, texts: Sequence[str], absent: np.ndarray, usual: Notation | None) -> _Written | None:
    """How a column writes numbers that are not plain; None if too many of its texts are none."""
    matches = [None if gone else _BESIDE.fullmatch(text) for text, gone in zip(texts, absent, strict=True)]
    beside: Counter[tuple[str, str]] = Counter()
    for match, rows in zip(matches, evidence.counts.tolist(), strict=True):
        if match is not None:
            beside[match["before"] or "", (match["unit"] or "").rstrip().casefold()] += rows
    named = [pair for pair, _ in beside.most_common() if pair != ("", "")]
    before, unit = named[0] if named else ("", "")
    if before and before.casefold() not in _BEFORE:
        if beside[before, unit] > STRAY_SHARE * evidence.rows:  # "room 5" is a name
            return None
        before, unit = "", ""
    good = [
        place
        for place, match in enumerate(matches)
        if match is not None
        and (match["before"] or "", (match["unit"] or "").rstrip().casefold()) in {("", ""), (before, unit)}
    ]
    strays = sorted(set(np.flatnonzero(~absent).tolist()) - set(good))
    bodies = [match["number"] for place in good if (match := matches[place]) is not None]
    if not bodies or any(map(_LEADING_ZERO.fullmatch, bodies)):
        return None
    if not _few(evidence, strays, len(good)):
        return None
    written = next((match["unit"].rstrip() for match in matches if match is not None and match["unit"]), "")
    way, certain = _way(bodies)
    return _Written(way if certain or usual is None else usual, certain, unit and written, before, strays, usual)


def _marks(evidence: Evidence, strays: Sequence[int]) -> list[int]:
    """Of texts that are no numbers those that stand for a missing one: all of few, else those of many rows."""
    if len(strays) <= _MOST_STRAYS:
        return list(strays)
    least = STRAY_SHARE * evidence.rows
    often = [place for place in strays if evidence.texts[place] in MISSING or evidence.counts[place] > least]
    return often if len(often) <= _MOST_STRAYS else []


def _few(evidence: Evidence, strays: Sequence[int], good: int) -> bool:
    """Whether texts that are no numbers are few: few texts beside many numbers, and few rows besides."""
    marks = _marks(evidence, strays)
    rows, others = (int(evidence.counts[places].sum()) for places in (list(strays), sorted(set(strays) - set(marks))))
    if all(evidence.texts[place] in MISSING for place in strays) or rows <= STRAY_SHARE * evidence.rows:
        return good >= len(strays)
    few = others <= STRAY_SHARE * evidence.rows and good >= 10 * len(marks) and good >= len(strays)
    return few and rows <= evidence.rows / 2


def _way(bodies: Sequence[str]) -> tuple[Notation, bool]:
    """The notation of numbers, and whether anything decides it; the first thousands of them mostly do."""
    bodies = [body.strip() for body in bodies]
    with contextlib.suppress(Ambiguous):
        return notation(bodies[:_TELLING], whole=False), True
    try:
        return notation(bodies, whole=False), True
    except Ambiguous:
        fails = {way.name: sum(_fails(way, body) for body in bodies) for way in (decimal_point, decimal_comma)}
        comma = fails["decimal_comma"] < fails["decimal_point"]
        return (decimal_comma if comma else decimal_point), False


def _fails(way: Notation, text: str) -> bool:
    try:
        way(text)
    except ValueError:
        return True
    return False


def _beside(
    evidence: Evidence, texts: Sequence[str], absent: np.ndarray, strays: np.ndarray, written: _Written
) -> Found | None:
    """A column of numbers with something beside them, or with a few texts between."""
    marks = _marks(evidence, np.flatnonzero(strays).tolist())
    own = tuple(texts[place] for place in marks)
    strays[marks] = False
    read = Number(written.way, written.unit, written.before, own)
    values = np.array([_value(read, text, gone) for text, gone in zip(texts, absent, strict=True)], dtype=np.float64)
    missing = ~np.isfinite(values)
    unread = missing & ~absent & ~strays
    unread[marks] = False
    if missing.all() or evidence.rows_of(unread) > STRAY_SHARE * evidence.rows:
        return None
    doubts = []
    if own:
        listed = " and ".join(map(repr, own))
        doubts.append(Doubt(5, f"{listed} is taken for a missing number; if it is a value, this is a category"))
    if (strays | unread).any():
        lost = strays | unread
        example = texts[int(np.flatnonzero(lost)[0])]
        doubts.append(
            Doubt(6, f"{evidence.rows_of(lost):,} rows have no number, as {example!r}: they go to quarantine")
        )
    if written.unit and written.unit.casefold() not in _USUAL:
        doubts.append(Doubt(3, f"{written.unit!r} behind its numbers is taken for their unit"))
    if not written.certain:
        place = next(place for place in np.flatnonzero(~missing).tolist() if "." in texts[place] or "," in texts[place])
        doubts.append(_doubted(texts[place], float(values[place]), written.way, written.usual))
    numbers = values[~missing]
    whole = bool(np.all(numbers == np.floor(numbers))) and not written.unit and not written.before
    unit = _UNITS.get(written.unit or written.before, written.unit or written.before) or None
    kind, undecided = Kind.INTEGER if whole else Kind.REAL, not written.certain
    return Found(kind, values, missing, _parser(read), unit, tuple(doubts), undecided)


def _value(read: Number, text: str, gone: bool) -> float:
    try:
        value = None if gone else read(text)
    except ValueError:
        value = None
    return np.nan if value is None else float(value)


def _parser(read: Number) -> Parser | None:
    ways = () if read.notation is decimal_point else (read.notation.name,)
    beside = [f"{name}={literal(getattr(read, name))}" for name in ("unit", "before", "absent") if getattr(read, name)]
    if not beside:
        return Parser(read.notation, read.notation.name, (read.notation.name,))
    return Parser(read, f"number({', '.join((*ways, *beside))})", ("number", *ways))
