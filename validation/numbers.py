"""How numbers are written in raw tables: with a decimal point (1,250.5) or with a decimal comma (1.250,5).

A text like 45.485 may be either, so the column decides: by those of its numbers that can be read in one way only.
"""

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, field

_CERTAIN = 100
"""Where one notation has this many times the numbers of the other, those of the other are mistakes."""
_DECIMALS = re.compile(r"[+-]?(?:[0-9]*\.(?:[0-9]{1,2}|[0-9]{4,})|0?\.[0-9]+)")
_EITHER = re.compile(r"[+-]?[1-9][0-9]{0,2}[.,][0-9]{3}")
"""Three digits might be a group."""
_SIGN, _POWER = "[+-]?", "(?:[eE][+-]?[0-9]+)?"
_BLANK_OR_APOSTROPHE = r"[1-9][0-9]{0,2}(?:(?: [0-9]{3})+|(?:['\u2019][0-9]{3})+)"


@dataclass(frozen=True)
class Notation:
    """One way to write numbers, and their reader. Groups of digits may also be parted by blanks or apostrophes.

    Args:
        name: what contracts call it.
        mark: between the whole number and its decimals.
        groups: a pattern of whole numbers whose digits stand in groups.
        example: for messages.
    """

    name: str
    mark: str
    groups: str
    example: str
    _grouped: re.Pattern[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        whole = rf"(?:{self.groups}|{_BLANK_OR_APOSTROPHE}|[0-9]+)"
        decimals = rf"(?:{re.escape(self.mark)}[0-9]*)?"
        number = rf"{_SIGN}(?:{whole}{decimals}|{re.escape(self.mark)}[0-9]+){_POWER}"
        object.__setattr__(self, "_grouped", re.compile(number))

    def __call__(self, text: str) -> float | int:
        """The number that a text stands for; raises ValueError if it is none in this notation."""
        if self._grouped.fullmatch(text):
            text = re.sub(rf"[ '\u2019{',' if self.mark == '.' else '.'}]", "", text).replace(self.mark, ".")
        elif "." in text or "," in text:
            raise ValueError(f"{text[:40]!r} is not a number like {self.example}")
        return plain(text)


decimal_point = Notation(
    "decimal_point", ".", r"[1-9][0-9]{0,2}(?:,[0-9]{3})+|[1-9][0-9]?(?:,[0-9]{2})+,[0-9]{3}", "1,250.5"
)
"""1250.5, 1,250.5, 1'250.5, 1 250.5, and India's 12,50,000."""
decimal_comma = Notation("decimal_comma", ",", r"[1-9][0-9]{0,2}(?:\.[0-9]{3})+", "1.250,5")
"""1250,5, 1.250,5, 1'250,5, 1 250,5."""


@dataclass(frozen=True)
class Number:
    """The reader of numbers that stand beside a unit or a currency, which a number may lack.

    Args:
        notation: how the numbers are written.
        unit: what follows them, in any case: "m²", "%", "€".
        before: what precedes them: "$", "approx.".
        absent: texts that stand for a missing number, besides those of `parsing.ABSENT`.
    """

    notation: Notation = decimal_point
    unit: str = ""
    before: str = ""
    absent: tuple[str, ...] = ()

    def __call__(self, text: str) -> float | int | None:
        """The number of a text, None where it is missing; raises ValueError if it is none."""
        if text in self.absent:
            return None
        sign, bare = (text[0], text[1:]) if text[:1] in ("+", "-") else ("", text)
        if self.before and bare.casefold().startswith(self.before.casefold()):
            bare = bare[len(self.before) :].lstrip()
        if self.unit and bare.casefold().endswith(self.unit.casefold()):
            bare = bare[: -len(self.unit)].rstrip()
        try:
            return self.notation(sign + bare)
        except ValueError:
            example = f"{self.before} {self.notation.example} {self.unit}".strip()
            raise ValueError(f"{text[:40]!r} is not a number like {example}") from None


class Ambiguous(ValueError):
    """The numbers of a column may be written in two ways; the text says which."""


def plain(text: str) -> float | int:
    """A number as Python writes it; raises ValueError. An integer stays exact however long it is."""
    try:
        return int(text) if text.lstrip("+-").isdigit() and len(text) < 20 else float(text.replace("_", "x"))
    except ValueError:
        raise ValueError(f"{text[:40]!r} is not a number") from None


def has_decimals(text: str) -> bool:
    """Whether a number has a decimal point that cannot part groups of three digits."""
    return _DECIMALS.fullmatch(text.strip()) is not None


def notation(texts: Iterable[str], *, whole: bool) -> Notation:
    """How the numbers of a column are written.

    Args:
        texts: its distinct texts, those that are no numbers too.
        whole: whether the column holds integers, so that what is none in one notation must be of the other.

    Raises:
        Ambiguous: nothing decides, or there is more than a stray number for either.
    """
    points: list[str] = []
    commas: list[str] = []
    either = ""
    for text in texts:
        if text.isdecimal():  # as most integers are
            continue
        if not whole and has_decimals(text):  # as most others are
            points.append(text)
            continue
        if not whole and _EITHER.fullmatch(text):
            either = either or text
            continue
        point, comma = (_read(way, text, whole) for way in (decimal_point, decimal_comma))
        if point is None and comma is not None:
            commas.append(text)
        elif comma is None and point is not None:
            points.append(text)
        elif point != comma:
            either = either or text
    if points and commas and _CERTAIN * min(len(points), len(commas)) > max(len(points), len(commas)):
        raise Ambiguous(f"some of its numbers are written like {points[0]!r} and others like {commas[0]!r}")
    if either and not points and not commas:
        read = " or ".join(f"{_read(way, either, whole):,}" for way in (decimal_point, decimal_comma))
        raise Ambiguous(f"{either!r} may be {read}, and none of its numbers says which")
    return decimal_comma if len(commas) > len(points) else decimal_point


def _read(way: Notation, text: str, whole: bool) -> float | None:
    try:
        number = way(text)
    except ValueError:
        return None
    return None if not math.isfinite(number) or (whole and number % 1) else number
