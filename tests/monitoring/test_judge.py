"""The verdict: what is an alarm, what is a change that the model knows, and what is neither."""

import functools
from collections.abc import Callable
from typing import Any, get_args

import msgspec
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitoring import answers as monitored
from monitoring.estimates import ACTUAL
from monitoring.verdict import Kind, Verdict
from problems.base import Task
from tests.monitoring import made

TASKS: tuple[Task, ...] = ("regression", "binary", "multiclass")
ROWS = 2_000


@functools.cache
def model(task: Task = "regression") -> made.Model:
    return made.model(task)


def answers(task: Task = "regression", seed: int = 1, count: int = ROWS, **changed: Any) -> pd.DataFrame:
    return made.answers(task, np.random.default_rng(seed), count, **changed)


def unlabelled(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.drop(columns=ACTUAL)


def kinds(verdict: Verdict, *, harmful: bool = True) -> set[Kind]:
    return {finding.kind for finding in verdict.findings if finding.harmful is harmful}


@pytest.mark.parametrize("task", TASKS)
def test_days_like_those_before_are_no_alarm(task: Task) -> None:
    for seed in range(5):
        verdict = model(task).judged(answers(task, seed))
        assert verdict.status == "ok", verdict.sentence
        assert verdict.findings == []


def test_a_season_is_no_change() -> None:
    """In winter all are smaller: beside the reference of the whole year the spread is another one."""
    for start in (0, 90, 180, 270):
        days = (365 * made.YEARS + start, 365 * made.YEARS + start + 30)
        verdict = model().judged(answers(days=days))
        assert verdict.status == "ok", verdict.sentence
        assert "weeks of the year" in verdict.reference


def test_a_number_that_another_season_had_is_within_what_is_known() -> None:
    """The low season has sizes up to 185, and the high one up to 215."""
    low = (365 * 2 + 264, 365 * 2 + 284)
    rows = answers(days=low)
    larger, beyond = (model().judged(rows.assign(size=rows["size"] + more)) for more in (28, 60))
    assert "out_of_range" not in kinds(larger)
    assert "out_of_range" in kinds(beyond)


def test_what_has_one_value_a_day_does_not_stick_and_what_had_many_does() -> None:
    levels = np.random.default_rng(3).normal(100, 20, 365 * made.YEARS)

    def fuel(rows: pd.DataFrame) -> pd.DataFrame:
        return rows.assign(size=levels[(rows["day"] - pd.Timestamp("2022-01-01")).dt.days])

    many = made.model(rows=30_000)
    daily = many._replace(reference=fuel(many.reference))
    rows = fuel(answers(days=(365 * made.YEARS - 1, 365 * made.YEARS)))
    assert "stuck" not in kinds(daily.judged(rows))
    assert "stuck" in kinds(many.judged(rows))


def test_fifty_rows_are_not_enough() -> None:
    verdict = model().judged(answers(count=50, town="Zug", factor=2.0))
    assert verdict.status == "too_few_rows"
    assert verdict.findings == []
    assert "50 of the 500" in verdict.sentence


def _chosen(rows: pd.DataFrame, share: float) -> np.ndarray:
    """This share of the rows, at random."""
    return np.random.default_rng(2).random(len(rows)) < share


def _stuck(rows: pd.DataFrame) -> pd.Series:
    return rows["size"].where(_chosen(rows, 0.5), 77.7)


def _renamed(rows: pd.DataFrame) -> pd.Series:
    return rows["town"].where(_chosen(rows, 0.9), "Zug")


def _larger(rows: pd.DataFrame) -> pd.Series:
    return rows["size"].where(_chosen(rows, 0.8), rows["size"] + 300)


def _gone(rows: pd.DataFrame) -> pd.Series:
    return rows["rooms"].where(_chosen(rows, 0.8), pd.NA)


HARM: dict[Kind, tuple[str, Callable[[pd.DataFrame], pd.Series]]] = {
    "stuck": ("size", _stuck),
    "new_names": ("town", _renamed),
    "out_of_range": ("size", _larger),
    "missing": ("rooms", _gone),
}


@pytest.mark.parametrize("kind", HARM)
def test_rows_beyond_what_the_model_knows_are_an_alarm_without_labels(kind: Kind) -> None:
    column, changed = HARM[kind]
    columns: dict[str, Any] = {column: changed}
    verdict = model().judged(unlabelled(answers(**columns)))
    assert verdict.status == "alarm"
    assert kind in kinds(verdict)
    assert column in verdict.sentence


@pytest.mark.parametrize("task", TASKS)
def test_a_changed_truth_is_an_alarm_once_labels_come_and_not_before(task: Task) -> None:
    rows = answers(task, factor=1.4)
    assert model(task).judged(unlabelled(rows)).status == "ok"
    verdict = model(task).judged(rows)
    assert verdict.status == "alarm"
    # sets of two classes are wide enough to hold all the same
    assert kinds(verdict) == {"performance", "bias", *(["coverage"] if task != "binary" else [])}


@pytest.mark.parametrize(("task", "factor"), [("regression", 1.02), ("regression", 0.98), ("binary", 1.2)])
def test_what_leans_one_way_is_found_before_the_mean_loss_shows_it(task: Task, factor: float) -> None:
    for seed in range(5):
        verdict = model(task).judged(answers(task, seed, factor=factor))
        assert "bias" in kinds(verdict)
        assert "performance" not in kinds(verdict)
    assert {"regression": "above" if factor > 1 else "below", "binary": "less often than its probabilities say"}[
        task
    ] in verdict.sentence


@pytest.mark.parametrize(("task", "factor"), [("regression", 1.005), ("binary", 1.03), ("multiclass", 1.02)])
def test_a_lean_that_costs_little_is_none(task: Task, factor: float) -> None:
    """Ten thousand rows show it surely."""
    assert model(task).judged(answers(task, count=10_000, factor=factor)).status == "ok"


@pytest.mark.parametrize("task", ["binary", "multiclass"])
def test_a_model_that_always_was_too_sure_is_no_alarm(task: Task) -> None:
    """Its log loss is far above what its probabilities say, on held-out rows and now."""
    sure, rows = model(task), answers(task)
    verdict = made.Model(sure.watched, _sharper(sure.reference)).judged(_sharper(rows))
    assert verdict.status == "ok", verdict.sentence
    assert made.Model(sure.watched, sure.reference).judged(_sharper(rows)).status == "alarm"


def _sharper(rows: pd.DataFrame) -> pd.DataFrame:
    names = monitored.names(rows)
    shares = rows[names].to_numpy()
    whole = np.column_stack([1 - shares, shares]) if len(names) == 1 else shares
    sharp = whole**3 / (whole**3).sum(axis=1, keepdims=True)
    return rows.assign(**dict(zip(names, sharp[:, -len(names) :].T, strict=True)))


def test_names_of_few_rows_are_not_told() -> None:
    """One may be a person's."""
    names = [f"Jane Doe {place}" for place in range(ROWS)]
    verdict = model().judged(answers(town=lambda rows: rows["town"].where(~_chosen(rows, 0.1), names)))
    [finding] = [each for each in verdict.findings if each.kind == "new_names"]
    assert "each of them in fewer than 5 rows" in finding.sentence
    assert "Jane" not in msgspec.json.encode(verdict).decode()


@pytest.mark.parametrize("task", ["binary", "multiclass"])
def test_true_values_that_are_no_class_of_the_model_are_left_out(task: Task) -> None:
    rows = answers(task)
    strange = rows.assign(**{ACTUAL: rows[ACTUAL].astype("str").mask(_chosen(rows, 0.2), "perhaps")})
    verdict = model(task).judged(strange)
    assert verdict.status == "ok", verdict.sentence
    assert verdict.performance[0].labelled == int((strange[ACTUAL] != "perhaps").sum())


@pytest.mark.parametrize("task", TASKS)
def test_a_mix_that_the_model_knows_is_harmless_whatever_its_loss(task: Task) -> None:
    """Large ones have larger errors: the loss rises with their share, and no answer is worse for it."""
    verdict = model(task).judged(answers(task, large=0.95, count=4_000))
    assert verdict.status == "changed", verdict.sentence
    assert {"distribution", "shift"} & kinds(verdict, harmful=False)
    assert kinds(verdict) == set()


def test_drift_of_what_the_model_hardly_looks_at_is_a_note() -> None:
    verdict = model().judged(answers(colour="green"))
    assert verdict.status == "ok"
    assert {finding.column for finding in verdict.findings} == {"colour"}
    assert kinds(verdict) == set()


@settings(max_examples=25, deadline=None)
@given(data=st.data(), seed=st.integers(0, 2**32 - 1), task=st.sampled_from(TASKS))
def test_identical_data_never_alarms(data: st.DataObject, seed: int, task: Task) -> None:
    """Rows of the reference itself, of tables with columns of any kind: rare names, atoms, long tails, none at all."""
    random = np.random.default_rng(seed)
    whole = made.model(task, rows=data.draw(st.integers(300, 3_000), label="reference rows"))
    sizes = data.draw(st.sampled_from(list(_SIZES)), label="sizes")
    towns = data.draw(st.integers(1, 400), label="towns")
    count = len(whole.reference)
    reference = whole.reference.assign(
        size=_SIZES[sizes](random, count),
        town=pd.Series([f"town {place}" for place in random.zipf(1.5, count) % towns], dtype="str"),
        rooms=pd.Series(3, index=whole.reference.index, dtype="Int64").mask(random.random(count) < random.random()),
    )
    known = list(reference["town"].unique()[: data.draw(st.integers(1, towns), label="known towns")])
    watched = msgspec.structs.replace(whole.watched, vocabularies={"town": known, "colour": ["blue", "red"]})
    window = reference.sample(data.draw(st.integers(1, 4_000), label="rows"), replace=True, random_state=seed)
    window = window.rename(columns={"target": ACTUAL}).reset_index(drop=True)
    verdict = made.Model(watched, reference).judged(window)
    assert verdict.status in ("ok", "too_few_rows"), verdict.sentence


_SIZES: dict[str, Callable[[np.random.Generator, int], np.ndarray]] = {
    "constant": lambda random, count: np.full(count, 5.0),
    "whole": lambda random, count: random.integers(0, 3, count).astype(float),
    "long tail": lambda random, count: random.standard_cauchy(count),
    "tiny": lambda random, count: 1e-300 * random.normal(size=count),
    "huge": lambda random, count: 1e150 * random.normal(size=count),
    "missing": lambda random, count: np.full(count, np.nan),
    "atom": lambda random, count: np.where(random.random(count) < 0.9, 0.0, random.lognormal(size=count)),
}


def test_the_order_of_rows_does_not_matter() -> None:
    rows = answers(town=_renamed, factor=1.2)
    one, other = (model().judged(table) for table in (rows, rows.sample(frac=1.0, random_state=3, ignore_index=True)))
    assert one.status == other.status == "alarm"
    for before, after in zip(one.columns, other.columns, strict=True):
        assert after.psi == pytest.approx(before.psi)
        assert after.new_names == before.new_names
    assert other.divergence == pytest.approx(one.divergence)
    assert other.performance[0].true.value == pytest.approx(one.performance[0].true.value)  # type: ignore[union-attr]


def test_twice_the_same_rows_are_no_more_of_an_alarm() -> None:
    rows = answers()
    for times in (2, 8):
        verdict = model().judged(pd.concat([rows] * times, ignore_index=True))
        assert verdict.status == "ok", verdict.sentence


def test_a_verdict_survives_its_document() -> None:
    verdict = model().judged(answers(town=_renamed))
    assert msgspec.json.decode(msgspec.json.encode(verdict), type=Verdict) == verdict
    assert verdict.made == made.MADE
    assert {finding.kind for finding in verdict.findings} <= set(get_args(Kind))


def test_every_column_that_is_compared_has_its_figures() -> None:
    verdict = model().judged(answers())
    assert [column.name for column in verdict.columns] == ["town", "size", "rooms", "lift", "colour"]  # no time
    assert sum(column.importance for column in verdict.columns) == pytest.approx(0.95, abs=0.01)
