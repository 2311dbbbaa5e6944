"""Rollouts and rollbacks of real Bentos over both transports, while somebody keeps calling."""

import contextlib
import dataclasses
import datetime
import threading
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from deploy import asking, golden
from deploy.config import Transport
from deploy.release.revisions import digest
from tests.deploy.releases import GRPC, HTTP, TRANSPORTS, Releases, image
from tests.deploy.standin import How, NetworkFault, StandIn
from tests.deploy.standin import bento as image_of
from tests.project import ANY_CHALLENGER, Project

pytestmark = pytest.mark.rollout

FIRST, SECOND, THIRD, OTHER = map(image, ("first", "second", "third", "other model"))
BROKEN, WRONG, SLOW, LATE, CUT, HELD = map(image, ("broken", "wrong", "slow", "late", "cut", "held"))
ALL = (FIRST, SECOND, THIRD, WRONG, SLOW, LATE, CUT, HELD)


class Story(NamedTuple):
    """A stand-in that serves the first image, and the Bentos of its images: of all but one the same."""

    releases: Releases
    bento: str
    other: str


@pytest.fixture(scope="module")
def story(trained: Project, bento: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    folder = trained.source(bento).parent
    project = trained.copy(tmp_path_factory.mktemp("other") / "project")
    project.change_params({"train": {"rounds": 20}, **ANY_CHALLENGER})
    project.stages("train", "bundle", "evaluate", "register", "package")
    other = project.source(project.build()).parent
    built = image_of(folder / "src")
    images = dict.fromkeys(ALL, built) | {OTHER: image_of(other / "src")}
    images[BROKEN] = dataclasses.replace(built, environment={"BOXWOOD_MAX_ROWS": "none"})
    with StandIn(images) as cloud:
        releases = Releases(cloud, tmp_path_factory.mktemp("releases"))
        releases.run("rollout", FIRST, "--bento", str(folder))
        yield Story(releases, str(folder), str(other))


@pytest.fixture
def releases(story: Story) -> Iterator[Releases]:
    yield story.releases
    story.releases.cloud.faults.clear()
    assert all(sum(split.values()) == 100 for split in story.releases.splits().values())


class Caller(threading.Thread):
    """Asks one service until the end of the context, and remembers what went wrong."""

    def __init__(self, releases: Releases, name: str, transport: Transport, row: dict[str, Any]) -> None:
        super().__init__()
        self._uri = releases.services()[name].uri
        self._transport: Transport = transport
        self._row = row
        self._over = threading.Event()
        self.answered = 0
        self.lost: list[str] = []

    def run(self) -> None:
        with asking.api(self._transport, self._uri, None) as api:
            while not self._over.is_set():
                try:
                    _, [answer] = api.ask("predict", "flights", [self._row])
                    assert answer["prediction"] > 0
                    self.answered += 1
                except asking.Failed as error:
                    self.lost.append(str(error))

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self.join()

    def __enter__(self) -> "Caller":
        self.start()
        return self


@contextlib.contextmanager
def calling(releases: Releases, row: dict[str, Any]) -> Iterator[None]:
    """Callers over both transports, none of whose requests may be lost."""
    with Caller(releases, HTTP, "http", row) as over_http, Caller(releases, GRPC, "grpc", row) as over_grpc:
        yield
    assert over_http.lost == over_grpc.lost == []
    assert min(over_http.answered, over_grpc.answered) > 20


def serving(releases: Releases) -> dict[str, str]:
    """The one revision of each service that has all traffic."""
    found = {}
    for name, split in releases.splits().items():
        [(revision, percent)] = split.items()
        assert percent == 100
        found[name] = revision
    return found


def test_the_first_deployment_serves_both_transports_privately(releases: Releases) -> None:
    told = releases.run("status")
    for name, service in releases.services().items():
        assert not service.invoker_iam_disabled
        assert f"{name} (" in told
        container, collector = service.template.containers
        told_it = {variable.name: variable.value for variable in container.env}
        metrics_beside = {"BOXWOOD_HTTP_PORT": "8080"} if TRANSPORTS[name] == "grpc" else {}
        assert told_it == {"BOXWOOD_TRANSPORT": TRANSPORTS[name], "BOXWOOD_IMAGE": container.image} | metrics_beside
        assert not collector.ports
        assert not container.depends_on
        for probe, path in ((container.startup_probe, "/readyz"), (container.liveness_probe, "/livez")):
            assert probe.grpc.port if TRANSPORTS[name] == "grpc" else probe.http_get.path == path
            assert probe.period_seconds
            assert probe.failure_threshold


def test_a_healthy_update_loses_no_request_and_a_rollback_takes_it_back(
    story: Story, releases: Releases, row: dict[str, Any]
) -> None:
    before = serving(releases)
    since = len(releases.cloud.events)
    with calling(releases, row):
        printed = releases.run("rollout", SECOND, "--bento", story.bento)
        after = serving(releases)
        assert all(digest(SECOND) in revision for revision in after.values())
        began = time.perf_counter()
        rolled = releases.run("rollback", "--why", "it was a test")
        print(f"\nrollback: {time.perf_counter() - began:.1f} s")  # pytest -s shows it; DEPLOYING.md has it
    assert serving(releases) == before
    assert "it was" in rolled
    for name, new in after.items():
        splits = [
            event.detail["percent"]
            for event in releases.cloud.events[since:]
            if event.kind == "traffic" and event.service == name
        ]
        shares = [split.get(new, 0) for split in splits]
        assert [share for place, share in enumerate(shares) if not place or share != shares[place - 1]] == [
            0,
            5,
            25,
            100,
            0,
        ]
    assert "5 %" in printed
    history = releases.run("history", "--on", f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d}")
    assert "rollback by" in history
    assert "it was a test" in history


def test_a_revision_loses_its_traffic_before_it_is_told_to_stop(
    story: Story, releases: Releases, row: dict[str, Any]
) -> None:
    old = serving(releases)
    with calling(releases, row):
        releases.run("rollout", SECOND, "--bento", story.bento)
        releases.run("rollout", THIRD, "--bento", story.bento)
    for revision in old.values():
        gone = ("exit", revision)
        events = releases.cloud.wait(lambda events, gone=gone: gone in {(one.kind, one.revision) for one in events})  # type: ignore[misc]
        order = [one.kind for one in events if one.revision == revision]
        assert order[-4:] == ["unrouted", "drained", "sigterm", "exit"]
        assert events[-1].detail.get("code", 0) in (0, -15)


def test_a_model_of_another_version_gets_the_traffic(story: Story, releases: Releases) -> None:
    releases.run("rollout", OTHER, "--bento", story.other)
    [expected] = golden.read(story.other).models
    for name, transport in TRANSPORTS.items():
        with asking.api(transport, releases.services()[name].uri, None) as api:
            version, answers = api.ask("predict", "flights", expected.rows)
        assert version == expected.version
        assert not any(expected.differs(row, answer) for row, answer in enumerate(answers))
    assert expected.version in releases.run("status")
    releases.run("rollback")


@pytest.mark.parametrize(
    ("bad", "fault", "says"),
    [
        (BROKEN, None, "does not start"),
        (WRONG, None, "answers wrongly"),
        (SLOW, NetworkFault(latency=1.0), "is slow"),
        (LATE, NetworkFault(error_share=0.5, from_percent=25), "The new revision failed"),
    ],
    ids=["never ready", "wrong answers", "slow", "fails at 25 %"],
)
def test_a_bad_revision_gets_no_traffic_that_stays(
    story: Story, releases: Releases, row: dict[str, Any], bad: str, fault: NetworkFault | None, says: str
) -> None:
    before = serving(releases)
    if fault is not None:
        releases.cloud.faults.network(bad, fault)
    proof = story.other if bad == WRONG else story.bento
    if bad == LATE:  # its errors reach callers, until it is taken back
        printed = releases.run("rollout", bad, "--bento", proof, fails=True)
    else:
        with calling(releases, row):
            printed = releases.run("rollout", bad, "--bento", proof, fails=True)
    assert says in printed
    assert "The split from before is restored" in printed
    assert serving(releases) == before
    assert "abort by" in releases.run("history")


def test_of_two_rollouts_at_once_one_is_told_of_the_other(story: Story, releases: Releases) -> None:
    met: list[str] = []

    def other(_: object) -> None:
        met.append(releases.run("rollout", SECOND, "--bento", story.bento, fails=True))

    releases.cloud.faults.when(other, "UpdateService", nth=3)
    releases.run("rollout", HELD, "--bento", story.bento)
    assert "is running, or stopped without a word" in met[0]
    assert all(digest(HELD) in revision for revision in serving(releases).values())


def test_a_rollback_stops_a_rollout_that_is_running(story: Story, releases: Releases, row: dict[str, Any]) -> None:
    before = serving(releases)
    running = releases.start("rollout", CUT, "--bento", story.bento)
    assert running.stdout is not None
    with calling(releases, row):
        for line in running.stdout:
            if line.startswith("5 %"):
                break
        releases.run("rollback")
        rest = running.communicate()[0]
    assert running.returncode == 1
    assert "was taken over" in rest
    assert serving(releases) == before


def test_a_rollout_that_was_killed_is_finished_by_the_next(story: Story, releases: Releases) -> None:
    running = releases.start("rollout", CUT, "--bento", story.bento)
    assert running.stdout is not None
    for line in running.stdout:
        if line.startswith("25 %"):
            running.kill()
    running.communicate()
    assert "rollout of" in releases.run("status")
    releases.run("rollout", CUT, "--bento", story.bento)
    assert all(digest(CUT) in revision for revision in serving(releases).values())
    assert "nothing to do" in releases.run("rollout", CUT, "--bento", story.bento)


def test_a_rollout_that_is_cancelled_goes_back(story: Story, releases: Releases) -> None:
    before = serving(releases)
    running = releases.start("rollout", WRONG, "--bento", story.bento)
    assert running.stdout is not None
    for line in running.stdout:
        if line.startswith("5 %"):
            running.terminate()
            break
    rest = running.communicate()[0]
    assert "Interrupted. The split from before is restored." in rest
    assert serving(releases) == before


def test_a_dry_run_tells_the_plan_and_changes_nothing(story: Story, releases: Releases) -> None:
    calls = len(releases.cloud.calls)
    printed = releases.run("rollout", SLOW, "--bento", story.bento, "--dry-run")
    assert "give it 25 % everywhere" in printed
    changing = {"CreateService", "UpdateService", "DeleteService"}
    assert not changing & {call.method for call in releases.cloud.calls[calls:]}


def test_an_answer_that_is_lost_does_no_harm(story: Story, releases: Releases) -> None:
    releases.cloud.faults.api(How.LOST, "UpdateService", nth=2)
    releases.cloud.faults.api(How.HANGS, "UpdateService", nth=4)
    releases.run("rollout", THIRD, "--bento", story.bento)
    assert all(digest(THIRD) in revision for revision in serving(releases).values())
