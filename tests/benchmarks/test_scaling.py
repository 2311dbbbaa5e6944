"""The arithmetic of scaling, and the page that shows it."""

import contextlib
import math
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
MEASURED: Mapping[str, float] = {name: each.value for name, each in inputs.defaults(RESULTS).items()}
# The arithmetic is held to figures that stay, whatever the next `make bench` measures.
GIVEN: Mapping[str, float] = {**MEASURED, "rate": 14_187, "p99": 2.8, "typed": 4_242, "explained": 950}
loads = st.floats(1, 1e9)


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command: list[str | Path] = [DEV / "python", "-m", "benchmarks.scaling", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def printed(*arguments: str) -> str:
    done = run(*arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_the_page_shows_what_the_command_prints() -> None:
    shown = PAGE.read_text().partition(BEGIN)[2].partition(END)[0].strip()
    assert shown == printed(), "run `python -m benchmarks.scaling --write`, and see whether the page's words still hold"
    assert replaced(f"a {BEGIN} old {END} b", r"\1") == f"a {BEGIN}\n\\1\n{END} b"


def test_it_starts_from_what_was_measured() -> None:
    assert f"{MEASURED['rate']:,.0f}/s, p99 {MEASURED['p99']} ms" in RESULTS
    assert f"| Boxwood, typed | {MEASURED['typed']:,.0f}/s" in RESULTS
    assert f"| 1 | 2 | {MEASURED['explained']:,.0f} |" in RESULTS


def test_figures_of_another_machine_and_other_prices_are_taken(tmp_path: Path) -> None:
    slower = tmp_path / "results.md"
    slower.write_text(RESULTS.replace(f"{MEASURED['rate']:,.0f}/s", "7,093/s"))
    text = printed(str(slower), "--core", "1", "--node", "1", "--loads", "100000")
    assert "| workers over HTTP | 21 |" in text
    assert "| Kubernetes on them | 2,263 USD a month |" in text  # 3 nodes and the control plane, of 730 hours
    assert "| `--node` | 1 | USD an hour of n2-standard-8 | the command line |" in text


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--core", "0"), "--core: 0 is no number from 1e-09 to 1e+15"),
        (("--core", "nan"), "--core: nan is no number from"),
        (("--core", "half"), "--core: half is no number from"),
        (("--node", "-1"), "--node: -1 is no number from 0 to"),
        (("--share", "1.5"), "--share: 1.5 is no number from 1e-09 to 1"),
        (("--loads", "1000", "0"), "--loads: 0 is no number from"),
        (("--loads", "-5"), "--loads: -5 is no number from"),
        (("--loads", "inf"), "--loads: inf is no number from"),
        (("--node-pods", "0"), "--node-pods: 0 is no whole number from 1 to"),
        (("--most-pods", "20.5"), "--most-pods: 20.5 is no whole number from 1 to"),
        (("--least-pods", "30"), "--least-pods 30 is more than --most-pods 20"),
        (("nowhere.md",), "nowhere.md cannot be read: No such file or directory"),
        (("README.md",), "README.md is not what `make bench` writes: it has no section 'Single rows over HTTP'"),
    ],
    ids=lambda each: " ".join(each) if isinstance(each, tuple) else "",
)
def test_what_cannot_be_is_refused_with_a_sentence(arguments: tuple[str, ...], said: str) -> None:
    done = run(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert done.stderr.count("\n") <= 3, "no traceback, and no usage of all flags"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("| Boxwood, alone |", "| Boxwood |", "'Single rows over HTTP' has no row 'Boxwood, alone'"),
        ("| 32 connections |", "| connections |", "'Single rows over HTTP' has no column '32 connections'"),
        (f"p99 {MEASURED['p99']} ms", "p99", "'32 connections' has no p99"),
        (f"| 1 | 2 | {MEASURED['explained']:,.0f} |", "| 1 | 2 | many |", "'Explanations' has no row for 1 row and 2"),
        (f"{MEASURED['rate']:,.0f}/s", "0/s", "--rate: 0.0 is no number from 1e-09 to"),
    ],
    ids=["row", "column", "p99", "explained", "zero"],
)
def test_figures_that_are_not_there_are_named(tmp_path: Path, old: str, new: str, said: str) -> None:
    path = tmp_path / "results.md"
    path.write_text(RESULTS.replace(old, new))
    done = run(str(path))
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr


@given(st.dictionaries(st.sampled_from(sorted(GIVEN)), st.sampled_from(["1", "0", "1e-9", "1e15", "0.5", "7"])))
def test_whatever_is_taken_has_an_answer(flags: Mapping[str, str]) -> None:
    taken = dict(GIVEN)
    for name, text in flags.items():
        with contextlib.suppress(ValueError):
            taken[name] = inputs.number(name, text)
    for load in (inputs.LOWEST, inputs.HIGHEST):
        assert all(math.isfinite(each) for each in figures(plan.planned(load, taken)).values())
    assert all(math.isfinite(limit.load) for limit in plan.limits(taken))


def figures(found: plan.Plan) -> dict[str, float]:
    """All numbers of a plan by their names, a journal's below its own."""
    flat: dict[str, float] = {}
    for name, value in found._asdict().items():
        if isinstance(value, plan.Journal):
            flat |= {f"{name}.{part}": number for part, number in value._asdict().items()}
        else:
            flat[name] = value
    return flat


@given(loads)
def test_workers_are_as_few_as_can_answer(load: float) -> None:
    found = plan.planned(load, GIVEN)
    usable = GIVEN["rate"] * GIVEN["share"] * GIVEN["core"]
    assert found.workers * usable >= load * (1 - 1e-9)
    assert found.workers == 1 or (found.workers - 1) * usable < load
    assert found.in_flight <= GIVEN["concurrency"]
    assert found.instances == found.workers, "the processor ends first"
    assert 0 < found.instance_journal.share <= 1
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


def test_each_pod_keeps_a_journal_those_that_wait_for_another_to_go_too() -> None:
    two, thirty = (plan.planned(1_000, {**GIVEN, "least-pods": pods, "most-pods": 30}) for pods in (2, 30))
    assert (two.instance_journal.rows, two.pod_journal.rows) == (200, 400)
    assert two.pod_journal.gibibytes == pytest.approx(2 * two.instance_journal.gibibytes)
    assert thirty.pod_journal.share == 1  # 33 rows a second each
    narrow = plan.planned(1e5, {**GIVEN, "concurrency": 10})
    assert narrow.instance_journal.rows == 56 * 200
    assert narrow.pod_journal.rows == 21 * 200


@pytest.mark.parametrize("rows", [1, 10, 30, 200])
def test_the_log_costs_something_from_its_limit_on(rows: float) -> None:
    few = {**GIVEN, "journal-rows": rows}
    [limit] = [each for each in plan.limits(few) if "GiB of log" in each.what]
    below, above = (plan.planned(limit.load * times, few) for times in (0.999, 1.001))
    assert max(below.instance_journal.dollars, below.pod_journal.dollars) == 0
    assert max(above.instance_journal.dollars, above.pod_journal.dollars) > 0


def test_a_worker_that_may_record_all_that_it_answers_has_no_limit() -> None:
    assert not [each for each in plan.limits({**GIVEN, "journal-rows": 10_000}) if "rows a second" in each.what]


def test_a_core_of_half_the_speed_takes_twice_the_workers() -> None:
    whole, half = (plan.planned(1e7, {**GIVEN, "core": core}) for core in (1.0, 0.5))
    assert half.workers == pytest.approx(2 * whole.workers, abs=1)
    assert half.in_flight == pytest.approx(whole.in_flight, rel=1e-3)  # each takes twice as long


@given(loads, st.floats(1, 10))
def test_more_load_costs_no_less(load: float, times: float) -> None:
    less, more = figures(plan.planned(load, GIVEN)), figures(plan.planned(load * times, GIVEN))
    journals = [f"{which}_journal.{what}" for which in ("instance", "pod") for what in ("rows", "gibibytes", "dollars")]
    for what in ("workers", "typed", "by_instance", "by_request", "cluster", "gigabits", "series", *journals):
        assert more[what] >= less[what], what


@pytest.mark.parametrize("limit", plan.limits(GIVEN), ids=lambda limit: str(limit.what))
def test_a_limit_is_reached_at_its_load_and_not_before(limit: plan.Limit) -> None:
    below, above = (plan.planned(limit.load * times, GIVEN) for times in (0.999, 1.001))

    def over(found: plan.Plan) -> set[str]:
        reached = {
            "GiB of log": found.instance_journal.dollars > 0,
            "an instance of Cloud Run records": found.instance_journal.share < 1,
            "2 pods record": found.pod_journal.share < 1,
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
