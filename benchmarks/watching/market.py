"""A market of fares that goes on day by day, with seasons, and the problem that is made of it.

Every fare follows from its row by one law, and chance: so it is known whether the world has changed. Rows are drawn
from a seed and their day, and a change of the world is applied to rows that would have been drawn without it.
"""

import datetime
from dataclasses import dataclass

import numpy as np
import pandas as pd

from problems.base import Problem
from validation.contract import Column, Contract, Kind, Role, Unseen

FIRST_DAY = datetime.date(2023, 1, 1)
HISTORY_DAYS, HISTORY_ROWS = 1_095, 110
"""Days of the training table, and rows of each."""
DAY_ROWS = 2_000
"""Rows of a day that is watched."""
_CITIES = {
    "Bergen": (60.39, 5.32),
    "Bern": (46.95, 7.45),
    "Lisbon": (38.72, -9.14),
    "Malaga": (36.72, -4.42),
    "Naples": (40.85, 14.27),
    "Oslo": (59.91, 10.75),
    "Palma": (39.57, 2.65),
    "Vienna": (48.21, 16.37),
}
_SOUTHERN = np.array([name in ("Lisbon", "Malaga", "Naples", "Palma") for name in _CITIES])
_AGENCIES = {"Albatross": 0.95, "Boreas": 1.0, "Cirrus": 1.03, "Drift": 1.08, "Eider": 1.15}
_CABINS = {"economy": 1.0, "premium": 1.5, "business": 2.4}
_COLOURS = ("blue", "green", "red", "white")
_WEEKDAYS = np.array([1.0, 0.93, 0.92, 0.97, 1.1, 1.03, 1.06])
_EARTH_KM, _CRUISE_KMH = 6_371.0, 780.0
_FUEL, _FUEL_SPREAD = 100.0, 8.0

CONTRACT = Contract(
    (
        Column(name="origin", kind=Kind.CATEGORY, help="City of departure"),
        Column(name="destination", kind=Kind.CATEGORY, help="City of arrival"),
        Column(name="cabin", kind=Kind.CATEGORY, choices=tuple(_CABINS), help="Class of travel"),
        Column(name="agency", kind=Kind.CATEGORY, unseen=Unseen.WARN, help="Who sells the seat"),
        Column(name="distance_km", kind=Kind.REAL, unit="km", ge=0.0, help="Distance flown"),
        Column(name="duration_hours", kind=Kind.REAL, unit="h", ge=0.0, help="Time in the air"),
        Column(name="days_ahead", kind=Kind.INTEGER, ge=0, le=365, help="Days between booking and departure"),
        Column(name="fuel", kind=Kind.REAL, ge=0.0, help="Index of what the carrier pays for fuel"),
        Column(name="demand", kind=Kind.REAL, help="Measured demand for the route"),
        Column(name="rating", kind=Kind.REAL, nullable=True, help="Rating of the carrier"),
        Column(name="colour", kind=Kind.CATEGORY, unseen=Unseen.WARN, help="Colour of the page that sold the seat"),
        Column(name="points", kind=Kind.REAL, help="Loyalty points of the buyer"),
        Column(name="date", kind=Kind.DATE, role=Role.TIME, help="Day of booking"),
        Column(name="price", kind=Kind.REAL, role=Role.TARGET, unit="EUR", ge=0.0, help="Fare of one seat"),
    )
)
PROBLEM = Problem(name="market", title="Fare in a simulated market", contract=CONTRACT)


@dataclass(frozen=True)
class World:
    """What may be different one day; shares are of rows.

    Attributes:
        level: the factor on all fares.
        seller, seller_margin: the share of rows that a new agency sells, and its factor on fares.
        fuel: the factor on the fuel index; fares follow it by the same law, and are `noise` times as noisy.
        noise: the factor on the noise of fares.
        demand_stuck: whether the sensor of demand repeats one number, while demand goes on.
        demand_offset: what the sensor reads too much, in its own units.
        rating_missing: the share of ratings that are missing.
        dear_cabins: the factor on the odds of the two dear cabins; fares follow by the same law.
        points: the factor on loyalty points, which no fare depends on.
    """

    level: float = 1.0
    seller: float = 0.0
    seller_margin: float = 1.35
    fuel: float = 1.0
    noise: float = 1.0
    demand_stuck: bool = False
    demand_offset: float = 0.0
    rating_missing: float = 0.01
    dear_cabins: float = 1.0
    points: float = 1.0


UNCHANGED = World()


def date_of(day: int) -> datetime.date:
    """The date of a day; day 0 is the first of the training table."""
    return FIRST_DAY + datetime.timedelta(days=day)


def history(seed: int) -> pd.DataFrame:
    """The training table: `HISTORY_ROWS` rows of each of `HISTORY_DAYS` days, in order."""
    random = np.random.default_rng([seed, 0])
    return _rows(random, np.repeat(np.arange(HISTORY_DAYS), HISTORY_ROWS), UNCHANGED)


def day(seed: int, number: int, world: World = UNCHANGED, rows: int = DAY_ROWS) -> pd.DataFrame:
    """The bookings of one day, with their true fares.

    Args:
        seed: of the market.
        number: which day, see `date_of`.
        world: what is different that day.
        rows: how many.
    """
    random = np.random.default_rng([seed, 1, number])
    return _rows(random, np.full(rows, number), world)


def _rows(random: np.random.Generator, days: np.ndarray, world: World) -> pd.DataFrame:
    """Draw rows and their fares; the same draws are made whatever the world is like."""
    rows, season = len(days), _season(days)
    origin, destination = _route(random, season)
    cabin = _cabin(random, days, world)
    agency = np.searchsorted(np.cumsum([0.34, 0.27, 0.2, 0.12]), random.random(rows))
    distance = np.round(_distances()[origin, destination], 1)
    duration = np.round(distance / _CRUISE_KMH + 0.5 + random.gamma(2.0, 0.08, rows), 2)
    ahead = np.minimum(random.gamma(1.3, 26.0 + 9.0 * season, rows), 365.0).astype(int)
    fuel = (_FUEL + _FUEL_SPREAD * (0.25 * season + random.normal(0, 1, rows))).clip(60, 140) * world.fuel
    demand = 50 + 12 * season + 4 * (_weekday(days) >= 4) + random.normal(0, 10, rows)
    rating, missing = random.beta(6, 2, rows) * 5, random.random(rows)
    sold = random.random(rows) < world.seller
    margin = np.where(sold, world.seller_margin, np.array(list(_AGENCIES.values()))[agency])
    fare = (45.0 + 0.34 * distance**0.86) * np.array(list(_CABINS.values()))[cabin] * margin * _WEEKDAYS[_weekday(days)]
    fare *= (1 + 0.12 * season) * (fuel / _FUEL) ** 0.8 * np.exp(0.009 * (demand - 50)) * (1 + 0.06 * (rating - 3.75))
    fare *= 1 + 0.55 * np.exp(-ahead / 9.0)
    spread = world.noise * (0.05 + 0.05 * np.exp(-ahead / 9.0) + 0.03 * (cabin == 2))
    fare *= np.exp(spread * random.normal(0, 1, rows)) * world.level
    return pd.DataFrame(
        {
            "origin": np.array(list(_CITIES))[origin],
            "destination": np.array(list(_CITIES))[destination],
            "cabin": np.array(list(_CABINS))[cabin],
            "agency": np.where(sold, "Fulmar", np.array(list(_AGENCIES))[agency]),
            "distance_km": distance,
            "duration_hours": duration,
            "days_ahead": ahead,
            "fuel": np.round(fuel, 2),
            "demand": np.full(rows, 57.3) if world.demand_stuck else np.round(demand + world.demand_offset, 1),
            "rating": np.where(missing < world.rating_missing, np.nan, np.round(rating, 1)),
            "colour": np.array(_COLOURS)[random.integers(0, len(_COLOURS), rows)],
            "points": np.round(random.lognormal(6, 0.8, rows) * world.points),
            "date": pd.to_datetime(np.datetime64(FIRST_DAY, "D") + days).astype("datetime64[us]"),
            "price": np.round(fare, 2),
        }
    )


def _season(days: np.ndarray) -> np.ndarray:
    """From -1 in the middle of January to 1 in the middle of July, shape (rows,)."""
    season: np.ndarray = -np.cos(2 * np.pi * (days - 14) / 365.25)
    return season


def _weekday(days: np.ndarray) -> np.ndarray:
    """Monday is 0, shape (rows,)."""
    weekday: np.ndarray = (days + FIRST_DAY.weekday()) % 7
    return weekday


def _route(random: np.random.Generator, season: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The places of two different cities, shape (rows,) each; in summer more go to the south."""
    cities = len(_CITIES)
    origin = random.integers(0, cities, len(season))
    weights = np.where(_SOUTHERN, np.exp(0.5 * season)[:, None], 1.0) * (np.arange(cities) != origin[:, None])
    upto = np.cumsum(weights, axis=1)
    drawn = random.random(len(season)) * upto[:, -1]
    return origin, (drawn[:, None] > upto).sum(axis=1)


def _cabin(random: np.random.Generator, days: np.ndarray, world: World) -> np.ndarray:
    """The places of cabins, shape (rows,); business travel is of working days."""
    working = _weekday(days) < 5
    premium, business = (
        np.where(working, 0.2, 0.17) * world.dear_cabins,
        np.where(working, 0.13, 0.06) * world.dear_cabins,
    )
    drawn, whole = random.random(len(days)), 1 + (premium + business) * (1 - 1 / world.dear_cabins)
    return (drawn > 1 - (premium + business) / whole).astype(int) + (drawn > 1 - business / whole)


def _distances() -> np.ndarray:
    """Great-circle distances between all cities in km (haversine), shape (cities, cities)."""
    latitude, longitude = np.radians(np.array(list(_CITIES.values()))).T
    half = (
        np.sin((latitude[:, None] - latitude) / 2) ** 2
        + np.cos(latitude[:, None]) * np.cos(latitude) * np.sin((longitude[:, None] - longitude) / 2) ** 2
    )
    distances: np.ndarray = 2 * _EARTH_KM * np.arcsin(np.sqrt(half))
    return distances
