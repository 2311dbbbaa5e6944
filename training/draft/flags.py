"""Flags: columns of two texts that say yes and no."""

import numpy as np

from training.draft.evidence import Evidence
from training.draft.found import MISSING, Doubt, Found, Parser
from training.draft.literals import literal
from validation.contract import Kind
from validation.parsing import flag

_OWN = {("no", "yes"), ("false", "true"), ("0", "1"), ("0.0", "1.0")}
"""What flags are without a `parse`."""
_OTHERS = {("n", "y"), ("f", "t"), ("off", "on"), ("nein", "ja"), ("non", "oui"), ("hayır", "evet"), ("não", "sim")}
_PAIRS = {frozenset(pair): pair for pair in _OWN | _OTHERS}


def find(evidence: Evidence) -> Found | None:
    """The flags of a column; None if it has other texts, or one of the two only."""
    if len(evidence.cells) > 12:  # both in every case, and what is missing
        return None
    texts = np.array(evidence.texts, dtype=object)
    missing = np.array([text in MISSING for text in texts], dtype=bool)
    folded = np.array([text.casefold() for text in texts], dtype=object)
    pair = _PAIRS.get(frozenset(folded[~missing]))
    if pair is None:
        return None
    values = np.where(folded == pair[1], 1.0, np.where(missing, np.nan, 0.0))
    doubts = []
    if pair in {("0", "1"), ("0.0", "1.0")}:
        doubts.append(
            Doubt(1, "0 and 1 are read as false and true; if other numbers may come, it is `kind=Kind.INTEGER`")
        )
    strange = [text for text in texts[missing] if text.lower() not in ("na", "n/a", "nan", "null")]
    if pair in _OWN and not strange:
        return Found(Kind.FLAG, values, missing, doubts=tuple(doubts))
    return Found(Kind.FLAG, values, missing, _parser(texts[~missing], pair, strange), doubts=tuple(doubts))


def _parser(texts: np.ndarray, pair: tuple[str, str], absent: list[str]) -> Parser:
    written = {text.casefold(): text for text in texts}
    false, true = (written[word] for word in pair)
    more = f", absent={literal(tuple(absent))}" if absent else ""
    code = f"flag(true={literal(true)}, false={literal(false)}{more})"
    return Parser(flag(true=true, false=false, absent=absent), code, ("flag",))
