"""python -m monitoring compare MODEL: a version that answers beside the champion, judged by the same loss.

A shadow answered the rows that the champion answered: differences are paired, and need few rows. A challenger that
answers a share of the callers has rows of its own, which come in groups: a caller's rows go to one of the two.
"""

import datetime
import math
from collections.abc import Iterator
from typing import Literal, NamedTuple

import msgspec
import numpy as np
import pandas as pd

from model.record import SHADOW, Role
from model.watched import Watched
from monitoring import answers, intervals, live, reference, truth
from monitoring.journal import PREDICTION_ID, ROLE, TIME, VERSION
from monitoring.live import Judged
from monitoring.store import Store
from monitoring.verdict import Figure, Rival
from validation.errors import StoreError

EQUAL = 0.01
"""A difference up to this share of the champion's loss is none."""
_FEWEST = 100
"""Of fewer labelled rows nothing is decided: their intervals are not to be trusted."""
_MOST = 1_000_000
_ROLES: tuple[Literal["shadow", "challenger"], ...] = ("shadow", "challenger")


class Beside(NamedTuple):
    """A version that answers beside the champion.

    Attributes:
        version, role: by which its rows are known.
        watched: what says what its scores mean; None where that is not known.
    """

    version: str
    role: Literal["shadow", "challenger"]
    watched: Watched | None


class Difference(NamedTuple):
    """Challenger minus champion.

    Attributes:
        champion, challenger: their scores.
        figure: the difference, with its interval.
        rows: how many labelled rows of the challenger say so.
    """

    champion: Figure
    challenger: Figure
    figure: Figure
    rows: int


def compare(
    store: Store, watched: Watched, first: datetime.date, last: datetime.date, equal: float = EQUAL
) -> list[Rival]:
    """Every version that answered beside the champion.

    Args:
        store: of the model.
        watched: the champion, by whose loss both are judged.
        first: the first day, in UTC.
        last: the last one.
        equal: the share of the champion's loss up to which a difference is none.

    Raises:
        StoreError: the store cannot be read.
    """
    rows = truth.with_truth(store, watched.columns(), first, last, role=None)
    return [
        rival(watched, rows, Beside(version, role, _known(store, watched, version)), equal)
        for version, role in _rivals(watched, rows)
    ]


def rival(watched: Watched, rows: pd.DataFrame, beside: Beside, equal: float = EQUAL) -> Rival:
    """One of them.

    Args:
        watched: the champion.
        rows: of both, as `truth.with_truth` gives them for all roles.
        beside: whose to compare.
        equal: see `compare`.
    """
    (version, role, known), own = beside, _of(rows, beside.version, beside.role)
    reason = _incomparable(watched, beside)
    by = watched if known is None or reason else msgspec.structs.replace(watched, outcome=known.outcome)
    ours, theirs = live.judge(watched, _of(rows, watched.version, "")), live.judge(by, own[:0] if reason else own)
    difference = _paired(ours, theirs) if role == SHADOW else _apart(ours, theirs)
    enough, sentence = _decided(version, theirs.loss.name, difference, equal)
    return Rival(
        version=version,
        role=role,
        rows=len(own),
        labelled=len(theirs.losses),
        metric=theirs.loss.name,
        champion=difference and difference.champion,
        challenger=difference and difference.challenger,
        difference=difference and difference.figure,
        enough=enough,
        sentence=reason or sentence,
    )


def _rivals(watched: Watched, rows: pd.DataFrame) -> Iterator[tuple[str, Literal["shadow", "challenger"]]]:
    for role in _ROLES:
        versions = sorted(set(rows[VERSION][(rows[ROLE] == role).to_numpy()]) - {watched.version})
        yield from ((version, role) for version in versions)


def _known(store: Store, watched: Watched, version: str) -> Watched | None:
    """What says what the scores of a version mean: a number is a number, but the order of classes is its own."""
    if watched.columns().target.continuous:
        return watched
    try:
        return reference.load(store, watched.model, version).watched
    except StoreError:
        return None


def _incomparable(watched: Watched, beside: Beside) -> str:
    """Why the two cannot be compared, as a sentence; empty where they can."""
    other = beside.watched
    if other is None:
        return (
            f"Nothing can be said of {beside.version}: its reference rows, which say what its scores mean, are not in "
            "the watch store. Run this where it was trained."
        )
    theirs, ours = (sorted(each.outcome.subjects) for each in (other, watched))
    if (theirs, other.bounds) == (ours, watched.bounds):
        return ""
    classes = (
        f"{', '.join(theirs)}, and the champion {', '.join(ours)}" if theirs != ours else "classes of other bounds"
    )
    return f"Nothing can be said of {beside.version}: it answers {classes}."


def _of(rows: pd.DataFrame, version: str, role: Role) -> pd.DataFrame:
    """The rows that a version answered in a role, with as many scores as it gives."""
    own = rows[((rows[VERSION] == version) & (rows[ROLE] == role)).to_numpy()]
    others = [name for name in answers.names(own) if own[name].isna().all()]
    return own.drop(columns=others) if len(own) else own


def _paired(ours: Judged, theirs: Judged) -> Difference | None:
    """On the rows that both answered; None if there are none."""
    place = pd.Series(np.arange(len(ours.losses)), index=ours.rows[PREDICTION_ID].to_numpy())
    ids = theirs.rows[PREDICTION_ID]
    both = ids.isin(place.index).to_numpy()
    if not both.any():
        return None
    champion = intervals.score(ours.loss, ours.losses[place[ids[both]].to_numpy()])
    challenger = intervals.score(theirs.loss, theirs.losses[both])
    groups = live.groups(theirs.rows[both])
    influence = challenger.influence - champion.influence
    figure = intervals.around(
        challenger.value - champion.value, intervals.error(influence, groups), intervals.degrees(influence, groups)
    )
    return Difference(champion.figure(groups), challenger.figure(groups), figure, int(both.sum()))


def _apart(ours: Judged, theirs: Judged) -> Difference | None:
    """On rows that one of the two answered, since the challenger began; None if one of them has none."""
    if not len(theirs.losses):
        return None
    since = (ours.rows[TIME] >= theirs.rows[TIME].min()).to_numpy()
    if not since.any():
        return None
    scores = intervals.score(ours.loss, ours.losses[since]), intervals.score(theirs.loss, theirs.losses)
    groups = live.groups(ours.rows[since]), live.groups(theirs.rows)
    errors = [intervals.error(each.influence, group) for each, group in zip(scores, groups, strict=True)]
    free = min(intervals.degrees(each.influence, group) for each, group in zip(scores, groups, strict=True))
    champion, challenger = (each.figure(group) for each, group in zip(scores, groups, strict=True))
    figure = intervals.around(scores[1].value - scores[0].value, math.hypot(*errors), free)
    return Difference(champion, challenger, figure, len(theirs.losses))


def _decided(version: str, metric: str, found: Difference | None, equal: float) -> tuple[bool, str]:
    """Whether there is enough to decide, and what can be said."""
    if found is None:
        return False, f"Nothing can be said of {version}: no true values of its rows have come yet."
    value, low, high = found.figure.value, found.figure.low, found.figure.high
    on = f"on {found.rows:,} labelled rows"
    if found.rows < _FEWEST or low is None or high is None:
        return False, f"Nothing can be said of {version} {on}; at least {_FEWEST} are wanted."
    told = f"{metric} {found.challenger.value:.4g} against {found.champion.value:.4g}, {on}"
    between = f"95 % interval of the difference: {low:+.4g} to {high:+.4g}"
    if high < 0:
        return True, f"{version} is better than the champion: {told} ({between}). That is enough to decide."
    if low > 0:
        return True, f"{version} is worse than the champion: {told} ({between}). That is enough to decide."
    none = equal * found.champion.value
    if -none <= low and high <= none:
        return True, f"{version} is as good as the champion within {equal:.0%}: {told} ({between}). That is enough."
    wanted = _more(found, (high - low) / 2, max(abs(value), none - abs(value)))
    return False, f"No difference is certain yet: {told} ({between}). About {wanted} would decide."


def _more(found: Difference, half: float, narrow: float) -> str:
    """How many more labelled rows make half an interval as narrow as this: its width falls with their root."""
    if narrow <= 0 or (more := found.rows * ((half / narrow) ** 2 - 1)) > _MOST:
        return f"more than {_MOST:,} further labelled rows"
    return f"{max(math.ceil(more / 100) * 100, 100):,} further labelled rows"
