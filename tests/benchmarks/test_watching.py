"""The simulated market, and a slice of what is measured with it: nothing is called changed, each change is found."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks.watching import market, said, scenarios
from benchmarks.watching.market import HISTORY_DAYS, World
from benchmarks.watching.report import rendered
from benchmarks.watching.said import Said
from benchmarks.watching.scenarios import NOTHING, SCENARIOS, Case
from benchmarks.watching.trained import trained

DAY = HISTORY_DAYS + 30


def test_a_changed_world_changes_what_it_says_and_nothing_else() -> None:
    before, after = market.day(1, DAY), market.day(1, DAY, World(seller=0.08))
    new = after["agency"] == "Fulmar"
    assert 0.05 < new.mean() < 0.11
    pd.testing.assert_frame_equal(before[~new], after[~new])
    inputs = [column.name for column in market.CONTRACT.inputs if column.name != "agency"]
    pd.testing.assert_frame_equal(before[inputs], after[inputs])
    dearer = market.day(1, DAY, World(level=1.25))
    np.testing.assert_allclose(dearer["price"], before["price"] * 1.25, atol=0.02)


def test_a_market_is_the_same_every_time_and_no_two_days_are() -> None:
    pd.testing.assert_frame_equal(market.day(1, DAY), market.day(1, DAY))
    assert not market.day(1, DAY)["price"].equals(market.day(1, DAY + 1)["price"])
    assert not market.day(2, DAY)["price"].equals(market.day(1, DAY)["price"])


def test_the_mix_changes_by_the_odds_that_are_asked_for() -> None:
    shares = [
        market.day(1, DAY, world, 20_000)["cabin"].value_counts(normalize=True)
        for world in (World(), World(dear_cabins=3.0))
    ]
    odds = [share.drop("economy") / share["economy"] for share in shares]
    assert (odds[1] / odds[0]).to_numpy() == pytest.approx([3, 3], rel=0.1)


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> list[Said]:
    folder: Path = tmp_path_factory.mktemp("market")
    trained(market.PROBLEM, market.history(1).iloc[::3], folder, rounds=300)
    start = HISTORY_DAYS + 100
    sudden = [Case(scenario, start) for scenario in SCENARIOS if not scenario.creeps]
    return [said.judged(1, folder, case) for case in (*(Case(NOTHING, start + n) for n in range(7)), *sudden)]


@pytest.mark.slow
def test_an_undisturbed_market_raises_no_alarm(found: list[Said]) -> None:
    quiet = [each for each in found if each.case.scenario == NOTHING]
    assert len(quiet) == 7
    assert {each.status for each in quiet} <= {"ok", "changed"}
    assert all(abs(each.estimates["Boxwood"] / each.true - 1) < 0.15 for each in quiet)


@pytest.mark.slow
def test_every_sudden_harm_is_found_on_its_first_day_and_no_harmless_change_is_an_alarm(found: list[Said]) -> None:
    for each in found:
        if each.case.scenario != NOTHING:
            assert (each.status == "alarm") == (each.case.scenario.meaning == "harmful"), each


@pytest.mark.slow
def test_nothing_but_labels_shows_a_change_of_the_truth(found: list[Said]) -> None:
    [dearer] = [each for each in found if each.case.world.level != 1]
    assert dearer.alarms == {"Boxwood": False, "Boxwood, labels": True}


def test_the_report_says_when_a_change_was_found_and_by_whom() -> None:
    creep = next(scenario for scenario in SCENARIOS if scenario.level_a_day != 1)
    days = [
        Said(Case(NOTHING, HISTORY_DAYS + n), "ok", {"A": n == 0, "A, labels": False}, 2.0, {"A": 2.1})
        for n in range(40)
    ]
    for scenario in SCENARIOS:
        for case in (Case(scenario, HISTORY_DAYS, after) for after in range(scenario.days)):
            late = case.after >= 5
            alarms = {"A": False, "A, labels": scenario == creep and late}
            days.append(Said(case, "alarm" if late else "ok", alarms, 3.0, {"A": 2.1}))
    lines = rendered(days).splitlines()
    assert "| alarms on 100 undisturbed days | 2.5 | 0.0 |" in lines
    assert f"| {creep.name} | never | 7, at +50%, 7 since +5% |" in lines
    assert "| loyalty points double | 0 of 3 days | 0 of 3 days |" in lines
    assert "| A | 100.0% | 5.0% | +5% to +5% |" in lines
    assert f"| {creep.name} | +50% | +0% |" in lines


def test_cases_have_names_of_their_own() -> None:
    cases = scenarios.quiet(30) + scenarios.changed([0, 10])
    assert len({case.name for case in cases}) == len(cases)
