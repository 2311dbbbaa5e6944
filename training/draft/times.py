"""Dates and timestamps in texts: their order, their separators, and what decides between day first and month first."""

import itertools
import re
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from training.draft.evidence import Evidence
from training.draft.found import Doubt, Found, Parser
from training.draft.literals import literal
from validation.contract import Kind
from validation.parsing import ABSENT, dates, timestamps

_SAMPLE, _FIRST = 200, 5
_STRAY_SHARE = 0.01
_ORDERS = ("%Y{0}%m{0}%d", "%d{0}%m{0}%Y", "%m{0}%d{0}%Y", "%d{0}%m{0}%y", "%m{0}%d{0}%y", "%y{0}%m{0}%d")
_NAMED = ("%d{0}%b{0}%Y", "%d{0}%B{0}%Y", "%d{0}%b{0}%y", "%b{0}%d{0}%Y", "%Y{0}%b{0}%d")
_WORDS = ("%b %d, %Y", "%B %d, %Y", "%d. %B %Y", "%d. %b %Y", "%a, %d %b %Y", "%A, %B %d, %Y")
_DAYS = (
    *(order.format(mark) for mark in "-/. " for order in (*_ORDERS, *_NAMED)),
    *_WORDS,
    "%Y%m%d",
)
_TIMES = ("%H:%M:%S", "%H:%M", "%H:%M:%S.%f", "%I:%M:%S %p", "%I:%M %p", "%H:%M:%S%z", "%H:%M:%S.%f%z")
_STAMPS = tuple(f"{day}{between}{time}" for day, between, time in itertools.product(_DAYS, (" ", "T"), _TIMES))
_LIKELY = re.compile(
    r"(?:\d{1,4}[-/. ] ?(?:\d{1,2}|[A-Za-z]{3,9})[-/. ,] ?\d{1,4}|\d{8}"
    r"|[A-Za-z]{3,9}[-/. ]\d{1,2},?[-/. ]\d{2,4}|[A-Za-z]{3,9}, .{8,20}\d{4}).{0,20}"
)
_DIGITS = re.compile(r"(?:19|20)[0-9]{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])")
_WORD, _DIRECTIVE = re.compile(r"[^\W_]+"), re.compile(r"%[a-zA-Z]")
_ISO_DAY, _ISO_STAMP = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}"), re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ].{8,}")


def find(evidence: Evidence, first: str | None = None) -> Found | None:
    """The dates of a column of texts, None if it holds something else.

    Args:
        evidence: the column.
        first: "%d" or "%m", which decides where the column does not; None where the table does not say it either.

    Returns:
        Dates or timestamps, undecided where days and months may be each other.
    """
    absent = np.array([text.lower() in ABSENT for text in evidence.texts], dtype=bool)
    texts = pd.Series(evidence.texts, dtype=object)[~absent]
    sample = texts.iloc[:: max(len(texts) // _SAMPLE, 1)]
    likely = sum(_LIKELY.fullmatch(text) is not None for text in sample)
    if not len(sample) or likely < 0.98 * len(sample) or _is_number(sample):
        return None
    begin = sample.iloc[:_FIRST]
    marks = [_marks(text) for text in begin]
    possible = [pattern for pattern in (*_DAYS, *_STAMPS) if _is_alike(pattern, marks)]
    possible = [pattern for pattern in possible if _reads(begin, pattern).any()]
    possible = [pattern for pattern in possible if _reads(sample, pattern).mean() >= 0.98]
    measured = {pattern: _reads(texts, pattern) for pattern in possible}
    if not measured:
        return None
    best = max(float(read.mean()) for read in measured.values())
    left = [pattern for pattern, read in measured.items() if read.mean() == best]
    lost = evidence.counts[~absent][~measured[left[0]].to_numpy()].sum()
    if lost > _STRAY_SHARE * evidence.rows:
        return None
    undecided = len(left) > 1 and _contradict(left)
    pattern, doubts = _chosen(left, texts, evidence, first)
    if lost:
        doubts.append(Doubt(6, f"{lost:,} rows have no such date: they go to quarantine"))
    return replace(_found(evidence, texts, absent, pattern, tuple(doubts)), undecided=undecided)


def typed(evidence: Evidence) -> Found:
    """The times of a typed file's column: dates where all are midnights."""
    values = pd.to_datetime(pd.Series(evidence.cells, dtype=object), utc=True).dt.tz_localize(None).to_numpy()
    values = values.astype("datetime64[us]")
    midnights = bool(np.all(values == values.astype("datetime64[D]")))
    return Found(Kind.DATE if midnights else Kind.TIMESTAMP, values, np.isnat(values))


def _marks(text: str) -> str:
    """What stands between the letters and digits of a text."""
    return _WORD.sub("", text)


def _is_alike(pattern: str, marks: Sequence[str]) -> bool:
    """Whether one of the texts with these marks may have a pattern: to read them by every pattern takes a second."""
    own = _marks(_DIRECTIVE.sub("", pattern))
    return any(text.startswith(own) if pattern.endswith("%z") else text == own for text in marks)


def _is_number(sample: pd.Series) -> bool:
    """Whether the texts are plain numbers, and no dates of eight digits."""
    digits = sum(text.lstrip("+-").replace(".", "", 1).isdigit() for text in sample)
    return digits == len(sample) and not all(map(_DIGITS.fullmatch, sample))


def _moments(texts: pd.Series, pattern: str) -> pd.Series:
    utc = pattern.endswith("%z")
    return pd.to_datetime(texts, format=pattern, errors="coerce", utc=utc)


def _reads(texts: pd.Series, pattern: str) -> pd.Series:
    return _moments(texts, pattern).notna()


def _chosen(left: Sequence[str], texts: pd.Series, evidence: Evidence, first: str | None) -> tuple[str, list[Doubt]]:
    """One of the patterns that read as many texts, and what is in doubt about it."""
    if len(left) == 1 or not _contradict(left):
        return left[0], []
    rising = [pattern for pattern in left if _rises(evidence, texts, pattern)]
    if len(rising) == 1:
        why, pattern = "by which the rows are in order", rising[0]
    else:
        dotted = "." in texts.iloc[0]
        begins = "%d" if dotted else first or "%m"
        pattern = next((each for each in left if each.startswith(begins)), left[0])
        others = "dots have" if dotted else "the rest of the table has" if first else "most such tables have"
        why = f"as {others} it"
    other = next(each for each in left if each != pattern)
    doubt = Doubt(9, f"{texts.iloc[0]!r} may be of two days; it is read as {pattern}, {why}. The other is {other}")
    return pattern, [doubt]


def _contradict(left: Sequence[str]) -> bool:
    orders = {"".join(re.findall(r"%[dmybBY]", pattern)).replace("%B", "%b") for pattern in left}
    return len(orders) > 1


def _rises(evidence: Evidence, texts: pd.Series, pattern: str) -> bool:
    """Whether the rows are in the order of these dates, or in the opposite one."""
    by_cell = np.full(len(evidence.cells) + 1, np.datetime64("NaT"), dtype="datetime64[s]")
    moments = _moments(texts, pattern).dt.tz_localize(None)
    by_cell[texts.index.to_numpy()] = moments.to_numpy().astype("datetime64[s]")
    rows = by_cell[evidence.codes]
    steps = np.diff(rows[~np.isnat(rows)]).astype(np.int64)
    return len(steps) > 0 and bool((steps >= 0).all() or (steps <= 0).all())


def _found(evidence: Evidence, texts: pd.Series, absent: np.ndarray, pattern: str, doubts: tuple[Doubt, ...]) -> Found:
    values = np.full(len(evidence.cells), np.datetime64("NaT"), dtype="datetime64[us]")
    values[~absent] = _moments(texts, pattern).dt.tz_localize(None).to_numpy().astype("datetime64[us]")
    if "%H" not in pattern and "%I" not in pattern:
        own = all(map(_ISO_DAY.fullmatch, texts))
        parse = None if own else Parser(dates(pattern), f"dates({literal(pattern)})", ("dates",))
        if pattern == "%Y%m%d":
            doubts = (*doubts, Doubt(4, "eight digits are read as a date; if they count something, it is an integer"))
        return Found(Kind.DATE, values, np.isnat(values), parse, doubts=doubts)
    own = all(map(_ISO_STAMP.fullmatch, texts))
    parse = None if own else Parser(timestamps(pattern), f"timestamps({literal(pattern)})", ("timestamps",))
    return Found(Kind.TIMESTAMP, values, np.isnat(values), parse, doubts=doubts)
