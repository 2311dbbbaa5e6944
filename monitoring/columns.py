"""How the columns of a window differ from those of the reference, test by test."""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from model import psi
from model.reference import SEVERAL
from model.watched import Watched
from monitoring.params import MonitorParams
from monitoring.verdict import ColumnDrift, Finding, Kind
from validation import contract as contracts
from validation.contract import Column

TESTS_A_COLUMN = 7
"""How many findings a number may have, and a name fewer, among which the budget of false ones is divided."""
_LEAST = 1e-9
_BINS, _NAMES, _BLOCKS, _TOLD = 10, 30, 20, 5
_FEWEST = 20
"""Rows of a stretch of time that say what is usual in one."""
_TIMES = (contracts.Kind.DATE, contracts.Kind.TIMESTAMP)
_NUMBERS = (contracts.Kind.INTEGER, contracts.Kind.REAL)


class Test(NamedTuple):
    """One difference of a column.

    Attributes:
        kind: what was compared.
        value, threshold: how large it is, and from where on it counts.
        chance: how probable it is, or a larger one, where nothing changed.
        sentence: what it is.
        beyond: whether such rows are beyond what the model learned from.
    """

    kind: Kind
    value: float
    threshold: float
    chance: float
    sentence: str
    beyond: bool = False


class Examined(NamedTuple):
    """A column's figures, and what of them counts."""

    drift: ColumnDrift
    findings: list[Finding]


class Earlier(NamedTuple):
    """A column in the reference, in storage types.

    Attributes:
        values: in the rows that a window is compared with, shape (rows,).
        stretches: which stretch of time, as long as the window, each of these is from, shape (rows,).
        ever: in all rows, of any season.
    """

    values: pd.Series
    stretches: np.ndarray
    ever: pd.Series


def examine(
    watched: Watched, column: Column, earlier: Earlier, after: pd.Series, params: MonitorParams, chance: float
) -> Examined:
    """Compare a column of a window with that of the reference.

    Args:
        watched: the model.
        column: which.
        earlier: its values in the reference.
        after: those in the window, in storage types; shape (rows,).
        params: what counts.
        chance: a finding is less probable than this where nothing changed.
    """
    total = sum(watched.importance.values()) or 1.0
    importance = watched.importance.get(column.name, 0.0) / total
    known, before = watched.vocabularies.get(column.name, []), earlier.values
    tests, figures = (
        _numbers(earlier, after, params) if column.kind in _NUMBERS else _names(before, after, known, params)
    )
    tests += _missing(before, after, params)
    counting = [test for test in tests if test.value > test.threshold and test.chance < chance]
    drift = ColumnDrift(
        name=column.name,
        importance=importance,
        missing=float(after.isna().mean()),
        missing_before=float(before.isna().mean()),
        drifted=bool(counting),
        **figures,
    )
    matters = importance >= params.importance
    return Examined(drift, [_finding(column, test, matters) for test in counting])


def examined(contract: contracts.Contract) -> list[Column]:
    """The inputs that are compared: times move by themselves."""
    return [column for column in contract.inputs if column.kind not in _TIMES]


def _finding(column: Column, test: Test, matters: bool) -> Finding:
    meaning = "" if matters else " The model hardly looks at it."
    return Finding(
        kind=test.kind,
        harmful=test.beyond and matters,
        sentence=f"{column.name}: {test.sentence}.{meaning}",
        column=column.name,
        value=test.value,
        threshold=test.threshold,
    )


def _stability(before: np.ndarray, after: np.ndarray, *, params: MonitorParams) -> Test:
    """The population stability index of two columns given as places of bins; shape (rows,) each."""
    bins = int(max(before.max(initial=0), after.max(initial=0))) + 1
    counts = [np.bincount(places, minlength=bins) for places in (before, after)]
    bins = int(((counts[0] + counts[1]) > 0).sum())
    value = psi.index(*counts)
    chance = float(stats.chi2.sf(value / psi.a_row(len(before), len(after)), max(bins - 1, 1)))
    return Test("distribution", value, params.psi, chance, f"its values are distributed otherwise (PSI {value:.2f})")


def _numbers(earlier: Earlier, after: pd.Series, params: MonitorParams) -> tuple[list[Test], dict[str, float]]:
    old, new, ever = (_floats(column) for column in (earlier.values, after, earlier.ever))
    known, there = old[~np.isnan(old)], new[~np.isnan(new)]
    edges = np.unique(np.quantile(known, np.linspace(0, 1, _BINS + 1)[1:-1])) if len(known) else np.array([])
    places = [
        np.where(np.isnan(values), len(edges) + 1, np.searchsorted(edges, values, side="left")) for values in (old, new)
    ]
    tests = [_stability(*places, params=params)]
    figures = {"psi": tests[0].value}
    if len(known) < _BLOCKS or len(there) < _BLOCKS:
        return tests, figures
    moments = _moments(known, there)
    usual = _repeated(known, earlier.stretches[~np.isnan(old)])
    tests += [_outside(ever, there, params), _stuck(known, there, usual, params), *_shifts(moments, params)]
    figures |= {"outside": tests[1].value, **{name: moment.change for name, moment in moments.items()}}
    return tests, figures


def _floats(values: pd.Series) -> np.ndarray:
    numbers: np.ndarray = values.to_numpy(dtype=float, na_value=np.nan)
    return numbers


def _outside(ever: np.ndarray, there: np.ndarray, params: MonitorParams) -> Test:
    """Numbers that no season had: those that another one had are known."""
    low, high = np.nanmin(ever), np.nanmax(ever)
    margin = 0.01 * (high - low)  # the next largest of all rows is a little larger, and no news
    beyond = int(((there < low - margin) | (there > high + margin)).sum())
    share = beyond / len(there)
    sentence = f"{share:.1%} of the rows are beyond {low:.6g} to {high:.6g}, which is all that was seen before"
    chance = _rarer(beyond, len(there), 1, int((~np.isnan(ever)).sum()))
    return Test("out_of_range", share, params.outside, chance, sentence, beyond=True)


def _stuck(known: np.ndarray, there: np.ndarray, usual: float, params: MonitorParams) -> Test:
    """A sensor that sticks repeats one number far more often than before, and than stretches of time usually do."""
    values, counts = np.unique(there, return_counts=True)
    most = int(counts.argmax())
    earlier = min(int((known == values[most]).sum()) + round(usual * len(known)), len(known))
    share = counts[most] / len(there)
    sentence = f"{share:.0%} of the rows have the same value {values[most]:.6g}"
    chance = _rarer(int(counts[most]), len(there), earlier, len(known))
    return Test("stuck", float(share - earlier / len(known)), params.stuck, chance, sentence, beyond=True)


def _repeated(known: np.ndarray, stretches: np.ndarray) -> float:
    """How much more often than in all rows a stretch of time has its most common number: a day has one price of fuel.

    The median of all stretches, of shares.
    """
    sizes = pd.Series(stretches).value_counts()
    enough = np.isin(stretches, sizes[sizes >= _FEWEST].index)
    if not enough.any():
        return 0.0
    rows = pd.DataFrame({"stretch": stretches, "number": known})
    shares = rows[enough].value_counts().div(sizes, level="stretch").reset_index(name="share")
    more = shares["share"] - shares["number"].map(rows["number"].value_counts(normalize=True))
    return float(more.groupby(shares["stretch"]).max().median())


class Moment(NamedTuple):
    """How far a moment moved, and that divided by its standard error."""

    change: float
    deviations: float


def _moments(known: np.ndarray, there: np.ndarray) -> dict[str, Moment]:
    """Differences of mean, spread and skewness; values beyond the outermost hundredths count as those.

    Standard errors are those of blocks of rows, since no moment of a table is surely normal.
    """
    low, high = np.quantile(known, [0.01, 0.99])
    old, new = (np.clip(values, low, high) for values in (known, there))
    scale = old.std() or 1.0
    measures: dict[str, Callable[[np.ndarray], np.ndarray]] = {
        "mean": lambda values: values.mean(axis=-1) / scale,
        "spread": lambda values: np.log(np.maximum(values.std(axis=-1), _LEAST * scale) / scale),
        "skew": lambda values: _skewness(values / scale),
    }
    blocks = [values[: len(values) // _BLOCKS * _BLOCKS].reshape(_BLOCKS, -1, order="F") for values in (old, new)]
    moved = {}
    for name, measure in measures.items():
        with np.errstate(invalid="ignore", divide="ignore"):
            change = float(np.nan_to_num(measure(new) - measure(old)))
            errors = [np.nan_to_num(measure(block)).std(ddof=1) / np.sqrt(_BLOCKS) for block in blocks]
        error = float(np.hypot(*errors))
        moved[name] = Moment(change, change / error if error else (np.inf if change else 0.0))
    return moved


def _skewness(values: np.ndarray) -> np.ndarray:
    """The third moment around the mean over the cube of the standard deviation, 0 of a constant."""
    around = values - values.mean(axis=-1, keepdims=True)
    spread = around.std(axis=-1)
    return np.where(spread > 0, (around**3).mean(axis=-1) / np.maximum(spread, _LEAST) ** 3, 0.0)


def _shifts(moments: dict[str, Moment], params: MonitorParams) -> Iterator[Test]:
    thresholds = {"mean": params.mean, "spread": float(np.log(params.spread)), "skew": params.skew}
    words = {
        "mean": lambda change: f"its mean moved by {change:+.2f} standard deviations",
        "spread": lambda change: f"its standard deviation is {np.exp(change):.2f} times what it was",
        "skew": lambda change: f"its skewness changed by {change:+.1f}",
    }
    for name, moment in moments.items():
        chance = float(2 * stats.t.sf(abs(moment.deviations), _BLOCKS - 1))
        yield Test("shift", abs(moment.change), thresholds[name], chance, words[name](moment.change))


def _names(
    before: pd.Series, after: pd.Series, known: Sequence[str], params: MonitorParams
) -> tuple[list[Test], dict[str, object]]:
    old, new = before.astype("str"), after.astype("str")
    common = old.value_counts().index[:_NAMES]
    places = [np.where(values.isna(), len(common) + 1, _place(values, common)) for values in (old, new)]
    tests = [_stability(*places, params=params)]
    there = new.dropna()
    figures: dict[str, object] = {"psi": tests[0].value}
    if not known or not len(there):
        return tests, figures
    strange = there[~there.isin(known)]
    earlier = old.dropna()
    unseen_before = int((~earlier.isin(known)).sum())
    counts = strange.value_counts()
    names = list(map(str, counts.index[(counts >= SEVERAL).to_numpy()][:_TOLD]))  # a rarer one may identify a person
    share = len(strange) / len(there)
    rise = share - unseen_before / max(len(earlier), 1)
    told = ", ".join(map(repr, names)) or f"each of them in fewer than {SEVERAL} rows"
    sentence = f"{share:.1%} of the rows have names that training did not see: {told}"
    chance = _rarer(len(strange), len(there), unseen_before, len(earlier))
    tests.append(Test("new_names", rise, params.new_names, chance, sentence, beyond=True))
    growth = _growth(earlier, there, params)
    tests.append(growth)
    return tests, figures | {"new_names": names, "new_share": share, "cardinality": growth.value}


def _place(values: pd.Series, common: pd.Index) -> np.ndarray:
    place = common.get_indexer(pd.Index(values))
    return np.where(place < 0, len(common), place)


def _growth(earlier: pd.Series, there: pd.Series, params: MonitorParams) -> Test:
    """How many names there are for each one that as many rows of the reference have (rarefaction, Hurlbert 1971)."""
    rows, counts = len(there), earlier.value_counts().to_numpy(dtype=float)
    if not len(counts):
        return Test("cardinality", 1.0, params.cardinality, 1.0, "")
    absent = np.exp(rows * np.log1p(-np.minimum(counts / counts.sum(), 1 - 1e-12)))
    expected, variance = float((1 - absent).sum()), float((absent * (1 - absent)).sum())
    distinct = int(there.nunique())
    chance = float(stats.norm.sf((distinct - expected) / np.sqrt(variance + expected / 100 + 0.25)))
    ratio = distinct / expected
    return Test(
        "cardinality",
        ratio,
        params.cardinality,
        chance,
        f"it has {distinct:,} names where {expected:,.0f} were to be expected",
    )


def _missing(before: pd.Series, after: pd.Series, params: MonitorParams) -> list[Test]:
    old, new = int(before.isna().sum()), int(after.isna().sum())
    rise = new / len(after) - old / len(before)
    sentence = f"{new / len(after):.0%} of the values are missing, where it was {old / len(before):.1%}"
    return [Test("missing", rise, params.missing, _rarer(new, len(after), old, len(before)), sentence, beyond=True)]


def _rarer(new: int, rows: int, old: int, rows_before: int) -> float:
    """The chance of so many or more of the rows, where the share is as before (Fisher's exact test, one-sided)."""
    table = [[new, rows - new], [old, rows_before - old]]
    return float(stats.fisher_exact(table, alternative="greater").pvalue)
