"""How many answers there are, and which version gave most of them: from their ids alone, however many rows they are."""

import datetime
import itertools
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np

from model.record import CHALLENGER, EXPLORING, SHADOW
from monitoring import journal
from monitoring.store import Store
from monitoring.truth import Truth
from validation.errors import StoreError

MOST_DAYS = 7
"""So far back rows are looked for where few are answered a day."""


class Counts(NamedTuple):
    """The answers of a day.

    Attributes:
        answers: how many each version gave by itself.
        labelled: of how many of these the true value is known.
        beside: whether shadows or challengers answered too.
        exploring: how many answers their callers marked as no cases; they are among no others.
    """

    answers: dict[str, int]
    labelled: dict[str, int]
    beside: bool
    exploring: int


def of_day(store: Store, day: datetime.date, known: Truth | None = None) -> Counts:
    """Count the answers of a day (UTC), each once.

    Eight bytes are held of each: a hash of its id.

    Args:
        store: of the model.
        day: which.
        known: the true values; none, where they are not asked for.

    Raises:
        StoreError: the store cannot be read.
    """
    answers, labelled = defaultdict[str, list[np.ndarray]](list), defaultdict[str, list[np.ndarray]](list)
    exploring: list[np.ndarray] = []
    beside = False
    for part in journal.ids(store, day):
        roles = part[journal.ROLE].to_numpy()
        own = part[roles == ""]
        beside |= bool(np.isin(roles, (SHADOW, CHALLENGER)).any())
        exploring.append(journal.hashed(part[journal.PREDICTION_ID][roles == EXPLORING]))
        for version, rows in own.groupby(journal.VERSION):
            hashes = journal.hashed(rows[journal.PREDICTION_ID])
            answers[str(version)].append(hashes)
            if known is not None:
                labelled[str(version)].append(hashes[known.knows(rows[journal.PREDICTION_ID], rows[journal.KEYS])])
    explored = len(np.unique(np.concatenate(exploring))) if exploring else 0
    return Counts(_distinct(answers), _distinct(labelled), beside, explored)


def marked(exploring: int, cases: int, of: str = "") -> str:
    """What is to be said where callers marked more answers as no cases than they left; empty where they did not.

    Args:
        exploring: how many they marked; anybody who may ask may do so.
        cases: how many they left.
        of: of which time, where that is not said otherwise.
    """
    if exploring <= cases:
        return ""
    said = f"{exploring:,} of {exploring + cases:,} answers{of}"
    return f"{said} were marked as exploring by their callers, and are left out."


def leading(days: Iterable[Mapping[str, int]], fewest: int) -> str | None:
    """The version to judge: the first that has enough answers, counted back from the last day.

    A few answers are not enough to be it: of a version that somebody asked for by its name, of one that is tried before
    a rollout, or of one that has just begun.

    Args:
        days: the answers of each by version, the last day first; see `Counts`.
        fewest: how many are enough.

    Returns:
        Where none has enough, the version with the most; None if there are no answers at all.
    """
    sums = Counter[str]()
    for answers in days:
        sums.update(answers)
        if sums and sums.most_common(1)[0][1] >= fewest:
            break
    return sums.most_common(1)[0][0] if sums else None


def champion(store: Store, last: datetime.date, fewest: int) -> str:
    """The version that answers by itself, see `leading`, on the last days with answers, up to a week of them.

    Args:
        store: of the model.
        last: the last day that counts.
        fewest: how many answers are enough.

    Raises:
        StoreError: there are no answers, or the store cannot be read.
    """
    found = (of_day(store, day).answers for day in reversed(journal.days(store)) if day <= last)
    version = leading(itertools.islice(filter(None, found), MOST_DAYS), fewest)
    if version is None:
        raise StoreError(
            f"The watch store {store.address} has no answers of '{store.model}'. `python -m monitoring compact` brings "
            "them from the journal."
        )
    return version


def _distinct(hashes: Mapping[str, list[np.ndarray]]) -> dict[str, int]:
    return {version: len(np.unique(np.concatenate(parts))) for version, parts in hashes.items()}
