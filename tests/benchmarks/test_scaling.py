"""The arithmetic of scaling, and the page that shows it."""

import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.scaling import inputs, plan
from benchmarks.scaling.__main__ import BEGIN, END, PAGE, replaced
from tests.project import DEV, ROOT

RESULTS = inputs.RESULTS.read_text()
GIVEN: Mapping[str, float] = {name: each.value for name, each in inputs.defaults(RESULTS).items()}
loads = st.floats(1, 1e9)


def printed(*arguments: str) -> str:
    done = subprocess.run(
        [DEV / "python", "-m", "benchmarks.scaling", *arguments], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def test_the_page_shows_what_the_command_prints() -> None:
    shown = PAGE.read_text().partition(BEGIN)[2].partition(END)[0].strip()
    assert shown == printed(), "run `python -m benchmarks.scaling --write`, and see whether the page's words still hold"
    assert replaced(f"a {BEGIN} old {END} b", r"\1") == f"a {BEGIN}\n\\1\n{END} b"


def test_it_starts_from_what_was_measured() -> None:
    assert f"{GIVEN['rate']:,.0f}/s, p99 {GIVEN['p99']} ms" in RESULTS
    assert f"| Boxwood, typed | {GIVEN['typed']:,.0f}/s" in RESULTS
    assert f"| 1 | 2 | {GIVEN['explained']:,.0f} |" in RESULTS


def test_figures_of_another_machine_and_other_prices_are_taken(tmp_path: Path) -> None:
    slower = tmp_path / "results.md"
    slower.write_text(RESULTS.replace(f"{GIVEN['rate']:,.0f}/s", "7,093/s"))
    text = printed(str(slower), "--core", "1", "--node", "1", "--loads", "100000")
    assert "| workers over HTTP | 21 |" in text
    assert "| Kubernetes on them | 2,263 USD a month |" in text  # 3 nodes and the control plane, of 730 hours
    assert "| `--node` | 1 | USD an hour of n2-standard-8 | the command line |" in text


@given(loads)
def test_workers_are_as_few_as_can_answer(load: float) -> None:
    found = plan.planned(load, GIVEN)
    usable = GIVEN["rate"] * GIVEN["share"] * GIVEN["core"]
    assert found.workers * usable >= load * (1 - 1e-9)
    assert found.workers == 1 or (found.workers - 1) * usable < load
    assert found.in_flight <= GIVEN["concurrency"]
    assert found.instances == found.workers, "the processor ends first"
    assert 0 < found.recorded <= 1
    assert found.nodes * GIVEN["node-pods"] >= max(found.workers, GIVEN["least-pods"])


def test_concurrency_is_a_limit_of_cloud_run_alone() -> None:
    usual, narrow = plan.planned(1e5, GIVEN), plan.planned(1e5, {**GIVEN, "concurrency": 10})
    assert narrow.instances == 56  # 10 in 5.6 ms are 1,786 a second
    assert narrow.by_instance > 2 * usual.by_instance
    assert (narrow.workers, narrow.cluster, narrow.series) == (usual.workers, usual.cluster, usual.series)
    reached = [
        {limit.what: limit.load for limit in plan.limits(given)} for given in (GIVEN, {**GIVEN, "concurrency": 10})
    ]
    assert {what for what, load in reached[0].items() if reached[1][what] != load} == {
        "`max_instances: 10` of Cloud Run",
        "1,000 vCPUs of a service on Cloud Run",
    }


def test_a_core_of_half_the_speed_takes_twice_the_workers() -> None:
    whole, half = (plan.planned(1e7, {**GIVEN, "core": core}) for core in (1.0, 0.5))
    assert half.workers == pytest.approx(2 * whole.workers, abs=1)
    assert half.in_flight == pytest.approx(whole.in_flight, rel=1e-3)  # each takes twice as long


@given(loads, st.floats(1, 10))
def test_more_load_costs_no_less(load: float, times: float) -> None:
    less, more = plan.planned(load, GIVEN)._asdict(), plan.planned(load * times, GIVEN)._asdict()
    for what in ("workers", "typed", "by_instance", "by_request", "cluster", "gigabits", "series", "log", "logging"):
        assert more[what] >= less[what], what


@pytest.mark.parametrize("limit", plan.limits(GIVEN), ids=lambda limit: str(limit.what))
def test_a_limit_is_reached_at_its_load_and_not_before(limit: plan.Limit) -> None:
    below, above = (plan.planned(limit.load * times, GIVEN) for times in (0.999, 1.001))

    def over(found: plan.Plan) -> set[str]:
        reached = {
            "GiB of log": found.logging > 0,
            "rows a second": found.recorded < 1,
            "max_instances": found.instances > GIVEN["most-instances"],
            "maxReplicas": found.workers > GIVEN["most-pods"],
            "vCPUs of a service": found.instances * GIVEN["vcpus"] > GIVEN["run-quota"],
            "series in one": found.series > GIVEN["prometheus"],
            "nodes of": found.nodes > GIVEN["nodes"],
        }
        return {name for name, is_so in reached.items() if is_so}

    [name] = over(above) - over(below)
    assert name in limit.what


def test_a_busy_service_is_cheaper_by_instance() -> None:
    sleepy, busy = plan.planned(1, GIVEN), plan.planned(1_000, GIVEN)
    assert busy.by_request > 10 * busy.by_instance
    assert sleepy.by_request < 2 * sleepy.by_instance
