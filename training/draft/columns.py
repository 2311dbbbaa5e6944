"""What kind of column each column of a table is, and which of them say nothing."""

import re
from collections.abc import Sequence

import numpy as np
import pandas as pd

from training.data.raw import NoText
from training.data.rawtable import RawTable
from training.draft import evidence as evidences
from training.draft import flags, names, numbers, times
from training.draft.evidence import Evidence
from training.draft.found import MISSING, Doubt, Found, Parser
from training.draft.literals import literal
from training.draft.sketch import FEWEST_ROWS, Sketch
from training.workspace import counted
from validation import parsing
from validation.contract import Kind, Role, Unseen
from validation.names import snake
from validation.numbers import Notation, decimal_comma
from validation.values import LONGEST_TEXT

_MOST_CHOICES = 12
_MOST_NAMES = 100_000
_ROWS_A_CHOICE = 10
_LONG_TEXT = 60
_KEY = re.compile(r"(^|_)(id|ids|key|uuid|guid|index|idx|row|rownames|row_names|nr|no|number|code)$|^unnamed_\d+$")
_ALMOST_ALL = 0.95
_WHOLE = re.compile(r"[+-]?[0-9]+\.0")


def sketches(table: RawTable) -> list[Sketch]:
    """A sketch of each column of a table, in its order."""
    given = names.different(snake(header, f"column_{place + 1}") for place, header in enumerate(table.headers))
    drawn = [_sketch(table, place, name) for place, name in enumerate(given)]
    first, usual = _comes_first(table, drawn), _usual(drawn)
    for sketch in drawn:
        if sketch.found is None or not sketch.found.undecided:
            continue
        if sketch.found.kind in (Kind.DATE, Kind.TIMESTAMP):
            sketch.found = times.find(sketch.evidence, first) if first is not None else sketch.found
        elif usual is not None:
            sketch.found = numbers.find(sketch.evidence, usual)
    return drawn


def _usual(drawn: Sequence[Sketch]) -> Notation | None:
    """The decimal comma where columns have it and none has a decimal point: a point then parts thousands."""
    decided = [sketch.known for sketch in drawn if sketch.found is not None and not sketch.found.undecided]
    written = [found for found in decided if found.kind in (Kind.INTEGER, Kind.REAL)]
    parsers = [found.parse for found in written if found.parse is not None and decimal_comma.name in found.parse.code]
    points = any((found.values[~found.missing] % 1).any() for found in written if found.parse not in parsers)
    return decimal_comma if parsers and not points else None


def _comes_first(table: RawTable, drawn: Sequence[Sketch]) -> str | None:
    """Whether days or months come first ("%d", "%m") in the table's dates that say it; semicolons are of day first."""
    dates = [sketch.known for sketch in drawn if sketch.found is not None and not sketch.known.undecided]
    parsers = [found.parse for found in dates if found.kind in (Kind.DATE, Kind.TIMESTAMP) and found.parse is not None]
    decided = {parser.code.split('"')[1][:2] for parser in parsers} & {"%d", "%m"}
    if len(decided) == 1:
        return decided.pop()
    return "%d" if table.delimiter == ";" else None


def _sketch(table: RawTable, place: int, name: str) -> Sketch:
    empty = Evidence(table.headers[place], place, None, [], np.array([]), np.array([], dtype=np.int64))
    try:
        evidence = evidences.read(table, place)
    except NoText:
        return Sketch(name, empty, None, left_out="it holds bytes that are no UTF-8 text")
    if evidence is None:
        held = table.types[place] if table.types is not None else ""
        return Sketch(name, empty, None, left_out=f"it holds {held}; a cell is a single value")
    if not evidence.cells or all(text in MISSING for text in evidence.texts):
        return Sketch(name, evidence, None, left_out="it has no values")
    sketch = Sketch(name, evidence, found(evidence))
    _judge(sketch)
    return sketch


def found(evidence: Evidence) -> Found:
    """What the cells of a column are."""
    match evidence.kind:
        case Kind.FLAG:
            return Found(
                Kind.FLAG, np.array(evidence.cells, dtype=np.float64), np.zeros(len(evidence.cells), dtype=bool)
            )
        case Kind.INTEGER | Kind.REAL:
            return flags.find(evidence) or numbers.typed(evidence)
        case Kind.DATE | Kind.TIMESTAMP:
            return times.typed(evidence)
    return flags.find(evidence) or times.find(evidence) or numbers.find(evidence) or as_names(evidence)


def as_names(evidence: Evidence, lower: bool = False) -> Found:
    """The cells of a column as names, in small letters if asked."""
    missing = np.array([text in MISSING for text in evidence.texts], dtype=bool)
    absent = tuple(sorted(text for text in evidence.texts if text in MISSING))
    texts = [text for text in evidence.texts if text not in MISSING]
    whole = bool(texts) and all(map(_WHOLE.fullmatch, texts))  # ingest makes 1 of 1.0, as which pandas writes 1
    names = [text.removesuffix(".0") if whole else text for text in evidence.texts]
    read = parsing.names(absent=absent, lower=lower)
    values = np.array([*map(read, names)], dtype=object)
    if not absent and not lower:
        return Found(Kind.CATEGORY, values, missing)
    said = [f"absent={literal(absent)}"] * bool(absent) + ["lower=True"] * lower
    parse = Parser(read, f"names({', '.join(said)})", ("names",))
    if not absent:
        return Found(Kind.CATEGORY, values, missing, parse)
    doubt = Doubt(
        3, f"{' and '.join(map(repr, absent))} is taken for a missing value; if it is a name, leave `parse` out"
    )
    return Found(Kind.CATEGORY, values, missing, parse, doubts=(doubt,))


def by_case(sketch: Sketch) -> str:
    """The two commonest spellings of a name that differ by case alone, and their rows; empty if there are no such."""
    spelled: dict[str, list[int]] = {}
    for place in np.flatnonzero(~sketch.known.missing):
        spelled.setdefault(str(sketch.known.values[place]).casefold(), []).append(int(place))
    counts = sketch.evidence.counts
    several = [sorted(places, key=lambda place: -counts[place]) for places in spelled.values() if len(places) > 1]
    if not several:
        return ""
    most = max(several, key=lambda places: counts[places[1]])
    return " and ".join(f"{sketch.known.values[at]!r} ({counted(int(counts[at]), 'row')})" for at in most[:2])


def _judge(sketch: Sketch) -> None:
    """Leave out what says nothing, and tell keys and names apart; names that differ by case alone count as one."""
    evidence, spelled = sketch.evidence, by_case(sketch) if sketch.known.kind is Kind.CATEGORY else ""
    if spelled:
        sketch.found = as_names(evidence, lower=True)
    known = sketch.known
    there = ~known.missing
    rows = evidence.rows_of(there)
    distinct = len(set(known.values[there])) if spelled else int(there.sum())
    endless = numbers.infinite(evidence)
    if endless > numbers.STRAY_SHARE * evidence.rows:
        sketch.leave_out(f"{endless:,} of its rows have an infinite number")
    elif distinct == 1 and rows == evidence.rows:
        only = _quoted(evidence.texts[int(np.flatnonzero(there)[0])])
        sketch.leave_out(f"every row has {f'one name: {spelled} differ by case alone' if spelled else only}")
    elif known.kind is Kind.INTEGER and distinct == rows == evidence.rows:
        _judge_integers(sketch)
    elif known.kind is Kind.CATEGORY:
        _judge_names(sketch, distinct, rows, spelled)


def _judge_integers(sketch: Sketch) -> None:
    """Whether integers that no two rows share identify them."""
    values = sketch.by_row()
    counts_up = bool((np.diff(values) == 1).all()) and values[0] in (0, 1)
    if counts_up or (_KEY.search(sketch.name) and len(values) > 20):
        sketch.role = Role.KEY
        sketch.reasons.append("it counts the rows" if counts_up else "no two rows have the same")
        if not counts_up:
            sketch.doubts.append(
                Doubt(4, "it is taken for a key, which no model sees; if it measures something, drop its role")
            )


def _judge_names(sketch: Sketch, distinct: int, rows: int, spelled: str) -> None:
    """Few names are choices, many are learned, and those that nearly every row has for itself say nothing."""
    there = ~sketch.known.missing
    texts = [str(name) for name in sketch.known.values[there]]
    counts = sketch.evidence.counts[there]
    length = float(np.average([len(text) for text in texts], weights=counts))
    if max(map(len, texts)) > LONGEST_TEXT or (length > _LONG_TEXT and distinct > rows / 10):
        sketch.leave_out("it holds texts, not names")
    elif distinct > _ALMOST_ALL * rows and distinct > 20:
        sketch.role = Role.KEY
        sketch.found = as_names(sketch.evidence)  # keys that differ by case alone are two
        sketch.reasons.append("nearly every row has a name of its own")
        sketch.doubts.append(
            Doubt(3, "it is taken for a key, which no model sees: nearly every row has a name of its own")
        )
    elif distinct > _MOST_NAMES:
        sketch.leave_out(f"it has {distinct:,} names; a draft takes at most {_MOST_NAMES:,}")
    else:
        if spelled:
            what = f"{spelled} are taken for one name, as are others that differ by case; if not, drop `lower=True`"
            sketch.doubts.append(Doubt(6, what))
        _list(sketch, pd.Series(counts).groupby(sketch.known.values[there]).sum(), rows)


def _list(sketch: Sketch, names: pd.Series, rows: int) -> None:
    """List few names as choices, and leave many to training; `names` has the rows of each."""
    if len(names) <= _MOST_CHOICES and names.min() >= FEWEST_ROWS and rows >= _ROWS_A_CHOICE * len(names):
        sketch.choices = tuple(sorted(names.index))
        sketch.doubts.append(Doubt(1, "another name is refused; if there are more, take `choices` away"))
    else:
        sketch.unseen = Unseen.WARN
        if len(names) > rows / 2:
            sketch.doubts.append(Doubt(2, f"it has {len(names):,} names in {rows:,} rows, which teach little"))


def _quoted(text: str) -> str:
    return repr(text if len(text) <= 40 else f"{text[:37]}…")
