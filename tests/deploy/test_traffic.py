"""Splits: what they sum to, who keeps what."""

import itertools

from google.cloud import run_v2
from hypothesis import given
from hypothesis import strategies as st

from deploy.release import traffic
from deploy.release.cloud_run import TAKES_TRAFFIC

_LATEST = run_v2.TrafficTargetAllocationType.TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST


@st.composite
def splits(draw: st.DrawFn) -> dict[str, int]:
    cuts = sorted(draw(st.sets(st.integers(1, 99), max_size=5)))
    marks = [0, *cuts, 100]
    return {f"boxwood-{place}": after - before for place, (before, after) in enumerate(itertools.pairwise(marks))}


@given(split=splits(), percent=st.integers(1, 100), new=st.sampled_from(["boxwood-new", "boxwood-0"]))
def test_the_others_share_the_rest_as_before(split: dict[str, int], percent: int, new: str) -> None:
    found = traffic.beside(new, percent, split)
    others = {name: share for name, share in split.items() if name != new}
    assert sum(found.values()) == 100
    assert all(share > 0 for share in found.values())
    assert found[new] == (percent if others else 100)
    for name, share in others.items():
        assert abs(found.get(name, 0) - (100 - percent) * share / sum(others.values())) < 1


@given(split=splits())
def test_what_was_put_is_what_is_found(split: dict[str, int]) -> None:
    service = run_v2.Service()
    traffic.put(service, split, {"serving": "boxwood-0", "candidate": "boxwood-9"})
    assert traffic.split(service) == split
    assert traffic.tags(service) == {"serving": "boxwood-0", "candidate": "boxwood-9"}
    assert all(target.type_ == TAKES_TRAFFIC for target in service.traffic)
    assert traffic.main(split) in split


def test_tags_of_others_stay() -> None:
    service = run_v2.Service(latest_ready_revision="boxwood-7")
    service.traffic = [
        run_v2.TrafficTarget(type_=_LATEST, percent=100, tag="newest"),
        run_v2.TrafficTarget(type_=TAKES_TRAFFIC, revision="boxwood-3", tag="serving"),
    ]
    traffic.put(service, {"boxwood-7": 100}, {"candidate": "boxwood-8"})
    left = [(target.tag, target.revision, target.percent) for target in service.traffic if target.tag]
    assert left == [("candidate", "boxwood-8", 0), ("newest", "", 0)]


def test_the_latest_is_written_out() -> None:
    """As `gcloud run deploy` leaves it: a later deployment must not take the traffic by itself."""
    latest = "projects/p/locations/r/services/boxwood/revisions/boxwood-7"
    service = run_v2.Service(latest_ready_revision=latest)
    assert traffic.split(service) == {"boxwood-7": 100}
    service.traffic = [run_v2.TrafficTarget(type_=_LATEST, percent=100)]
    assert traffic.split(service) == {"boxwood-7": 100}
    assert traffic.split(run_v2.Service()) == {}
