"""Two versions on the same rows, or on rows of their own: when there is enough to decide, and what is decided."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import pytest

from model.outcomes import Multiclass
from model.outcomes.sets import Sets
from model.record import Role
from model.watched import Watched
from monitoring import rivals
from monitoring.compact import compact
from monitoring.journal import PREDICTION_ID, ROLE, TIME, VERSION
from monitoring.lines import Journal
from monitoring.outcomes import bring
from monitoring.rivals import Beside, rival
from monitoring.store import Store
from monitoring.truth import ACTUAL
from monitoring.verdict import Rival
from tests.monitoring import made
from tests.monitoring.records import CONTRACT, DAY, MODEL, record, watched, write
from tests.monitoring.records import VERSION as CHAMPION

OTHER = "b" * 16
SEEDS = 200
BESIDE, CHALLENGER = Beside(OTHER, "shadow", watched()), Beside(OTHER, "challenger", watched())


def answers(
    seed: int, rows: int, error: float, version: str, role: Role, truth: np.ndarray | None = None
) -> pd.DataFrame:
    """Answers whose errors are normal; with `truth` to those rows, else to rows of their own."""
    random = np.random.default_rng([seed, ord(version[0]), rows])
    actual = random.uniform(50, 150, rows) if truth is None else truth
    own = "" if truth is not None else version
    value = actual + random.normal(0, error, rows)
    return pd.DataFrame(
        {
            **{f"score.{place}": value for place in range(3)},
            TIME: pd.Timestamp("2026-11-30", tz="UTC"),
            VERSION: version,
            PREDICTION_ID: [f"{own}{place}" for place in range(rows)],
            ROLE: role,
            ACTUAL: actual,
        }
    )


def shadowed(seed: int, rows: int, champion: float, shadow: float) -> Rival:
    truth = np.random.default_rng(seed).uniform(50, 150, rows)
    both = [answers(seed, rows, champion, CHAMPION, "", truth), answers(seed, rows, shadow, OTHER, "shadow", truth)]
    return rival(watched(), pd.concat(both, ignore_index=True), BESIDE)


def shared(seed: int, rows: int, champion: float, challenger: float) -> Rival:
    both = [
        answers(seed, 9 * rows, champion, CHAMPION, ""),
        answers(seed, rows, challenger, OTHER, "challenger"),
    ]
    return rival(watched(), pd.concat(both, ignore_index=True), CHALLENGER)


@pytest.mark.parametrize("compared", [shadowed, shared])
def test_intervals_of_equal_models_hold_nothing_nineteen_times_of_twenty(compared: Any) -> None:
    differences = [compared(seed, 200, 10.0, 10.0).difference for seed in range(SEEDS)]
    held = np.mean([each.low <= 0 <= each.high for each in differences])
    assert 0.91 <= held <= 0.985  # 0.95, three standard errors around


@pytest.mark.parametrize("compared", [shadowed, shared])
def test_intervals_hold_the_true_difference(compared: Any) -> None:
    true = (12 - 10) * np.sqrt(2 / np.pi)
    differences = [compared(seed, 200, 10.0, 12.0).difference for seed in range(SEEDS)]
    assert 0.91 <= np.mean([each.low <= true <= each.high for each in differences]) <= 0.985


@pytest.mark.parametrize("compared", [shadowed, shared])
def test_a_better_and_a_worse_version_are_told_with_enough_rows(compared: Any) -> None:
    better, worse = compared(1, 2_000, 10.0, 7.0), compared(1, 2_000, 10.0, 14.0)
    assert better.enough
    assert "is better than the champion" in better.sentence
    assert worse.enough
    assert "is worse than the champion" in worse.sentence
    assert (worse.rows, worse.labelled, worse.metric) == (2_000, 2_000, "mae")


def test_what_is_not_certain_yet_is_told_with_how_many_rows_would_decide() -> None:
    found = shadowed(3, 300, 10.0, 10.3)
    assert not found.enough
    assert "No difference is certain yet" in found.sentence
    assert "further labelled rows would decide" in found.sentence


def test_equal_answers_are_told_to_be_as_good() -> None:
    truth = np.linspace(50, 150, 1_000)
    champion = answers(1, 1_000, 10.0, CHAMPION, "", truth)
    same = champion.assign(**{VERSION: OTHER, ROLE: "shadow"})
    found = rival(watched(), pd.concat([champion, same], ignore_index=True), BESIDE)
    assert found.enough
    assert "is as good as the champion within 1%" in found.sentence


def test_few_labelled_rows_decide_nothing() -> None:
    found = shadowed(1, 99, 10.0, 1.0)
    assert not found.enough
    assert "at least 100 are wanted" in found.sentence
    rows = answers(1, 50, 10.0, OTHER, "shadow").assign(**{ACTUAL: np.nan})
    nothing = rival(watched(), rows, BESIDE)
    assert (nothing.rows, nothing.labelled, nothing.difference) == (50, 0, None)
    assert "no true values" in nothing.sentence


def test_a_callers_rows_are_one_voice_among_challengers_too() -> None:
    champion, other = answers(1, 900, 10.0, CHAMPION, ""), answers(1, 300, 10.0, OTHER, "challenger")
    many = pd.concat([champion, *[other] * 9], ignore_index=True)
    keyed = many.assign(**{"key.flat": many[PREDICTION_ID]})
    loose, careful = (rival(watched(), rows, CHALLENGER).difference for rows in (many, keyed))
    assert loose is not None
    assert careful is not None
    assert careful.high - careful.low > 1.5 * (loose.high - loose.low)  # type: ignore[operator]


def test_every_version_that_answered_beside_the_champion_is_compared(tmp_path: Path) -> None:
    records = [record(number) for number in range(1, 301)]
    shadows = [record(number, role="shadow", version=OTHER) for number in range(1, 301)]
    own = [record(number, role="challenger", version="c" * 16) for number in range(301, 320)]
    write(tmp_path / "journal/a.jsonl", [*records, *shadows, *own])
    compact(Journal(str(tmp_path / "journal")), str(tmp_path / "watch"))
    store = Store(MODEL, str(tmp_path / "watch"))
    (tmp_path / "table.csv").write_text(
        "prediction_id,price\n" + "".join(f"id-{n},{100 * n + 7}\n" for n in range(1, 201))
    )
    bring(store, CONTRACT, str(tmp_path / "table.csv"))
    found = rivals.compare(store, watched(), DAY, DAY)
    assert [(each.version, each.role, each.rows, each.labelled) for each in found] == [
        (OTHER, "shadow", 300, 200),
        ("c" * 16, "challenger", 19, 0),
    ]
    assert found[0].champion is not None
    assert found[0].champion.value == pytest.approx(7)
    assert found[0].enough


def classes(labels: Sequence[str], version: str) -> Watched:
    """A version that answers these classes in this order."""
    return msgspec.structs.replace(
        made.model("multiclass").watched,
        version=version,
        outcome=Multiclass(tuple(labels), 1.0, (0.0,) * len(labels), None, Sets(0.9, 0.9)),
    )


def answered(labels: Sequence[str], version: str, role: Role) -> pd.DataFrame:
    """A thousand answers of which four in five are right, by their order of classes."""
    random = np.random.default_rng(1)
    actual = random.choice(["a", "b", "c"], 1_000)
    said = np.where(random.random(1_000) < 0.8, actual, "a")
    scores = np.where(np.array(list(labels))[None, :] == said[:, None], 0.8, 0.2 / (len(labels) - 1))
    named = {f"score.{place}": column for place, column in enumerate(scores.T)}
    identity = {VERSION: version, PREDICTION_ID: [str(place) for place in range(1_000)], ROLE: role}
    return pd.DataFrame({**named, TIME: pd.Timestamp("2026-11-30", tz="UTC"), **identity, ACTUAL: actual})


def test_each_version_is_read_by_its_own_order_of_classes() -> None:
    ours, theirs = answered("abc", CHAMPION, ""), answered("cab", OTHER, "shadow")
    both = pd.concat([ours, theirs], ignore_index=True)
    found = rival(classes("abc", CHAMPION), both, Beside(OTHER, "shadow", classes("cab", OTHER)))
    assert found.enough
    assert "is as good as the champion" in found.sentence


@pytest.mark.parametrize("known", [True, False])
def test_versions_that_answer_other_classes_are_not_compared(known: bool) -> None:
    ours, theirs = answered("abc", CHAMPION, ""), answered("abcd", OTHER, "shadow")
    beside = Beside(OTHER, "shadow", classes("abcd", OTHER) if known else None)
    found = rival(classes("abc", CHAMPION), pd.concat([ours, theirs], ignore_index=True), beside)
    assert (found.enough, found.rows, found.difference) == (False, 1_000, None)
    assert ("a, b, c, d, and the champion a, b, c" if known else "Run this where it was trained") in found.sentence
