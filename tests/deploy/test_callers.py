"""A rollout is judged by what callers of the new revision met, too, if that arrives in time."""

import dataclasses
import datetime
import math
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from deploy.__main__ import main
from deploy.cloud.callers import Buckets, Met, judged, surely_more
from deploy.cloud.monitoring import EMULATOR as MONITORING
from deploy.config import Canary
from deploy.errors import Unhealthy
from deploy.release.cloud_run import EMULATOR
from deploy.release.revisions import digest
from tests.deploy.releases import HTTP, Releases, image
from tests.deploy.standin import Image, StandIn
from tests.project import Project

HERE = Path(__file__).parent
FIRST, SECOND, BROKEN, STRICT, SLOW = map(image, ("first", "second", "broken", "strict", "slow"))
CANARY = {"steps": [40, 100], "requests": 10, "seconds": 3, "callers_seconds": 20, "max_slowdown": 1.5, "slack_ms": 300}


@pytest.fixture
def releases(trained: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Releases]:
    """A service that answers, and images that answer golden rows as well and not their callers."""
    [bundle] = [one for one in (trained.folder / "stores/bentoml/models/flights").iterdir() if one.is_dir()]
    good = Image((sys.executable, "-S", str(HERE / "answers_http.py")), HERE, {"ANSWERS": str(bundle)})
    images = dict.fromkeys((FIRST, SECOND), good)
    for reference, fault in (
        (BROKEN, {"GET_STATUS": "500"}),
        (STRICT, {"GET_STATUS": "422"}),
        (SLOW, {"GET_SECONDS": "1.2"}),
    ):
        images[reference] = dataclasses.replace(good, environment={**good.environment, **fault})
    with StandIn(images, delay=0.01) as cloud:
        monkeypatch.setenv(EMULATOR, cloud.address)
        monkeypatch.setenv(MONITORING, cloud.monitoring.address)
        yield Releases(cloud, tmp_path, {HTTP: "http"}, CANARY)


class Callers:
    """Callers of the service, who ask something else than golden rows until the end of the context."""

    def __init__(self, releases: Releases) -> None:
        self._uri = releases.services()[HTTP].uri
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._ask) for _ in range(16)]

    def _ask(self) -> None:
        with httpx.Client(base_url=self._uri) as client:
            while not self._over.is_set():
                client.get("/")

    def __enter__(self) -> None:
        for thread in self._threads:
            thread.start()

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()


@pytest.fixture
def rollout(releases: Releases, trained: Project, bento: str, capsys: pytest.CaptureFixture[str]) -> "Rollouts":
    found = Rollouts(releases, str(trained.source(bento).parent), capsys)
    assert found(FIRST)[0] == 0
    return found


@dataclasses.dataclass
class Rollouts:
    releases: Releases
    bento: str
    capsys: pytest.CaptureFixture[str]

    def __call__(self, reference: str) -> tuple[int, str]:
        """The exit code, and all that was printed."""
        code = main(["--config", str(self.releases.config), "rollout", reference, "--bento", self.bento])
        printed = self.capsys.readouterr()
        return code, printed.out + printed.err

    def serves(self, reference: str) -> bool:
        [(revision, percent)] = self.releases.splits()[HTTP].items()
        return percent == 100 and digest(reference) in revision


@pytest.mark.rollout
def test_callers_who_meet_nothing_worse_are_who_judges(rollout: Rollouts) -> None:
    rollout.releases.cloud.monitoring.delay = 0.5
    with Callers(rollout.releases):
        code, printed = rollout(SECOND)
    assert code == 0, printed
    assert "callers' requests: 0 errors, p95" in printed
    assert rollout.serves(SECOND)


@pytest.mark.rollout
@pytest.mark.parametrize(
    ("bad", "says"),
    [(BROKEN, "callers meet more errors"), (STRICT, "callers meet more refusals"), (SLOW, "callers wait longer")],
    ids=["500", "422", "slow"],
)
def test_what_only_callers_meet_ends_a_rollout(rollout: Rollouts, bad: str, says: str) -> None:
    with Callers(rollout.releases):
        code, printed = rollout(bad)
    assert code == 1, printed
    assert says in printed
    assert "The split from before is restored" in printed
    assert rollout.serves(FIRST)


@pytest.mark.rollout
@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"delay": math.inf}, "callers' metrics did not arrive in time; judged by the golden rows alone"),
        ({"refuses": 403}, "judged by the golden rows alone: Cloud Monitoring did not answer GET"),
        ({}, "0 requests of callers, beside 0, are too few; judged by the golden rows alone"),
    ],
    ids=["late", "no right to read them", "nobody calls"],
)
def test_without_them_golden_rows_judge_and_it_is_said(
    releases: Releases,
    trained: Project,
    bento: str,
    capsys: pytest.CaptureFixture[str],
    change: dict[str, int],
    says: str,
) -> None:
    quick = dataclasses.replace(releases, canary={**CANARY, "seconds": 0, "callers_seconds": 2})
    rollout = Rollouts(quick, str(trained.source(bento).parent), capsys)
    assert rollout(FIRST)[0] == 0
    for name, value in change.items():
        setattr(releases.cloud.monitoring, name, value)
    code, printed = rollout(SECOND)
    assert code == 0, printed
    assert says in printed
    assert rollout.serves(SECOND)


@given(
    hits=st.integers(0, 60), rest=st.integers(1, 200), hits_beside=st.integers(0, 60), rest_beside=st.integers(1, 900)
)
def test_it_is_fishers_test(hits: int, rest: int, hits_beside: int, rest_beside: int) -> None:
    found = stats.fisher_exact([[hits, rest], [hits_beside, rest_beside]], alternative="greater")
    surely = surely_more(hits, hits + rest, hits_beside, hits_beside + rest_beside)
    assert surely == (found.pvalue < 0.001) or math.isclose(found.pvalue, 0.001, rel_tol=1e-6)


@given(took=st.lists(st.integers(0, 999), min_size=1, max_size=200))
def test_the_percentile_is_in_the_bucket_of_the_true_one(took: list[int]) -> None:
    counts = Counter(one // 10 for one in took)
    met = _met(len(took), 0, {(10.0 * place, 10.0 * (place + 1)): count for place, count in counts.items()})
    true = sorted(took)[math.ceil(0.95 * len(took)) - 1]
    assert 10 * (true // 10) - 1e-9 <= met.p95 <= 10 * (true // 10 + 1) + 1e-9


def test_few_requests_and_small_differences_stop_nothing() -> None:
    quick = {(20.0, 30.0): 100}
    judged(_met(9, 9, took=quick), _met(10_000, 0, took=quick), Canary())
    judged(_met(12, 1, took=quick), _met(300, 0, took=quick), Canary())
    judged(_met(1_000_000, 3_000, took=quick), _met(1_000_000, 0, took=quick), Canary())
    with pytest.raises(Unhealthy, match="30 of 500 requests"):
        judged(_met(500, 30, took=quick), _met(9_000, 2, took=quick), Canary())


def _met(requests: int, errors: int, took: Buckets) -> Met:
    return Met(requests, errors, 0, took, datetime.datetime.now(datetime.UTC))
