"""The stand-in's API is as strict as Cloud Run's, and as slow to say how something ended."""

import itertools
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
from google.api_core import exceptions
from google.cloud import run_v2
from google.iam.v1 import iam_policy_pb2, policy_pb2

from tests.deploy.administration import LOCATION, Administration, done, name_of, target, template
from tests.deploy.standin import How, Image, StandIn

pytestmark = pytest.mark.rollout

HERE = Path(__file__).parent
ECHO = Image((sys.executable, "-S", str(HERE / "echo_http.py")), HERE)
State = run_v2.Condition.State
NUMBERS = itertools.count()


@pytest.fixture(scope="module")
def cloud() -> Iterator[StandIn]:
    with StandIn({"echo": ECHO, "nowhere": Image(("/no/such/program",), HERE)}, start_timeout=10) as started:
        yield started


@pytest.fixture(scope="module")
def admin(cloud: StandIn) -> Iterator[Administration]:
    with Administration.of(cloud.address) as connected:
        yield connected


@pytest.fixture(scope="module")
def standing(admin: Administration) -> str:
    """A service that tests look at and do not change."""
    admin.create("standing", template("echo", "standing-a"))
    return "standing"


@pytest.fixture
def service(admin: Administration) -> str:
    """A service of a test's own; its first revision ends with -a."""
    name = f"boxwood{next(NUMBERS)}"
    admin.create(name, template("echo", f"{name}-a"))
    return name


def test_a_first_deployment_serves(admin: Administration, standing: str) -> None:
    found = admin.get(standing)
    assert found.terminal_condition.state == State.CONDITION_SUCCEEDED
    assert (found.generation, found.observed_generation, found.reconciling) == (1, 1, False)
    assert found.latest_created_revision == found.latest_ready_revision == f"{found.name}/revisions/standing-a"
    [status] = found.traffic_statuses
    assert (status.revision, status.percent) == ("standing-a", 100)
    assert httpx.get(f"{found.uri}/").json()["K_REVISION"] == "standing-a"
    assert found.name in [listed.name for listed in admin.services.list_services(parent=LOCATION)]


def test_an_operation_is_pending_first(admin: Administration, service: str) -> None:
    operation = admin.begin(service, labels={"a": "b"})
    assert not operation.operation.done
    assert operation.metadata.reconciling
    assert done(operation).labels["a"] == "b"


REFUSED: dict[str, tuple[dict[str, Any], type[Exception]]] = {
    "percentages that do not sum to 100": ({"traffic": [target("standing-a", 90)]}, exceptions.InvalidArgument),
    "a tag twice": (
        {"traffic": [target("standing-a", 100, "x"), target("standing-a", 0, "x")]},
        exceptions.InvalidArgument,
    ),
    "a tag that is none": ({"traffic": [target("standing-a", 100, "X_")]}, exceptions.InvalidArgument),
    "the latest by name": (
        {"traffic": [run_v2.TrafficTarget(revision="standing-a", percent=100)]},
        exceptions.InvalidArgument,
    ),
    "a name that does not begin as the service's": (
        {"template": template("echo", "other-a")},
        exceptions.InvalidArgument,
    ),
    "a name with another configuration": (
        {"template": template("echo", "standing-a", X="1")},
        exceptions.AlreadyExists,
    ),
    "what the platform sets": ({"template": template("echo", "standing-b", PORT="1")}, exceptions.InvalidArgument),
    "no container": ({"template": run_v2.RevisionTemplate()}, exceptions.InvalidArgument),
    "two containers with a port": (
        {"template": run_v2.RevisionTemplate(containers=[*template("echo").containers, *template("echo").containers])},
        exceptions.InvalidArgument,
    ),
    "a container that waits for one that is not there": (
        {
            "template": run_v2.RevisionTemplate(
                containers=[*template("echo").containers, run_v2.Container(image="beside", depends_on=["nobody"])]
            )
        },
        exceptions.InvalidArgument,
    ),
    "an etag that is not the latest": ({"labels": {"a": "b"}, "etag": '"0"'}, exceptions.Aborted),
}


@pytest.mark.parametrize("refused", REFUSED)
def test_a_call_is_refused(admin: Administration, standing: str, refused: str) -> None:
    fields, error = REFUSED[refused]
    before = admin.get(standing)
    with pytest.raises(error):
        admin.begin(standing, **fields)
    assert admin.get(standing) == before


def test_beside_a_service_others_may_run(admin: Administration, service: str) -> None:
    made = template("echo", f"{service}-b")
    made.containers = [run_v2.Container(name="beside", image="unheard of"), *made.containers]
    assert admin.update(service, template=made).latest_ready_revision.endswith(f"{service}-b")
    assert httpx.get(f"{admin.get(service).uri}/").json()["K_REVISION"] == f"{service}-b"


def test_names_that_are_not_there_and_that_are(admin: Administration, standing: str) -> None:
    missing = name_of("missing")
    with pytest.raises(exceptions.NotFound):
        admin.get("missing")
    with pytest.raises(exceptions.NotFound):
        admin.begin("missing", labels={})
    with pytest.raises(exceptions.NotFound):
        admin.services.delete_service(name=missing)
    with pytest.raises(exceptions.NotFound):
        admin.revisions.get_revision(name=f"{name_of(standing)}/revisions/standing-b")
    with pytest.raises(exceptions.AlreadyExists):
        admin.create(standing, template("echo"))
    with pytest.raises(exceptions.InvalidArgument):
        admin.create("Capital", template("echo"))


def test_only_a_changed_template_makes_a_revision(admin: Administration, service: str) -> None:
    assert admin.update(service, traffic=[target(percent=100, tag="now")]).generation == 2
    assert admin.update(service, template=template("echo", f"{service}-a")).generation == 3
    assert admin.names(service) == [f"{service}-a"]
    made = admin.update(service, template=template("echo", X="1"))
    [generated, first] = admin.names(service)
    assert (made.latest_ready_revision, first) == (f"{made.name}/revisions/{generated}", f"{service}-a")
    assert generated.startswith(f"{service}-00004-")
    # its name may stand there again, with its own configuration
    assert admin.update(service, template=template("echo", f"{service}-a")).latest_created_revision.endswith("-a")
    assert admin.names(service) == [generated, first]


def test_the_mask_says_what_is_updated(admin: Administration, service: str) -> None:
    given = run_v2.Service(name=name_of(service), description="new", labels={"not": "wanted"})
    request = run_v2.UpdateServiceRequest(service=given, update_mask={"paths": ["description"]})
    found = done(admin.services.update_service(request))
    assert (found.description, dict(found.labels), len(found.template.containers)) == ("new", {}, 1)
    request.update_mask = {"paths": ["colour"]}
    with pytest.raises(exceptions.InvalidArgument):
        admin.services.update_service(request)
    found.description = ""
    found.labels["is"] = "wanted"
    assert dict(done(admin.services.update_service(service=found)).labels) == {"is": "wanted"}
    assert admin.get(service).description == ""


def test_validation_alone_changes_nothing(admin: Administration, service: str) -> None:
    before = admin.get(service)
    given = run_v2.Service(name=before.name, template=template("echo", f"{service}-b"))
    done(admin.services.update_service(run_v2.UpdateServiceRequest(service=given, validate_only=True)))
    assert (admin.get(service), admin.names(service)) == (before, [f"{service}-a"])


def test_an_update_may_create(admin: Administration) -> None:
    given = run_v2.Service(name=name_of("upserted"), template=template("echo"))
    found = done(admin.services.update_service(run_v2.UpdateServiceRequest(service=given, allow_missing=True)))
    assert found.observed_generation == 1


def test_traffic_to_nobody_ends_the_operation(admin: Administration, service: str) -> None:
    before = admin.get(service)
    with pytest.raises(exceptions.InternalServerError, match="does not exist or is deleted"):
        admin.update(service, traffic=[target(f"{service}-x", 100)])
    found = admin.get(service)
    assert found.terminal_condition.state == State.CONDITION_FAILED
    assert (found.traffic_statuses, found.observed_generation) == (before.traffic_statuses, 1)


@pytest.mark.parametrize("broken", [template("echo", REFUSES="exit"), template("nowhere"), template("unknown")])
def test_a_revision_that_is_never_ready(admin: Administration, service: str, broken: run_v2.RevisionTemplate) -> None:
    broken.revision = f"{service}-b"
    old, new = f"{service}-a", broken.revision
    with pytest.raises(exceptions.FailedPrecondition, match="is not ready and cannot serve traffic"):
        admin.update(service, template=broken, traffic=[target(old, 100), target(new, tag="next")])
    found = admin.get(service)
    assert [(status.revision, status.percent) for status in found.traffic_statuses] == [(old, 100)]
    assert (found.terminal_condition.state, found.reconciling) == (State.CONDITION_FAILED, False)
    assert found.latest_created_revision.endswith(new)
    assert found.latest_ready_revision.endswith(old)
    assert httpx.get(found.uri).json()["K_REVISION"] == old
    [condition] = admin.revisions.get_revision(name=f"{found.name}/revisions/{new}").conditions
    assert condition.state == State.CONDITION_FAILED
    with pytest.raises(exceptions.FailedPrecondition):  # the traffic is set, and the template is what it was
        admin.update(service, traffic=[target(old, 100, "safe")])
    assert [status.tag for status in admin.get(service).traffic_statuses] == ["safe"]
    good = admin.update(service, template=template("echo", f"{service}-c"))
    assert good.terminal_condition.state == State.CONDITION_SUCCEEDED


def test_a_rollback_does_not_wait_for_a_revision_that_starts(admin: Administration, service: str) -> None:
    old, new = f"{service}-a", f"{service}-b"
    slow = admin.begin(service, template=template("echo", new, REFUSES="503"), traffic=[target(new, 100)])
    assert done(admin.begin(service, traffic=[target(old, 100)])).traffic_statuses[0].revision == old
    assert not slow.done()
    assert admin.get(service).reconciling


def test_what_may_be_deleted(admin: Administration, cloud: StandIn, service: str) -> None:
    first, second = f"{service}-a", f"{service}-b"
    full = f"{name_of(service)}/revisions/"
    admin.update(service, template=template("echo", second), traffic=[target(second, 100), target(first, tag="old")])
    for kept in (first, second):
        with pytest.raises(exceptions.FailedPrecondition):
            admin.revisions.delete_revision(name=full + kept)
    admin.update(service, traffic=[target(second, 100)])
    done(admin.revisions.delete_revision(name=full + first))
    assert admin.names(service) == [second]
    with pytest.raises(exceptions.Aborted):
        admin.services.delete_service(run_v2.DeleteServiceRequest(name=name_of(service), etag='"1"'))
    done(admin.services.delete_service(name=name_of(service)))
    with pytest.raises(exceptions.NotFound):
        admin.get(service)
    cloud.wait(lambda events: any(event.kind == "exit" and event.revision == second for event in events))


def test_policies_have_etags(admin: Administration, standing: str) -> None:
    policy = admin.services.get_iam_policy({"resource": name_of(standing)})
    policy.bindings.add(role="roles/run.invoker", members=["allUsers"])
    request = iam_policy_pb2.SetIamPolicyRequest(resource=name_of(standing), policy=policy)
    kept: policy_pb2.Policy = admin.services.set_iam_policy(request)
    assert kept.bindings == policy.bindings == admin.services.get_iam_policy({"resource": name_of(standing)}).bindings
    with pytest.raises(exceptions.Aborted):
        admin.services.set_iam_policy(request)


def _refused(cloud: StandIn) -> None:
    cloud.faults.api(How.REFUSED, "UpdateService")


def _lost(cloud: StandIn) -> None:
    cloud.faults.api(How.LOST, "UpdateService", code=grpc.StatusCode.DEADLINE_EXCEEDED)


def _hangs(cloud: StandIn) -> None:
    cloud.faults.api(How.HANGS, nth=1)


def _hangs_after(cloud: StandIn) -> None:
    cloud.faults.api(How.HANGS_AFTER, "UpdateService", nth=None)


@pytest.mark.parametrize(
    ("fault", "error", "is_done"),
    [
        (_refused, exceptions.ServiceUnavailable, False),
        (_lost, exceptions.DeadlineExceeded, True),
        (_hangs, exceptions.DeadlineExceeded, False),
        (_hangs_after, exceptions.DeadlineExceeded, True),
    ],
)
def test_calls_fail_as_planned(
    admin: Administration,
    cloud: StandIn,
    service: str,
    fault: Callable[[StandIn], None],
    error: type[Exception],
    is_done: bool,
) -> None:
    given = run_v2.Service(name=name_of(service), template=template("echo", f"{service}-a"), description="new")
    request = run_v2.UpdateServiceRequest(service=given)
    known = len(cloud.calls)
    fault(cloud)
    try:
        with pytest.raises(error):
            admin.services.update_service(request, timeout=0.5)
        assert [(call.method, call.request) for call in cloud.calls[known:]] == [("UpdateService", request)]
    finally:
        cloud.faults.clear()
    assert (admin.get(service).description == "new") == is_done


def test_something_may_happen_in_the_middle_of_a_call(admin: Administration, cloud: StandIn, service: str) -> None:
    found = admin.get(service)
    cloud.faults.when(lambda _: admin.update(service, labels={"who": "was first"}), "UpdateService")
    with pytest.raises(exceptions.Aborted):
        admin.update(service, description="late", etag=found.etag)
    assert dict(admin.get(service).labels) == {"who": "was first"}
