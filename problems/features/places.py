"""Where a row is, as how near it is to each of the places that rows crowd around."""

from collections.abc import Sequence

import numpy as np

from validation.decode import Columns

Places = Sequence[Sequence[float]]
"""Latitude and longitude of each, in degrees."""

_DEGREE_KM = 111.195  # of a great circle
_MOST_ROWS = 50_000
_ROUNDS = 100
_DIGITS = 3  # of a degree: a hundred metres, and nobody's own address


def centres(columns: Columns, latitude: str, longitude: str, count: int, seed: int = 1) -> list[list[float]]:
    """The places that rows crowd around: k-means on the sphere, begun by k-means++ (Arthur and Vassilvitskii, 2007).

    It is for `fit`. Like everything in `problems` it needs NumPy alone, so that serving can import it.

    Args:
        columns: arrays of shape (rows,); rows that lack a coordinate are left out, and of very many some are drawn.
        latitude: the column of degrees north of the equator.
        longitude: the column of degrees east of Greenwich.
        count: how many places, at most: there are fewer where the rows have fewer different coordinates.
        seed: of what is drawn.

    Returns:
        Latitude and longitude of each place in degrees, as JSON holds them.
    """
    chance = np.random.default_rng(seed)
    rows = _on_sphere(columns[latitude], columns[longitude]).T
    rows = rows[~np.isnan(rows).any(axis=1)]
    if len(rows) > _MOST_ROWS:
        rows = rows[chance.choice(len(rows), _MOST_ROWS, replace=False)]
    found = _apart(rows, count, chance)
    for _ in range(_ROUNDS if len(found) else 0):
        # of points on a sphere the nearest has the largest product
        nearest = (rows @ found.T).argmax(axis=1)
        sums = np.stack([np.bincount(nearest, axis, len(found)) for axis in rows.T], axis=1)
        length = np.linalg.norm(sums, axis=1, keepdims=True)
        moved = np.where(length > 0, sums / np.where(length > 0, length, 1.0), found)
        if np.array_equal(moved, found):
            break
        found = moved
    x, y, z = found.T
    degrees = np.degrees([np.arcsin(np.clip(z, -1.0, 1.0)), np.arctan2(y, x)])
    places: list[list[float]] = degrees.T.round(_DIGITS).tolist()
    return places


def _apart(rows: np.ndarray, count: int, chance: np.random.Generator) -> np.ndarray:
    """Rows far from each other, shape (at most count, 3): the farther from those before, the likelier drawn."""
    chosen: list[np.ndarray] = []
    square = np.ones(len(rows))
    while len(chosen) < count and square.any():
        sums = square.cumsum()
        chosen.append(rows[np.searchsorted(sums, chance.random() * sums[-1], side="right")])
        square = np.minimum(square, ((rows - chosen[-1]) ** 2).sum(axis=1))
    return np.array(chosen).reshape(-1, 3)


def near(columns: Columns, latitude: str, longitude: str, places: Places, km: float) -> Columns:
    """How near each row is to each place: 1 there, a half at a distance of `km`, a fifth at twice that.

    A tree cuts a map along its axes only, a step at a time. By one of these it cuts out a circle. It sees their order
    only, so `km` says what a half means to a person, and little to a tree. 1 / (1 + d²) takes what every processor
    rounds alike; the last digits of exponentials and cosines differ, and answers must not.

    Args:
        columns: arrays of shape (rows,).
        latitude: the column of degrees north of the equator.
        longitude: the column of degrees east of Greenwich.
        places: what `centres` found, or places that you know.
        km: where nearness is a half.

    Returns:
        An array of shape (rows,) for each place, within 0 to 1, NaN where a coordinate is missing; called like
        "latitude+longitude.near_0". Distances are those on a map around the place: exact near it, and too long far
        in the north and south of it.
    """
    north, east = np.array(places, dtype=np.float64).reshape(-1, 2, 1).transpose(1, 0, 2)
    level = np.cos(np.radians(north)).round(6)
    up = (columns[latitude] - north) * (_DEGREE_KM / km)
    along = ((columns[longitude] - east + 180.0) % 360.0 - 180.0) * level * (_DEGREE_KM / km)
    # element by element, and no product of matrices: its last digit depends on how many rows there are
    nearness = 1.0 / (1.0 + (up * up + along * along))
    return {f"{latitude}+{longitude}.near_{place}": values for place, values in enumerate(nearness)}


def _on_sphere(latitude: np.ndarray, longitude: np.ndarray) -> np.ndarray:
    """Coordinates in degrees, shape (rows,), as points on a sphere of radius 1, shape (3, rows)."""
    north, east = np.radians(latitude), np.radians(longitude)
    level = np.cos(north)
    return np.stack([level * np.cos(east), level * np.sin(east), np.sin(north)])
