"""What nearness to places computes: the same for a row alone as among others, and places where the rows are."""

import inspect
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from problems.base import Problem, State, owners
from problems.features import places as helpers
from problems.features.places import centres, near
from validation.decode import Columns

LATITUDES, LONGITUDES = st.floats(-90, 90), st.floats(-180, 180)
POINTS = st.tuples(LATITUDES, LONGITUDES)
HOLED = st.tuples(LATITUDES | st.just(np.nan), LONGITUDES | st.just(np.nan))


def at(*points: tuple[float, float]) -> Columns:
    north, east = np.array(points, dtype=np.float64).reshape(-1, 2).T
    return {"north": north, "east": east}


def nearness(columns: Columns, places: list[list[float]], km: float = 25.0) -> np.ndarray:
    """Shape (places, rows)."""
    features = list(near(columns, "north", "east", places, km).values())
    return np.array(features).reshape(len(places), -1)


@given(st.lists(HOLED, min_size=1, max_size=40), st.lists(POINTS, min_size=1, max_size=40), st.floats(1e-3, 1e5))
def test_a_row_alone_has_the_same_bits_as_among_others(
    points: list[tuple[float, float]], places: list[tuple[float, float]], km: float
) -> None:
    at_places = [list(place) for place in places]
    together = nearness(at(*points), at_places, km)
    alone = np.hstack([nearness(at(point), at_places, km) for point in points])
    assert together.tobytes() == alone.tobytes()


@given(st.lists(HOLED, min_size=1, max_size=9), POINTS, st.floats(1e-3, 1e5))
def test_nearness_is_within_0_and_1_and_missing_where_a_coordinate_is(
    points: list[tuple[float, float]], place: tuple[float, float], km: float
) -> None:
    [values] = nearness(at(*points), [list(place)], km)
    lacking = np.isnan(points).any(axis=1)
    assert np.isnan(values[lacking]).all()
    assert ((values[~lacking] >= 0.0) & (values[~lacking] <= 1.0)).all()
    assert nearness(at(place), [list(place)], km) == 1.0


def test_nearness_is_a_half_where_it_is_said_to_be() -> None:
    san_francisco, oakland = (37.7749, -122.4194), (37.8044, -122.2712)  # 13.4 km by the great circle
    assert nearness(at(oakland), [list(san_francisco)], km=13.43) == pytest.approx(0.5, abs=1e-3)
    assert nearness(at((1.0, 179.9)), [[1.0, -179.9]], km=22.239) == pytest.approx(
        0.5, abs=1e-3
    )  # across the date line


def test_features_belong_to_both_coordinates() -> None:
    names = list(near(at((0, 0)), "north", "east", [[1, 1], [2, 2]], km=1))
    assert names == ["north+east.near_0", "north+east.near_1"]
    assert owners(names[0]) == ("north", "east")
    assert not near(at((0, 0)), "north", "east", [], km=1)


@settings(max_examples=50)
@given(st.lists(HOLED, max_size=30), st.integers(1, 8))
def test_places_are_few_and_json_and_the_same_every_time(points: list[tuple[float, float]], count: int) -> None:
    places = centres(at(*points), "north", "east", count)
    assert len(places) <= min(count, len({point for point in points if not np.isnan(point).any()}))
    assert json.loads(json.dumps(places)) == places == centres(at(*points), "north", "east", count)
    assert all(-90 <= north <= 90 and -180 <= east <= 180 for north, east in places)


def test_places_are_where_rows_crowd() -> None:
    chance, towns = np.random.default_rng(1), [(34.0, -118.0), (38.0, -122.0), (1.0, 180.0)]
    points = np.concatenate([chance.normal(town, 0.1, (200, 2)) for town in towns])
    points[:, 1] = (points[:, 1] + 180) % 360 - 180
    places = centres(at(*points.tolist()), "north", "east", 3)
    found = nearness(at(*towns), places, km=5.0)
    assert (found.max(axis=0) > 0.9).all()
    assert sorted(found.argmax(axis=0)) == [0, 1, 2]


def test_of_very_many_rows_some_teach(monkeypatch: pytest.MonkeyPatch) -> None:
    points = np.random.default_rng(1).normal((40.0, 10.0), 1.0, (600, 2))
    before = centres(at(*points.tolist()), "north", "east", 4)
    monkeypatch.setattr(helpers, "_MOST_ROWS", 500)
    assert before != centres(at(*points.tolist()), "north", "east", 4)
    assert len(centres(at(*points.tolist()), "north", "east", 4)) == 4


def fit(columns: Columns) -> State:
    return {"places": centres(columns, "north", "east", 3)}


def features(columns: Columns, state: State) -> Columns:
    return near(columns, "north", "east", state["places"], km=25.0)


def test_both_helpers_are_in_the_hash_of_the_problems_that_use_them(
    flights: Problem, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hashed() -> str:
        return Problem(name="p", title="", contract=flights.contract, fit=fit, features=features).features_hash

    before, source, original = hashed(), inspect.getsource(helpers), inspect.getsource
    for old, new in (("_ROUNDS = 100", "_ROUNDS = 99"), ("% 360.0 - 180.0", "% 360.0 - 179.0")):
        assert old in source
        changed = {helpers: source.replace(old, new)}
        monkeypatch.setattr(inspect, "getsource", lambda module, new=changed: new.get(module) or original(module))
        assert hashed() != before
