"""Rollouts whose API fails at every step: run again, they finish; and whatever is left in between is whole."""

import contextlib
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.__main__ import main
from deploy.release import traffic
from deploy.release.cloud_run import EMULATOR
from deploy.release.revisions import digest
from deploy.release.traffic import PREVIOUS, SERVING
from tests.deploy.administration import Administration
from tests.deploy.releases import HTTP, Releases, image
from tests.deploy.standin import How, Image, NetworkFault, StandIn
from tests.project import Project

HERE = Path(__file__).parent
FIRST, SECOND, THIRD = map(image, ("first", "second", "third"))
CHANGES = ("CreateService", "UpdateService")
QUICK = {"seconds": 0, "requests": 2, "slack_ms": 10_000}
"""Of two answers the slower decides, and nothing here is about how slow one is."""
UPDATES = 12
"""How many changes a rollout of two services makes: each is taken, made, moved three times and left."""


@pytest.fixture
def releases(trained: Project, bento: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Releases]:
    """Two services that are started in no time, and serve nothing yet."""
    [bundle] = [one for one in (trained.folder / "stores/bentoml/models/flights").iterdir() if one.is_dir()]
    quick = Image((sys.executable, "-S", str(HERE / "answers_http.py")), HERE, {"ANSWERS": str(bundle)})
    with StandIn(dict.fromkeys((FIRST, SECOND, THIRD), quick), delay=0.01) as cloud:
        releases = Releases(cloud, tmp_path, {HTTP: "http", "boxwood-2": "http"}, QUICK)
        monkeypatch.setenv(EMULATOR, cloud.address)
        yield releases
        cloud.faults.clear()


@pytest.fixture
def rollout(releases: Releases, trained: Project, bento: str) -> "Rollouts":
    return Rollouts(releases, str(trained.source(bento).parent))


class Rollouts:
    """The command in this process, which saves its start."""

    def __init__(self, releases: Releases, bento: str) -> None:
        self.releases = releases
        self._bento = bento

    def __call__(self, reference: str) -> int:
        return main(["--config", str(self.releases.config), "rollout", reference, "--bento", self._bento])

    def back(self, *arguments: str) -> int:
        return main(["--config", str(self.releases.config), "rollback", *arguments])

    def declare_dead(self) -> None:
        """As if nobody had renewed the leases for long."""
        with Administration.of(self.releases.cloud.address) as admin:
            for name, service in self.releases.services().items():
                note = service.annotations["boxwood.dev/release"]
                long_ago = re.sub(r'"until":"[^"]*"', '"until":"2026-01-01T00:00:00Z"', note)
                admin.update(name, annotations={**service.annotations, "boxwood.dev/release": long_ago})

    def serves(self, reference: str) -> bool:
        """Whether every service gives an image all its traffic, and nobody is at work."""
        splits = self.releases.splits()
        return len(splits) == 2 and all(
            percent == 100 and digest(reference) in revision
            for split in splits.values()
            for revision, percent in split.items()
        )

    def whole(self) -> bool:
        """Whether what is served is ready, and sums to 100."""
        return all(sum(traffic.observed(service).values()) == 100 for service in self.releases.services().values())


def dead_from(releases: Releases, nth: int, *, after: bool) -> None:
    """No call of the API gets an answer from the nth change on; that is done, or not."""
    if after:
        releases.cloud.faults.api(How.LOST, "UpdateService", nth)

    def die(_: object) -> None:
        releases.cloud.faults.api(How.REFUSED, nth=None)

    releases.cloud.faults.when(die, "UpdateService", nth + 1 if after else nth)


@pytest.mark.rollout
@pytest.mark.parametrize("how", [How.REFUSED, How.LOST], ids=["refused", "lost"])
def test_one_failure_at_any_change_is_passed_over(rollout: Rollouts, how: How) -> None:
    faults = rollout.releases.cloud.faults
    assert rollout(FIRST) == 0
    served = FIRST
    for nth in range(1, UPDATES + 1):
        served = SECOND if served == FIRST else FIRST
        faults.api(how, "UpdateService", nth)
        assert rollout(served) == 0, nth
        assert rollout.serves(served), nth
        faults.clear()
    updates = [call for call in rollout.releases.cloud.calls if call.method == "UpdateService"]
    assert len(updates) >= UPDATES * (UPDATES + 1)


@pytest.mark.rollout
def test_an_outage_at_any_change_leaves_what_the_next_run_finishes(rollout: Rollouts) -> None:
    faults = rollout.releases.cloud.faults
    assert rollout(FIRST) == 0
    served = FIRST
    for nth in range(1, UPDATES + 1):
        other = SECOND if served == FIRST else FIRST
        dead_from(rollout.releases, nth, after=False)
        assert rollout(other) == 1, nth
        faults.clear()
        assert rollout.whole(), nth
        assert rollout(other) == 0, nth
        assert rollout.serves(other), nth
        for service in rollout.releases.services().values():
            tags = traffic.tags(service)
            assert digest(other) in tags[SERVING], nth
            assert digest(served) in tags[PREVIOUS], nth
        served = other


@pytest.mark.rollout
@pytest.mark.parametrize("nth", [1, 2, 3, 4])
def test_a_first_deployment_through_an_outage(rollout: Rollouts, nth: int) -> None:
    faults = rollout.releases.cloud.faults
    for method in CHANGES:
        faults.api(How.LOST, method, nth)
    faults.when(lambda _: faults.api(How.REFUSED, nth=None), "GetRevision", nth)
    with contextlib.suppress(SystemExit):
        rollout(FIRST)
    faults.clear()
    assert rollout(FIRST) == 0
    assert rollout.serves(FIRST)


@pytest.mark.rollout
def test_a_rollback_through_an_outage(rollout: Rollouts) -> None:
    faults = rollout.releases.cloud.faults
    assert rollout(FIRST) == 0
    for nth in (1, 2):
        assert rollout(SECOND) == 0
        dead_from(rollout.releases, nth, after=False)
        assert rollout.back() == 1
        faults.clear()
        assert rollout.whole()
        assert rollout.back() == 0
        assert rollout.serves(FIRST)


@pytest.mark.slow
def test_the_ledger_has_every_step_once(rollout: Rollouts, capsys: pytest.CaptureFixture[str]) -> None:
    assert rollout(FIRST) == 0
    dead_from(rollout.releases, 7, after=False)
    assert rollout(SECOND) == 1
    rollout.releases.cloud.faults.clear()
    assert rollout(SECOND) == 0
    entries = [path.stem for path in (rollout.releases.folder / "ledger").iterdir()]
    assert len(entries) == len(set(entries))
    capsys.readouterr()
    assert main(["--config", str(rollout.releases.config), "history"]) == 0
    told = capsys.readouterr().out
    # the first gets all at once; the second 5 %, and when it began again 5, 25 and 100 %
    assert told.count("rollout by") == 5


@pytest.mark.parametrize(("nth", "back_to"), [(11, SECOND), (7, FIRST)], ids=["at its end", "half way"])
@pytest.mark.rollout
def test_another_image_after_a_rollout_that_died(rollout: Rollouts, nth: int, back_to: str) -> None:
    """What had all traffic was proven, and is gone back to; what had less is not."""
    assert rollout(FIRST) == 0
    dead_from(rollout.releases, nth, after=False)
    assert rollout(SECOND) == 1
    rollout.releases.cloud.faults.clear()
    assert rollout(THIRD) == 1, "the other counts as running"
    rollout.declare_dead()
    assert rollout(THIRD) == 0
    assert rollout.serves(THIRD)
    for service in rollout.releases.services().values():
        assert digest(back_to) in traffic.tags(service)[PREVIOUS]
    told = sorted(path.stem for path in (rollout.releases.folder / "ledger").iterdir())
    assert len([name for name in told if name.endswith("-100")]) == (3 if nth == 11 else 2)


@pytest.mark.slow
def test_a_rollback_to_an_image_by_a_part_of_it(rollout: Rollouts, capsys: pytest.CaptureFixture[str]) -> None:
    assert rollout(FIRST) == rollout(SECOND) == rollout(THIRD) == 0
    assert rollout.back("--to", "boxwood") == 1
    assert "'boxwood' means 3 images: " in capsys.readouterr().err
    assert rollout.back("--to", "nowhere") == 1
    assert "'nowhere' is in no revision or image" in capsys.readouterr().err
    assert rollout.back("--to", f"boxwood-2-{FIRST[-64:-56]}") == 0
    assert rollout.serves(FIRST)
    assert rollout.back() == 1
    assert "No service has anything to go back to" in capsys.readouterr().err


def test_a_page_is_a_service_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    echo = Image((sys.executable, "-S", str(HERE / "echo_http.py")), HERE)
    with StandIn(dict.fromkeys((FIRST, SECOND), echo), delay=0.01) as cloud:
        releases = Releases(cloud, tmp_path, {"boxwood-page": "page"}, QUICK)
        monkeypatch.setenv(EMULATOR, cloud.address)
        config = ["--config", str(releases.config)]
        assert main([*config, "rollout", FIRST]) == main([*config, "rollout", SECOND]) == 0
        assert digest(SECOND) in str(releases.splits())
        cloud.faults.network(FIRST, NetworkFault(error_share=1.0))
        assert main([*config, "rollback"]) == 0
        assert digest(FIRST) in str(releases.splits())
        cloud.faults.network(SECOND, NetworkFault(error_share=1.0))
        assert main([*config, "rollout", SECOND]) == 1
        assert "does not answer: the page: " in capsys.readouterr().err
        [service] = releases.services().values()
        assert not service.template.containers[0].env
